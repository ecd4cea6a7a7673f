//! `yardstick_actions`: decisions of `ismcts:N` and `flat:W` outside of a plan.

use blob_engine::rng::{Purpose, stream};
use blob_mcts::{Agent, Interrupt, Ismcts, choose, flat_search};
use pyo3::prelude::*;

use crate::agent_spec::AgentSpec;
use crate::error::{config, number};
use crate::observation::Observation;
use crate::signals::SignalCheck;

/// The action of `AgentSpec.ismcts(...)` or `AgentSpec.flat(...)` for each observation of a seat to play, each with a seed
/// of its own.
#[pyfunction]
pub(crate) fn yardstick_actions(
    py: Python<'_>,
    agent: AgentSpec,
    observations: Vec<PyRef<'_, Observation>>,
    seeds: Vec<i64>,
) -> PyResult<Vec<usize>> {
    if seeds.len() != observations.len() {
        return Err(config(format!("{} seeds for {} observations; each has one", seeds.len(), observations.len())));
    }
    let seeds = seeds.into_iter().map(|seed| number("seed", seed)).collect::<PyResult<Vec<_>>>()?;
    let observations: Vec<_> = observations.iter().map(|observation| *observation.inner()).collect();
    if let Some(other) = observations.iter().find(|observation| observation.legal_actions().is_empty()) {
        return Err(config(format!("the observation is of seat {}, which is not to play", other.seat())));
    }
    let mut signals = SignalCheck::new(|_| Ok(true));
    let mut tree = Ismcts::default();
    let mut actions = Vec::with_capacity(seeds.len());
    py.detach(|| {
        let mut interrupt = Interrupt::new(|| signals.go_on());
        for (observation, &seed) in observations.iter().zip(&seeds) {
            let action = match agent.0 {
                Agent::Ismcts { simulations } => {
                    let rng = &mut stream(seed, Purpose::Ismcts, &[]);
                    let outcome = tree.search(observation, simulations, rng, &mut interrupt);
                    outcome.map(|outcome| choose(&outcome.visits, outcome.legal, 0.0, rng))
                }
                Agent::Flat { worlds } => {
                    flat_search(observation, worlds, &mut stream(seed, Purpose::Flat, &[]), &mut interrupt)
                }
                _ => return Err(config("the agent is no yardstick; it is ismcts(...) or flat(...)".into())),
            };
            let Some(action) = action else { break };
            actions.push(action.index());
        }
        Ok(())
    })?;
    signals.raise()?;
    Ok(actions)
}
