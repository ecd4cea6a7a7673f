//! `Session`: many rounds at once, evaluated in batches by Python.

use std::sync::Arc;
use std::time::Duration;

use blob_engine::{ACTIONS, FEATURES, MAX_PLAYERS};
use blob_mcts::{
    Agent, BatchBuffer, FilledBatch, LeafEvaluator, NextBatch, RoundMix, RoundShape, Scheduler, SchedulerConfig,
    Seating, Temperature, play_with_null_evaluator,
};
use half::f16;
use numpy::ndarray::{Array2, ArrayView2};
use numpy::{Element, IntoPyArray, PyArray1, PyArray2, PyArrayMethods};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::carry_over;
use crate::error::{config, config_fault, count, hundredths, int, number, optional_int, play as play_error, size};
use crate::evaluator::{EvaluatorOutputs, decode};
use crate::round::{RoundRules, rules_or_default};
use crate::search::Settings;

/// How often a wait looks whether Python has a signal to handle.
const SIGNAL_INTERVAL: Duration = Duration::from_millis(50);

/// A way to choose actions: `random()`, `rule()`, or `search(...)`.
#[pyclass(frozen, eq, from_py_object, module = "blob_zero._core")]
#[derive(Clone, PartialEq)]
pub(crate) struct AgentSpec(Agent);

#[pymethods]
impl AgentSpec {
    /// Uniformly over the legal actions.
    #[staticmethod]
    fn random() -> Self {
        Self(Agent::Random)
    }

    /// The rule bot.
    #[staticmethod]
    fn rule() -> Self {
        Self(Agent::Rule)
    }

    /// The visits of a search; `evaluator` is "uniform", "rollout", or the number of the model that batches ask.
    #[staticmethod]
    #[pyo3(signature = (*, evaluator, worlds, simulations, c_puct, fpu_reduction, worlds_in_flight, leaves_in_flight, virtual_loss, noise_fraction, noise_alpha, temperature, final_temperature, temperature_decisions))]
    #[allow(clippy::too_many_arguments)] // Keyword arguments of a Python function.
    fn search(
        evaluator: &Bound<'_, PyAny>,
        #[pyo3(from_py_with = int)] worlds: i64,
        #[pyo3(from_py_with = int)] simulations: i64,
        c_puct: f32,
        fpu_reduction: f32,
        #[pyo3(from_py_with = optional_int)] worlds_in_flight: Option<i64>,
        #[pyo3(from_py_with = int)] leaves_in_flight: i64,
        #[pyo3(from_py_with = int)] virtual_loss: i64,
        noise_fraction: f32,
        noise_alpha: f32,
        temperature: f32,
        final_temperature: f32,
        #[pyo3(from_py_with = int)] temperature_decisions: i64,
    ) -> PyResult<Self> {
        let settings = Settings {
            worlds,
            simulations,
            c_puct,
            fpu_reduction,
            worlds_in_flight,
            leaves_in_flight,
            virtual_loss,
            noise_fraction,
            noise_alpha,
        };
        let leaf_evaluator = match (evaluator.extract::<String>().as_deref(), evaluator.extract::<usize>()) {
            (Ok("uniform"), _) => LeafEvaluator::Uniform,
            (Ok("rollout"), _) => LeafEvaluator::Rollout,
            (_, Ok(model)) if model < 64 => LeafEvaluator::Model(model),
            _ => {
                return Err(config(format!(
                    "evaluator is {}; it is \"uniform\", \"rollout\" or the number of a model below 64",
                    evaluator.repr()?
                )));
            }
        };
        let decisions = count("temperature_decisions", temperature_decisions)?;
        let temperature = Temperature {
            first: temperature,
            then: final_temperature,
            decisions: u32::try_from(decisions).unwrap_or(u32::MAX),
        };
        temperature.check().map_err(config_fault)?;
        Ok(Self(Agent::Search { config: settings.read()?, evaluator: leaf_evaluator, temperature }))
    }

