//! `look_ahead`: decisions one step ahead, on the calling thread.

use blob_engine::rng::{Purpose, stream};
use blob_engine::{ACTIONS, EncodedActionSet, FEATURES, Features, MAX_PLAYERS, encode_named};
use blob_mcts::{Evaluation, LookAhead, LookAheadConfig, Waiting};
use pyo3::prelude::*;

use crate::error::{config, config_fault, count, evaluation, int, number};
use crate::search::{CallableEvaluator, Root};

/// An action and its value.
type Valued = (usize, f64);

/// What `look_ahead` returns for a decision.
type Looked = (usize, Vec<Valued>, u64, f64);

/// Looks one step ahead from several decisions side by side, each with a seed of its own.
///
/// The callable evaluator gets the positions of all of them in one call. Returns for each decision the action, the
/// promising actions with their values, which share a constant where `own_share` is above 0, the number of evaluations,
/// and the effective number of different worlds in which the actions were tried.
#[pyfunction]
#[pyo3(signature = (roots, /, evaluator, *, seeds, worlds, own_share, policy_temperature, belief))]
pub(crate) fn look_ahead(
    roots: Vec<Root<'_>>,
    evaluator: &Bound<'_, PyAny>,
    seeds: Vec<i64>,
    #[pyo3(from_py_with = int)] worlds: i64,
    own_share: f32,
    policy_temperature: f32,
    belief: f32,
) -> PyResult<Vec<Looked>> {
    if seeds.len() != roots.len() {
        return Err(config(format!("{} seeds for {} positions; each has one", seeds.len(), roots.len())));
    }
    let settings = LookAheadConfig { worlds: count("worlds", worlds)?, own_share, policy_temperature, belief };
    settings.check().map_err(config_fault)?;
    let mut searches = Vec::with_capacity(roots.len());
    for (root, &seed) in roots.iter().zip(&seeds) {
        let rng = stream(number("seed", seed)?, Purpose::Search, &[]);
        searches.push(LookAhead::new(&root.observe()?, root.past(), settings, rng));
    }
    let evaluator = CallableEvaluator(evaluator);
    let mut asked: Vec<(usize, Waiting)> = Vec::new();
    let (mut features, mut legal): (Vec<Features>, Vec<EncodedActionSet>) = (Vec::new(), Vec::new());
    loop {
        for (k, search) in searches.iter_mut().enumerate() {
            search.each_waiting(|waiting, observation| {
                asked.push((k, waiting));
                let mut row = [0; FEATURES];
                encode_named(observation, waiting.names(), &mut row);
                features.push(row);
                legal.push(waiting.names().actions(observation.legal_actions()));
            });
        }
        if asked.is_empty() {
            break;
        }
        let mut policies = vec![[0.0; ACTIONS]; asked.len()];
        let mut values = vec![[0.0; MAX_PLAYERS]; asked.len()];
        evaluator.call(&features, &legal, &mut policies, &mut values)?;
        for ((k, waiting), (policy, values)) in asked.drain(..).zip(policies.iter().zip(&values)) {
            searches[k].receive(waiting, &Evaluation { policy, values }).map_err(evaluation)?;
        }
        features.clear();
        legal.clear();
    }
    let found = searches.iter().map(|search| {
        let outcome = search.outcome();
        let values = outcome.values.iter().map(|&(action, value)| (action.index(), value)).collect();
        (outcome.action.index(), values, outcome.evaluations, outcome.effective_worlds)
    });
    Ok(found.collect())
}
