//! `search`: one search, on the calling thread.

use blob_engine::rng::{Purpose, stream};
use blob_engine::{ACTIONS, EncodedActionSet, Features, MAX_PLAYERS};
use blob_mcts::{EvaluateBatch, EvaluationError, Interrupt, Outcome, Rollout, Search, Uniform};
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
    fn observe(&self) -> PyResult<blob_engine::Observation> {
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
#[pyo3(signature = (root, /, evaluator, *, worlds = 3, simulations = 30, seed = 0, c_puct = 1.5, fpu_reduction = 0.25, leaves_in_flight = 1, virtual_loss = 1, noise_fraction = 0.0, noise_alpha = 1.0))]
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
        noise_fraction,
        noise_alpha,
    };
    let observation = root.observe()?;
    let seed = number("seed", seed)?;
    let mut search = Search::new(&observation, settings.read()?, stream(seed, Purpose::Search, &[]));
    let mut signals = SignalCheck::new(|_| Ok(true));
    let mut interrupt = Interrupt::new(|| signals.go_on());
    let name = evaluator.extract::<String>();
    let run = match name.as_deref() {
        Ok("uniform") => py.detach(|| search.run_while(&mut Uniform, &mut interrupt)).map_err(evaluation),
        Ok("rollout") => {
            let mut rollout = Rollout::new(|world| stream(seed, Purpose::Playout, &[world as u64]));
            py.detach(|| search.run_while(&mut rollout, &mut interrupt)).map_err(evaluation)
        }
        Err(_) if evaluator.is_callable() => {
            let run = search.run_in_batches(&mut CallableEvaluator(evaluator), &mut interrupt);
            run.map_err(|SearchFault(error)| error)
        }
        _ => {
            return Err(config(format!(
                "evaluator is {}; it is \"uniform\", \"rollout\" or a callable (features, legal) -> (policy, values)",
                evaluator.repr()?
            )));
        }
    };
    run?;
    signals.raise()?;
    let mut outcome = search.outcome();
    if search.is_forced() {
        outcome.values = search.playout_values();
    }
    Ok(SearchResult { outcome, players: observation.public().players() })
}

/// Why a search with a Python evaluator failed.
struct SearchFault(PyErr);

impl From<EvaluationError> for SearchFault {
    fn from(error: EvaluationError) -> Self {
        Self(evaluation(error))
    }
}

/// A Python callable (features, legal) -> (policy, values).
struct CallableEvaluator<'a, 'py>(&'a Bound<'py, PyAny>);

impl CallableEvaluator<'_, '_> {
    fn call(
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