    fn __repr__(&self) -> String {
        format!("AgentSpec({:?})", self.0)
    }
}

/// How far a session is.
#[pyclass(frozen, module = "blob_zero._core")]
pub(crate) struct Progress(blob_mcts::Progress);

#[pymethods]
impl Progress {
    /// Rounds finished.
    #[getter]
    fn rounds_done(&self) -> u64 {
        self.0.rounds_done
    }

    /// Rounds begun.
    #[getter]
    fn rounds_begun(&self) -> u64 {
        self.0.rounds_begun
    }

    /// Rounds to finish; those that pause for a later session count until then.
    #[getter]
    fn rounds(&self) -> u64 {
        self.0.rounds
    }

    /// Decisions taken, by any agent.
    #[getter]
    fn decisions(&self) -> u64 {
        self.0.decisions
    }

    /// Simulations of finished searches.
    #[getter]
    fn simulations(&self) -> u64 {
        self.0.simulations
    }

    /// Evaluations that finished searches asked for.
    #[getter]
    fn evaluations(&self) -> u64 {
        self.0.evaluations
    }

    /// Leaves of finished searches that shared the evaluation of an equal row of their round.
    #[getter]
    fn repeats(&self) -> u64 {
        self.0.repeats
    }

    /// Batches handed to evaluators.
    #[getter]
    fn batches(&self) -> u64 {
        self.0.batches
    }

    /// Filled rows of these batches.
    #[getter]
    fn rows(&self) -> u64 {
        self.0.rows
    }

    fn __repr__(&self) -> String {
        format!("{:?}", self.0)
    }
}

/// Rounds to play and how: checked when it is made, started any number of times.
#[pyclass(frozen, module = "blob_zero._core")]
pub(crate) struct Plan {
    plan: blob_mcts::Plan,
    settings: SchedulerConfig,
}

#[pymethods]
impl Plan {
    #[new]
    #[pyo3(signature = (*, agents, rounds, seed, players = None, cards = None, shapes = None, result_share = None, first_round = 0, carry_over = 0, rotate = false, rules = None, threads = None, batch_rows = 1024, rounds_in_flight = None, evaluator_threads = 2, cache_entries = None, record = true))]
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
        rotate: bool,
        rules: Option<RoundRules>,
        #[pyo3(from_py_with = optional_int)] threads: Option<i64>,
        #[pyo3(from_py_with = int)] batch_rows: i64,
        #[pyo3(from_py_with = optional_int)] rounds_in_flight: Option<i64>,
        #[pyo3(from_py_with = int)] evaluator_threads: i64,
        #[pyo3(from_py_with = optional_int)] cache_entries: Option<i64>,
        record: bool,
    ) -> PyResult<Self> {
        let rules = rules_or_default(rules);
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
        let shapes = shapes.into_iter().map(|(players, cards, weight)| {
            let (players, cards) = size(players, cards, rules)?;
            Ok((RoundShape { players, cards }, weight))
        });
        let shapes = shapes.collect::<PyResult<Vec<_>>>()?;
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
            agents: agents.into_iter().map(|agent| agent.0).collect(),
            seating: if rotate { Seating::Rotate } else { Seating::One },
        };
        let settings = SchedulerConfig {
            threads: threads.map(|threads| count("threads", threads)).transpose()?,
            batch_rows: count("batch_rows", batch_rows)?,
            rounds_in_flight: rounds_in_flight.map(|rounds| count("rounds_in_flight", rounds)).transpose()?,
            evaluator_threads: count("evaluator_threads", evaluator_threads)?,
            cache_entries: cache_entries.map(|entries| count("cache_entries", entries)).transpose()?,
            record,
        };
        plan.check().map_err(play_error)?;
        settings.check().map_err(config_fault)?;
        Ok(Self { plan, settings })
    }

    /// Worker threads that it plays on.
    #[getter]
    fn worker_threads(&self) -> usize {
        self.settings.worker_threads()
    }

    /// Rounds in progress at once, while there are so many.
    #[getter]
    fn rounds_in_flight(&self) -> usize {
        self.settings.rounds_in_flight_of(&self.plan)
    }

    /// Plays with an evaluator in Rust that answers equal priors and values of 0, until the end or until `keep_going`, asked
    /// about 20 times a second, gives False: what search, scheduler and queue cost by themselves.
    fn play_with_null_evaluator(&self, py: Python<'_>, keep_going: &Bound<'_, PyAny>) -> PyResult<Progress> {
        let keep_going = keep_going.clone().unbind();
        let mut raised = None;
        let progress = py
            .detach(|| {
                play_with_null_evaluator(self.plan.clone(), &self.settings, || {
                    Python::attach(|py| {
                        let answer = py.check_signals().and_then(|()| keep_going.bind(py).call0()?.is_truthy());
                        answer.unwrap_or_else(|error| {
                            raised = Some(error);
                            false
                        })
                    })
                })
            })
            .map_err(play_error)?;
        raised.map_or(Ok(Progress(progress)), Err)
    }

    /// Starts the worker threads, on the rounds that `take_carry_over` of an earlier session gave, if any, and then on its own.
    #[pyo3(signature = (carried = None))]
    fn start(&self, carried: Option<&Bound<'_, PyDict>>) -> PyResult<Session> {
        let carried = carried.map_or(Ok(Vec::new()), carry_over::from_columns)?;
        let play = Scheduler::resume(self.plan.clone(), carried, &self.settings).map_err(play_error)?;
        Ok(Session(Arc::new(play)))
    }
}

