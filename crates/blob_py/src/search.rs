//! `search`: one search, on the calling thread.

use blob_engine::rng::{Purpose, stream};
use blob_engine::{ACTIONS, FEATURES, MAX_PLAYERS, encode};
use blob_mcts::{Evaluate, Evaluation, Leaf, Outcome, Rollout, RootNoise, Search, SearchConfig, Uniform};
use numpy::ndarray::Array2;
use numpy::{IntoPyArray, PyArray1};
use pyo3::prelude::*;

use crate::error::{config, config_fault, count, evaluation, int, number};
use crate::evaluator::{EvaluatorOutputs, decode};
use crate::observation::Observation;
use crate::round::Round;

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

    /// Visits of each action at the root, summed over worlds: uint32[52]; all 0 if one action was legal and nothing was searched.
    #[getter]
    fn visits<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<u32>> {
        PyArray1::from_slice(py, &self.outcome.visits)
    }

    /// Mean value in [-1, 1] to each seat, absolute: float32[players].
    #[getter]
    fn values<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<f32>> {
        PyArray1::from_slice(py, self.outcome.values.first(self.players))
    }

    /// Evaluations that were asked for.
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

/// Settings of a search as Python gives them.
#[derive(Clone, Copy)]
pub(crate) struct Settings {
    pub(crate) worlds: i64,
    pub(crate) simulations: i64,
    pub(crate) c_puct: f32,
    pub(crate) fpu_reduction: f32,
    pub(crate) worlds_in_flight: Option<i64>,
    pub(crate) leaves_in_flight: i64,
    pub(crate) virtual_loss: i64,
    pub(crate) noise_fraction: f32,
    pub(crate) noise_alpha: f32,
}

impl Settings {
    pub(crate) fn read(self) -> PyResult<SearchConfig> {
        let noise = RootNoise { fraction: self.noise_fraction, alpha: self.noise_alpha };
        let settings = SearchConfig {
            worlds: count("worlds", self.worlds)?,
            simulations: count("simulations", self.simulations)?,
            c_puct: self.c_puct,
            fpu_reduction: self.fpu_reduction,
            worlds_in_flight: self.worlds_in_flight.map(|worlds| count("worlds_in_flight", worlds)).transpose()?,
            leaves_in_flight: count("leaves_in_flight", self.leaves_in_flight)?,
            virtual_loss: u32::try_from(count("virtual_loss", self.virtual_loss)?).unwrap_or(u32::MAX),
            // Checked even where it is not used, so that a wrong setting is never silent.
            root_noise: Some(noise),
        };
        settings.check().map_err(config_fault)?;
        Ok(SearchConfig { root_noise: (noise.fraction > 0.0).then_some(noise), ..settings })
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
    let name = evaluator.extract::<String>();
    let mut outcome = match name.as_deref() {
        Ok("uniform") => run_inline(py, &mut search, &mut Uniform)?,
        Ok("rollout") => run_inline(py, &mut search, &mut Rollout { rng: &mut stream(seed, Purpose::Playout, &[]) })?,
        Err(_) if evaluator.is_callable() => run(&mut search, evaluator)?,
        _ => {
            return Err(config(format!(
                "evaluator is {}; it is \"uniform\", \"rollout\" or a callable (features, legal) -> (policy, values)",
                evaluator.repr()?
            )));
        }
    };
    if search.is_forced() {
        outcome.values = search.playout_values();
    }
    Ok(SearchResult { outcome, players: observation.public().players() })
}

/// Evaluations between two looks whether Python has a signal to handle: some milliseconds.
const SIGNAL_EVALUATIONS: u64 = 20_000;

/// Runs a search with an evaluator in Rust, without the GIL.
fn run_inline(py: Python<'_>, search: &mut Search, evaluator: &mut (impl Evaluate + Send)) -> PyResult<Outcome> {
    while !py.detach(|| search.run_for(evaluator, SIGNAL_EVALUATIONS)).map_err(evaluation)? {
        py.check_signals()?;
    }
    Ok(search.outcome())
}

/// Runs a search with a Python evaluator, all leaves that are out in one call.
fn run(search: &mut Search, evaluator: &Bound<'_, PyAny>) -> PyResult<Outcome> {
    let py = evaluator.py();
    let mut leaves: Vec<Leaf> = Vec::new();
    loop {
        leaves.clear();
        search.select(&mut leaves);
        if leaves.is_empty() {
            return Ok(search.outcome());
        }
        let mut bytes = vec![[0; FEATURES]; leaves.len()];
        let mut legal = Array2::from_elem((leaves.len(), ACTIONS), false);
        for ((&leaf, bytes), mut mask) in leaves.iter().zip(&mut bytes).zip(legal.rows_mut()) {
            let observation = search.observe(leaf);
            encode(&observation, bytes);
            let names = observation.public().relative_ranks().actions(observation.legal_actions());
            names.iter().for_each(|action| mask[action.index()] = true);
        }
        let result = evaluator.call1((decode(&bytes).into_pyarray(py), legal.into_pyarray(py)))?;
        let outputs = EvaluatorOutputs::new(&result, leaves.len(), leaves.len())?;
        let (policy, values) = outputs.slices()?;
        let rows = policy.as_chunks::<ACTIONS>().0.iter().zip(values.as_chunks::<MAX_PLAYERS>().0);
        for (&leaf, (policy, values)) in leaves.iter().zip(rows) {
            search.receive(leaf, &Evaluation { policy, values }).map_err(evaluation)?;
        }
    }
}
