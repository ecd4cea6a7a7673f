//! `search` and `search_many`, on the calling thread.

use blob_engine::rng::{Purpose, stream};
use blob_engine::{ACTIONS, EncodedActionSet, Features, MAX_PLAYERS};
use blob_mcts::{EvaluateBatch, EvaluationError, Interrupt, Outcome, Past, Rollout, Search, Uniform};
use numpy::{IntoPyArray, PyArray1};
use pyo3::prelude::*;

use crate::error::{config, evaluation, int, number};
use crate::evaluator::{EvaluatorOutputs, decode};
use crate::observation::Observation;
use crate::records::table;
use crate::round::Round;
use crate::search_settings::Settings;
use crate::signals::SignalCheck;

/// What a search found.
#[pyclass(frozen, module = "blob_zero")]
pub(crate) struct SearchResult {
    outcome: Outcome,
    players: usize,
}

impl SearchResult {
    pub(crate) const fn new(outcome: Outcome, players: usize) -> Self {
        Self { outcome, players }
    }
}

#[pymethods]
impl SearchResult {
    /// Share of each action in the visits: float32[52], summing to 1.
    #[getter]
    fn policy<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<f32>> {
        PyArray1::from_slice(py, &self.outcome.policy())
    }

    /// Visits of each action at the root, summed over worlds: uint32[52]. All 0 if only one action was legal, which is
    /// not searched.
    #[getter]
    fn visits<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<u32>> {
        PyArray1::from_slice(py, &self.outcome.visits)
    }

    /// Mean value in [-1, 1] to each seat, absolute: float32[players].
    #[getter]
    fn values<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<f32>> {
        PyArray1::from_slice(py, self.outcome.values.first(self.players))
    }

    /// Evaluations requested.
    #[getter]
    fn evaluations(&self) -> u64 {
        self.outcome.evaluations
    }

    /// Simulations finished: worlds * simulations, or 0 if nothing was searched.
    #[getter]
    fn simulations(&self) -> u64 {
        self.outcome.simulations
    }

    fn __repr__(&self) -> String {
        let visits = self.outcome.legal.iter().map(|action| (action.index(), self.outcome.visits[action.index()]));
        format!(
            "<SearchResult {} simulations, {} evaluations, visits {:?}>",
            self.outcome.simulations,
            self.outcome.evaluations,
            visits.collect::<Vec<_>>()
        )
    }
}

/// A round seen by the seat to play, or an observation.
#[derive(FromPyObject)]
pub(crate) enum Root<'py> {
    Round(PyRef<'py, Round>),
    Observation(PyRef<'py, Observation>),
}

impl Root<'_> {
    /// What everybody saw of the round so far, where that is known.
    pub(crate) fn past(&self) -> Option<Past> {
        match self {
            Self::Round(round) => round.past().cloned(),
            Self::Observation(observation) => observation.past().cloned(),
        }
    }

    pub(crate) fn observe(&self) -> PyResult<blob_engine::Observation> {
        match self {
            Self::Round(round) => match round.0.to_play() {
                Some(seat) => Ok(round.0.observe(seat)),
                None => Err(config("the round is done; a search needs a seat to play".into())),
            },
            Self::Observation(observation) => {
                let inner = observation.inner();
                if inner.legal_actions().is_empty() {
                    return Err(config(format!(
                        "the observation is of seat {}, which is not to play; search the seat to play",
                        inner.seat()
                    )));
                }
                Ok(*inner)
            }
        }
    }
}

/// Searches the decision of the seat to play, from what that seat knows.
#[pyfunction]
#[pyo3(signature = (root, /, evaluator, *, worlds = 3, simulations = 30, seed = 0, c_puct = 1.5, fpu_reduction = 0.25, leaves_in_flight = 1, virtual_loss = 1, own_view = false, noise_fraction = 0.0, noise_alpha = 1.0))]
#[allow(clippy::too_many_arguments)] // Keyword arguments of a Python function.
pub(crate) fn search(
    py: Python<'_>,
    root: Root<'_>,
    evaluator: &Bound<'_, PyAny>,
    #[pyo3(from_py_with = int)] worlds: i64,
    #[pyo3(from_py_with = int)] simulations: i64,
    #[pyo3(from_py_with = int)] seed: i64,
    c_puct: f32,
    fpu_reduction: f32,
    #[pyo3(from_py_with = int)] leaves_in_flight: i64,
    #[pyo3(from_py_with = int)] virtual_loss: i64,
    own_view: bool,
    noise_fraction: f32,
    noise_alpha: f32,
) -> PyResult<SearchResult> {
    let settings = Settings {
        worlds,
        simulations,
        c_puct,
        fpu_reduction,
        worlds_in_flight: None,
        leaves_in_flight,
        virtual_loss,
        own_view,
        noise_fraction,
        noise_alpha,
    };
    let mut results = search_all(py, &[root], evaluator, &settings, &[seed])?;
    Ok(results.remove(0))
}

