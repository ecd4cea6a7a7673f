//! `Plan`: rounds to play, checked before they start.

use std::sync::Arc;

use blob_mcts::{RoundMix, RoundShape, Scheduler, SchedulerConfig, Seating, play_with_null_evaluator};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::agent_spec::AgentSpec;
use crate::carry_over;
use crate::error::{
    config, config_fault, count, hundredths, int, number, optional_int, rules as rules_error,
    scheduler as scheduler_error, size,
};
use crate::game::Game;
use crate::progress::Progress;
use crate::round::{RoundRules, rules_or_default};
use crate::session::Session;
use crate::signals::SignalCheck;

/// Rounds to play and how. It is checked when it is made, and can be started any number of times.
#[pyclass(frozen, module = "blob_zero._core")]
pub(crate) struct Plan {
    plan: blob_mcts::Plan,
    settings: SchedulerConfig,
}

#[pymethods]
impl Plan {
    #[new]
    #[pyo3(signature = (*, agents, rounds, seed, players = None, cards = None, shapes = None, result_share = None, first_round = 0, carry_over = 0, range_end = None, seating = "one", rules = None, threads = None, batch_rows = 1024, rounds_in_flight = None, evaluator_threads = 2, cache_entries = None, record = true))]
    #[allow(clippy::too_many_arguments)] // Keyword arguments of a Python constructor.
    fn new(
        agents: Vec<AgentSpec>,
        #[pyo3(from_py_with = int)] rounds: i64,
        #[pyo3(from_py_with = int)] seed: i64,
        #[pyo3(from_py_with = optional_int)] players: Option<i64>,
        #[pyo3(from_py_with = optional_int)] cards: Option<i64>,
        shapes: Option<Vec<(i64, i64, f64)>>,
        result_share: Option<f64>,
        #[pyo3(from_py_with = int)] first_round: i64,
        #[pyo3(from_py_with = int)] carry_over: i64,
        #[pyo3(from_py_with = optional_int)] range_end: Option<i64>,
        seating: &str,
        rules: Option<RoundRules>,
        #[pyo3(from_py_with = optional_int)] threads: Option<i64>,
        #[pyo3(from_py_with = int)] batch_rows: i64,
        #[pyo3(from_py_with = optional_int)] rounds_in_flight: Option<i64>,
        #[pyo3(from_py_with = int)] evaluator_threads: i64,
        #[pyo3(from_py_with = optional_int)] cache_entries: Option<i64>,
        record: bool,
    ) -> PyResult<Self> {
        let rules = rules_or_default(rules);
        let shapes = weighted_shapes(players, cards, shapes, rules)?;
        let plan = blob_mcts::Plan {
            mix: match result_share {
                None => RoundMix::weighted(shapes),
                Some(share) => RoundMix::whole_games(shapes, hundredths("result_share", share)?),
            },
            rules,
            seed: number("seed", seed)?,
            first_round: number("first_round", first_round)?,
            rounds: number("rounds", rounds)?,
            carry_over: number("carry_over", carry_over)?,
            range_end: range_end.map(|end| number("range_end", end)).transpose()?,
            agents: agents.into_iter().map(|agent| agent.0).collect(),
            seating: match seating {
                "one" => Seating::One,
                "rotate" => Seating::Rotate,
                "field" => Seating::Field,
                _ => return Err(config(format!("seating is {seating:?}; it is \"one\", \"rotate\" or \"field\""))),
            },
        };
        let settings = SchedulerConfig {
            threads: threads.map(|threads| count("threads", threads)).transpose()?,
            batch_rows: count("batch_rows", batch_rows)?,
            rounds_in_flight: rounds_in_flight.map(|rounds| count("rounds_in_flight", rounds)).transpose()?,
            evaluator_threads: count("evaluator_threads", evaluator_threads)?,
            cache_entries: cache_entries.map(|entries| count("cache_entries", entries)).transpose()?,
            record,
        };
        plan.check().map_err(scheduler_error)?;
        settings.check().map_err(config_fault)?;
        Ok(Self { plan, settings })
    }

    /// Worker threads.
    #[getter]
    fn worker_threads(&self) -> usize {
        self.settings.worker_threads()
    }

    /// Rounds in progress at once, until fewer are left.
    #[getter]
    fn rounds_in_flight(&self) -> usize {
        self.settings.rounds_in_flight_of(&self.plan)
    }

    /// Deals round `index`, counted from 0, as a game of one round, or as the whole game that the plan has there.
    fn deal(&self, #[pyo3(from_py_with = int)] index: i64) -> PyResult<Game> {
        self.plan.deal(self.index(index)?).map(Game).map_err(rules_error)
    }

    /// The agent of each seat in round `index`, counted from 0, as a number into `agents`.
    fn seats(&self, #[pyo3(from_py_with = int)] index: i64) -> PyResult<Vec<u8>> {
        let index = self.index(index)?;
        Ok(self.plan.seats(index).first(self.plan.shape(index).players).to_vec())
    }

    /// Plays with an evaluator in Rust that answers equal priors and values of 0: the cost of search, scheduler and
    /// queue.
    ///
    /// `keep_going` is called about 20 times a second; False ends the run.
    fn play_with_null_evaluator(&self, py: Python<'_>, keep_going: &Bound<'_, PyAny>) -> PyResult<Progress> {
        let keep_going = keep_going.clone().unbind();
        let mut signals = SignalCheck::new(|py| keep_going.bind(py).call0()?.is_truthy());
        let progress = py
            .detach(|| play_with_null_evaluator(self.plan.clone(), &self.settings, || signals.go_on()))
            .map_err(scheduler_error)?;
        signals.raise()?;
        Ok(Progress(progress))
    }

    /// Starts the worker threads. `carried` are rounds from `take_carry_over` of an earlier session, to be finished
    /// first.
    #[pyo3(signature = (carried = None))]
    fn start(&self, carried: Option<&Bound<'_, PyDict>>) -> PyResult<Session> {
        let carried = carried.map_or(Ok(Vec::new()), carry_over::from_columns)?;
        let scheduler = Scheduler::resume(self.plan.clone(), carried, &self.settings).map_err(scheduler_error)?;
        Ok(Session(Arc::new(scheduler)))
    }
}

impl Plan {
    /// The number of the plan's round `index`.
    fn index(&self, index: i64) -> PyResult<u64> {
        match u64::try_from(index) {
            Ok(index) if index < self.plan.rounds => Ok(self.plan.first_round + index),
            _ => Err(config(format!("round {index} of a plan of {}; they count from 0", self.plan.rounds))),
        }
    }
}

/// The shapes of a plan with their weights: `players` and `cards`, or `shapes` alone.
fn weighted_shapes(
    players: Option<i64>,
    cards: Option<i64>,
    shapes: Option<Vec<(i64, i64, f64)>>,
    rules: blob_engine::RoundRules,
) -> PyResult<Vec<(RoundShape, f64)>> {
    let shapes = match (players, cards, shapes) {
        (Some(players), Some(cards), None) => vec![(players, cards, 1.0)],
        (None, None, Some(shapes)) => shapes,
        (players, cards, shapes) => {
            let no = |given| if given { "" } else { "no " };
            let (players, cards, shapes) = (no(players.is_some()), no(cards.is_some()), no(shapes.is_some()));
            return Err(config(format!(
                "{players}players, {cards}cards and {shapes}shapes were given; give players and cards, or shapes alone"
            )));
        }
    };
    let checked = shapes.into_iter().map(|(players, cards, weight)| {
        let (players, cards) = size(players, cards, rules)?;
        Ok((RoundShape { players, cards }, weight))
    });
    checked.collect()
}