/// Rounds being played on worker threads; whoever evaluates calls `next_batch` until it gives None.
#[pyclass(frozen, module = "blob_zero._core")]
pub(crate) struct Session(Arc<Scheduler>);

#[pymethods]
impl Session {
    /// Rows of every batch.
    #[getter]
    fn batch_rows(&self) -> usize {
        self.0.batch_rows()
    }

    /// Waits for a batch to evaluate, without the GIL; None when every round is finished or the session is closed.
    ///
    /// While it waits it calls `while_waiting`, if given, about 20 times a second.
    #[pyo3(signature = (while_waiting = None))]
    fn next_batch(&self, py: Python<'_>, while_waiting: Option<&Bound<'_, PyAny>>) -> PyResult<Option<Batch>> {
        loop {
            let next = py.detach(|| self.0.next_batch(SIGNAL_INTERVAL)).map_err(play_error)?;
            match next {
                NextBatch::Batch(batch) => return Ok(Some(Batch { play: Arc::clone(&self.0), filled: Some(batch) })),
                NextBatch::Finished => return Ok(None),
                NextBatch::TimedOut => {
                    py.check_signals()?;
                    if let Some(callback) = while_waiting {
                        callback.call0()?;
                    }
                }
            }
        }
    }

    /// How far the session is.
    fn progress(&self) -> Progress {
        Progress(self.0.progress())
    }

    /// Stops the workers and waits until they have stopped. Batches that are out are lost.
    fn close(&self, py: Python<'_>) {
        py.detach(|| self.0.close());
    }