/// Searches several decisions side by side, each with a seed of its own and without noise; each ends as
/// `search` would. A callable evaluator gets the leaves of all of them in one call.
#[pyfunction]
#[pyo3(signature = (roots, /, evaluator, *, seeds, worlds, simulations, c_puct, fpu_reduction, leaves_in_flight, virtual_loss, own_view))]
#[allow(clippy::too_many_arguments)] // Keyword arguments of a Python function.
pub(crate) fn search_many(
    py: Python<'_>,
    roots: Vec<Root<'_>>,
    evaluator: &Bound<'_, PyAny>,
    seeds: Vec<i64>,
    #[pyo3(from_py_with = int)] worlds: i64,
    #[pyo3(from_py_with = int)] simulations: i64,
    c_puct: f32,
    fpu_reduction: f32,
    #[pyo3(from_py_with = int)] leaves_in_flight: i64,
    #[pyo3(from_py_with = int)] virtual_loss: i64,
    own_view: bool,
) -> PyResult<Vec<SearchResult>> {
    if seeds.len() != roots.len() {
        return Err(config(format!("{} seeds for {} positions; each has one", seeds.len(), roots.len())));
    }
    let settings = Settings {
        worlds,
        simulations,
        c_puct,
        fpu_reduction,
        worlds_in_flight: None,
        leaves_in_flight,
        virtual_loss,
        own_view,
        noise_fraction: 0.0,
        noise_alpha: 1.0,
    };
    search_all(py, &roots, evaluator, &settings, &seeds)
}

fn search_all(
    py: Python<'_>,
    roots: &[Root<'_>],
    evaluator: &Bound<'_, PyAny>,
    settings: &Settings,
    seeds: &[i64],
) -> PyResult<Vec<SearchResult>> {
    let config_of_each = settings.read()?;
    let (mut searches, mut players, mut streams) = (Vec::new(), Vec::new(), Vec::new());
    for (root, &seed) in roots.iter().zip(seeds) {
        let (observation, seed) = (root.observe()?, number("seed", seed)?);
        searches.push(Search::new(&observation, config_of_each, stream(seed, Purpose::Search, &[])));
        players.push(observation.public().players());
        streams.push(seed);
    }
    run_all(py, &mut searches, evaluator, &streams)?;
    let results = searches.into_iter().zip(players).map(|(mut search, players)| {
        let mut outcome = search.outcome();
        if search.is_forced() {
            outcome.values = search.playout_values();
        }
        SearchResult { outcome, players }
    });
    Ok(results.collect())
}

fn run_all(py: Python<'_>, searches: &mut [Search], evaluator: &Bound<'_, PyAny>, seeds: &[u64]) -> PyResult<()> {
    let mut signals = SignalCheck::new(|_| Ok(true));
    let mut interrupt = Interrupt::new(|| signals.go_on());
    let name = evaluator.extract::<String>();
    match name.as_deref() {
        Ok("uniform") => py.detach(|| {
            let run = |search: &mut Search| search.run_while(&mut Uniform, &mut interrupt).map(drop);
            searches.iter_mut().try_for_each(run).map_err(evaluation)
        }),
        Ok("rollout") => py.detach(|| {
            searches.iter_mut().zip(seeds).try_for_each(|(search, &seed)| {
                let mut rollout = Rollout::new(|world| stream(seed, Purpose::Playout, &[world as u64]));
                search.run_while(&mut rollout, &mut interrupt).map(drop).map_err(evaluation)
            })
        }),
        Err(_) if evaluator.is_callable() => {
            let run = Search::run_all_in_batches(searches, &mut CallableEvaluator(evaluator), &mut interrupt);
            run.map(drop).map_err(|SearchFault(error)| error)
        }
        _ => Err(config(format!(
            "evaluator is {}; it is \"uniform\", \"rollout\" or a callable (features, legal) -> (policy, values)",
            evaluator.repr()?
        ))),
    }?;
    signals.raise()
}

/// Why a search with a Python evaluator failed.
pub(crate) struct SearchFault(PyErr);

impl From<EvaluationError> for SearchFault {
    fn from(error: EvaluationError) -> Self {
        Self(evaluation(error))
    }
}

/// A Python callable (features, legal) -> (policy, values).
pub(crate) struct CallableEvaluator<'a, 'py>(pub(crate) &'a Bound<'py, PyAny>);

impl CallableEvaluator<'_, '_> {
    pub(crate) fn call(
        &self,
        features: &[Features],
        legal: &[EncodedActionSet],
        policies: &mut [[f32; ACTIONS]],
        values: &mut [[f32; MAX_PLAYERS]],
    ) -> PyResult<()> {
        let py = self.0.py();
        let masks = legal.iter().flat_map(|&legal| (0..ACTIONS).map(move |k| legal.bits() >> k & 1 == 1)).collect();
        let result =
            self.0.call1((decode(features).into_pyarray(py), table::<bool>(masks, ACTIONS).into_pyarray(py)))?;
        let outputs = EvaluatorOutputs::new(&result, legal.len(), legal.len())?;
        let (policy, value) = outputs.slices()?;
        policies.as_flattened_mut().copy_from_slice(policy);
        values.as_flattened_mut().copy_from_slice(value);
        Ok(())
    }
}

impl EvaluateBatch for CallableEvaluator<'_, '_> {
    type Error = SearchFault;

    fn evaluate(
        &mut self,
        features: &[Features],
        legal: &[EncodedActionSet],
        policies: &mut [[f32; ACTIONS]],
        values: &mut [[f32; MAX_PLAYERS]],
    ) -> Result<(), SearchFault> {
        self.call(features, legal, policies, values).map_err(SearchFault)
    }
}