    /// Takes the rounds finished so far, in the order of their numbers, as a dict of arrays.
    ///
    /// Of each recorded decision, [N, ...] sorted by round, then decision: features uint8[N, 256], legal bool[N, 52],
    /// policy float16[N, 52], values and root_values float32[N, 8], round uint64[N], seat uint8[N]. Of each round:
    /// number uint64[R], that of its game where whole games are played, game_round uint8[R] in it, players and cards uint8[R], and points, bids and tricks int16[R, P] with P the players, or with
    /// several shapes 8, where seats that are not in play have 0.
    fn take_records<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let seats = self.0.plan().mix.only().map_or(MAX_PLAYERS, |shape| shape.players);
        let records = py.detach(|| Table::new(&self.0.take_records(), seats));
        let dict = PyDict::new(py);
        dict.set_item("features", records.features.into_pyarray(py))?;
        dict.set_item("legal", records.legal.into_pyarray(py))?;
        dict.set_item("policy", records.policy.into_pyarray(py))?;
        dict.set_item("values", records.values.into_pyarray(py))?;
        dict.set_item("root_values", records.root_values.into_pyarray(py))?;
        dict.set_item("round", PyArray1::from_vec(py, records.round))?;
        dict.set_item("seat", PyArray1::from_vec(py, records.seat))?;
        dict.set_item("players", PyArray1::from_vec(py, records.players))?;
        dict.set_item("cards", PyArray1::from_vec(py, records.cards))?;
        dict.set_item("number", PyArray1::from_vec(py, records.number))?;
        dict.set_item("game_round", PyArray1::from_vec(py, records.game_round))?;
        dict.set_item("points", records.points.into_pyarray(py))?;
        dict.set_item("bids", records.bids.into_pyarray(py))?;
        dict.set_item("tricks", records.tricks.into_pyarray(py))?;
        Ok(dict)
    }

    /// Takes the rounds that paused for a later session, in the order of their numbers, as a dict of arrays.
    ///
    /// Of each round: number round uint64[C], decisions taken uint16[C], recorded ones uint16[C]. Of each decision taken:
    /// action uint8[A]. Of each recorded one: features, legal, policy, root_values and seat as in `take_records`, and
    /// game_round uint8[N].
    fn take_carry_over<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        carry_over::to_columns(py, &self.0.take_paused())
    }
}

/// Records as columns.
struct Table {
    features: Array2<u8>,
    legal: Array2<bool>,
    policy: Array2<f16>,
    values: Array2<f32>,
    root_values: Array2<f32>,
    round: Vec<u64>,
    seat: Vec<u8>,
    number: Vec<u64>,
    game_round: Vec<u8>,
    players: Vec<u8>,
    cards: Vec<u8>,
    points: Array2<i16>,
    bids: Array2<i16>,
    tricks: Array2<i16>,
}

impl Table {
    fn new(records: &[blob_mcts::RoundRecord], width: usize) -> Self {
        let decisions = || records.iter().flat_map(|record| record.decisions.iter().map(move |row| (record, row)));
        let seats = |of: fn(&blob_mcts::RoundRecord) -> &[u8; MAX_PLAYERS]| {
            let rows = records.iter().flat_map(|record| of(record)[..width].iter().map(|&value| value.into()));
            columns(rows.collect(), width)
        };
        Self {
            features: columns(decisions().flat_map(|(_, row)| row.features).collect(), FEATURES),
            legal: columns(
                decisions().flat_map(|(_, row)| (0..ACTIONS).map(|k| row.legal.bits() >> k & 1 == 1)).collect(),
                ACTIONS,
            ),
            policy: columns(decisions().flat_map(|(_, row)| row.policy).collect(), ACTIONS),
            values: columns(
                decisions().flat_map(|(record, row)| record.relative_values(row.seat)).collect(),
                MAX_PLAYERS,
            ),
            root_values: columns(decisions().flat_map(|(_, row)| row.root_values).collect(), MAX_PLAYERS),
            round: decisions().map(|(record, _)| record.index).collect(),
            seat: decisions().map(|(_, row)| row.seat.index() as u8).collect(),
            players: records.iter().map(|record| record.players as u8).collect(),
            cards: records.iter().map(|record| record.cards as u8).collect(),
            number: records.iter().map(|record| record.index).collect(),
            game_round: records.iter().map(|record| record.game_round).collect(),
            points: seats(|record| &record.points.0),
            bids: seats(|record| &record.bids.0),
            tricks: seats(|record| &record.tricks.0),
        }
    }
}

fn columns<T>(flat: Vec<T>, width: usize) -> Array2<T> {
    Array2::from_shape_vec((flat.len() / width, width), flat).expect("rows of one width")
}

/// A batch of rows to evaluate. Its arrays are views of the core's memory; do not write to them.
#[pyclass(module = "blob_zero._core")]
pub(crate) struct Batch {
    play: Arc<Scheduler>,
    /// `None` once completed.
    filled: Option<FilledBatch>,
}

/// Keeps the memory of a view alive: a buffer that is held is not written again.
#[pyclass(frozen)]
struct BufferHolder {
    _buffer: Arc<BatchBuffer>,
}

impl Batch {
    fn filled(&self) -> PyResult<&FilledBatch> {
        self.filled.as_ref().ok_or_else(|| config("the batch is completed; a batch is used until complete()".into()))
    }

    /// A read-only array over the buffer's own memory.
    fn view<'py, T: Element>(&self, py: Python<'py>, cells: &[T], width: usize) -> PyResult<Bound<'py, PyArray2<T>>> {
        let view = ArrayView2::from_shape((cells.len() / width, width), cells).expect("rows of one width");
        let holder = BufferHolder { _buffer: Arc::clone(self.filled()?.buffer()) };
        let holder = Bound::new(py, holder)?.into_any();
        // SAFETY: the memory belongs to the buffer that the holder keeps alive and in place, and a buffer that is held is
        // not filled again, so what the array shows never changes.
        let array = unsafe { PyArray2::borrow_from_array(&view, holder) };
        array.readwrite().make_nonwriteable();
        Ok(array)
    }
}

/// Features and legal masks of the filled rows.
type Decoded<'py> = (Bound<'py, PyArray2<f32>>, Bound<'py, PyArray2<bool>>);

impl Drop for Batch {
    /// A batch that nobody completes would be waited for for ever.
    fn drop(&mut self) {
        if let Some(filled) = self.filled.take() {
            self.play.abandon(filled);
        }
    }
}

#[pymethods]
impl Batch {
    /// Filled rows: the first ones of the buffer.
    #[getter]
    fn rows(&self) -> PyResult<usize> {
        Ok(self.filled()?.rows())
    }

    /// Which model is asked.
    #[getter]
    fn model(&self) -> PyResult<usize> {
        Ok(self.filled()?.model())
    }

    /// Encoded observations, uint8[batch_rows, 256], times `feature_scale()`; rows past the filled ones are stale.
    #[getter]
    fn features<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray2<u8>>> {
        let filled = self.filled()?;
        self.view(py, filled.inputs().0, FEATURES)
    }

    /// Legal actions, bool[batch_rows, 52].
    #[getter]
    fn legal<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray2<bool>>> {
        let legal = self.filled()?.inputs().1;
        // SAFETY: legal masks are written as bytes of 0 and 1 alone, and a bool is such a byte.
        let legal = unsafe { std::slice::from_raw_parts(legal.as_ptr().cast::<bool>(), legal.len()) };
        self.view(py, legal, ACTIONS)
    }

    /// The filled rows as an evaluator takes them: features float32[rows, 256] and legal bool[rows, 52], copied.
    fn decode<'py>(&self, py: Python<'py>) -> PyResult<Decoded<'py>> {
        let filled = self.filled()?;
        let rows = filled.rows();
        let (features, legal) = py.detach(|| {
            let (features, legal) = filled.inputs();
            let legal = legal[..rows * ACTIONS].iter().map(|&flag| flag != 0).collect();
            (decode(&features.as_chunks().0[..rows]), columns(legal, ACTIONS))
        });
        Ok((features.into_pyarray(py), legal.into_pyarray(py)))
    }

    /// Hands in what an evaluator returned: a tuple of policy float32[B, 52] and values float32[B, 8], with B the filled
    /// rows or all rows of the buffer.
    fn complete(&mut self, py: Python<'_>, outputs: &Bound<'_, PyAny>) -> PyResult<()> {
        let rows = self.filled()?.rows();
        let outputs = EvaluatorOutputs::new(outputs, rows, self.play.batch_rows())?;
        let (policy, values) = outputs.slices()?;
        if let Some(filled) = self.filled.take() {
            let play = &self.play;
            py.detach(|| play.complete(filled, policy, values));
        }
        Ok(())
    }
}
