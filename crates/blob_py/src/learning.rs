//! The learner's losses, their gradients and its judgement of decisions.

use blob_engine::{ACTIONS, MAX_PLAYERS};
use blob_mcts::{ActionValues, LOSSES, Outcomes, TRICKS, Taken, Targets};
use numpy::{IntoPyArray, PyArray1, PyReadonlyArrayDyn, PyUntypedArrayMethods};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::error::config;
use crate::records::table;

/// An array in one piece, of any number of dimensions.
type Array<'py, T> = PyReadonlyArrayDyn<'py, T>;

/// The predictions of a minibatch of B rows, the first D of them in detail, and what came of them; arrays in one piece.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct Minibatch<'py> {
    policy: Array<'py, f32>,
    predicted_values: Array<'py, f32>,
    make: Array<'py, f32>,
    missed: Array<'py, f32>,
    lean: Array<'py, f32>,
    predicted_tricks: Array<'py, f32>,
    legal: Array<'py, bool>,
    action: Array<'py, i64>,
    bid: Array<'py, i64>,
    tricks: Array<'py, i64>,
    values: Array<'py, f32>,
    players: Array<'py, u8>,
    log_probability: Array<'py, f32>,
    advantage: Array<'py, f32>,
    expected: Array<'py, f32>,
    entropy_weight: Array<'py, f32>,
    weight: Array<'py, f32>,
}

impl Minibatch<'_> {
    fn outcomes(&self) -> PyResult<Outcomes<'_>> {
        let (rows, detailed) = (self.rows()?, self.missed.as_slice()?.len() / TRICKS);
        if detailed > rows {
            return Err(config(format!("missed has {detailed} rows, more than the {rows} of the minibatch")));
        }
        Ok(Outcomes {
            policy: whole("policy", &self.policy, rows * ACTIONS)?,
            values: whole("predicted_values", &self.predicted_values, rows * MAX_PLAYERS)?,
            make: whole("make", &self.make, rows * ACTIONS)?,
            missed: whole("missed", &self.missed, detailed * TRICKS)?,
            lean: whole("lean", &self.lean, detailed * ACTIONS)?,
            tricks: whole("predicted_tricks", &self.predicted_tricks, detailed * MAX_PLAYERS * TRICKS)?,
        })
    }

    fn targets(&self) -> PyResult<Targets<'_>> {
        let rows = self.rows()?;
        let targets = Targets {
            legal: whole("legal", &self.legal, rows * ACTIONS)?,
            action: whole("action", &self.action, rows)?,
            bid: whole("bid", &self.bid, rows)?,
            tricks: whole("tricks", &self.tricks, rows * MAX_PLAYERS)?,
            values: whole("values", &self.values, rows * MAX_PLAYERS)?,
            players: whole("players", &self.players, rows)?,
            log_probability: whole("log_probability", &self.log_probability, rows)?,
            advantage: whole("advantage", &self.advantage, rows * ACTIONS)?,
            expected: whole("expected", &self.expected, rows)?,
            entropy_weight: whole("entropy_weight", &self.entropy_weight, rows)?,
            weight: whole("weight", &self.weight, rows)?,
        };
        below("action", targets.action, ACTIONS as i64)?;
        below("tricks", targets.tricks, TRICKS as i64)?;
        below("bid", targets.bid, TRICKS as i64)?;
        match targets.players.iter().find(|&&players| !(1..=MAX_PLAYERS).contains(&usize::from(players))) {
            Some(players) => Err(config(format!("players {players} in a minibatch; there are 1 to {MAX_PLAYERS}"))),
            None => Ok(targets),
        }
    }

    fn rows(&self) -> PyResult<usize> {
        Ok(self.action.as_slice()?.len())
    }
}

/// The losses of a minibatch: float64[8], in the order of `actor_losses.actor_losses`.
#[pyfunction]
pub(crate) fn outcome_losses<'py>(py: Python<'py>, minibatch: Minibatch<'py>) -> PyResult<Bound<'py, PyArray1<f64>>> {
    let (outcomes, targets) = (minibatch.outcomes()?, minibatch.targets()?);
    let losses = py.detach(|| blob_mcts::outcome_losses(&outcomes, &targets));
    Ok(PyArray1::from_slice(py, &losses))
}

/// The gradient of the losses' sum, each times its entry of `of_losses`, by policy, values, make, missed, lean and
/// tricks: float32, in one dimension each.
#[pyfunction]
pub(crate) fn outcome_gradients<'py>(
    py: Python<'py>,
    minibatch: Minibatch<'py>,
    of_losses: [f32; LOSSES],
) -> PyResult<[Bound<'py, PyArray1<f32>>; 6]> {
    let (outcomes, targets) = (minibatch.outcomes()?, minibatch.targets()?);
    let found = py.detach(|| blob_mcts::outcome_gradients(&outcomes, &targets, of_losses));
    let columns = [found.policy, found.values, found.make, found.missed, found.lean, found.tricks];
    Ok(columns.map(|column| PyArray1::from_vec(py, column)))
}

/// What the networks make of B decisions, before they learn from them. Policy and make are float32[B, 52] of logits,
/// legal bool[B, 52], action uint8[B] and made bool[B]; of the M legal actions decision int64[M], acted uint8[M], and
/// settled and value float32[M] (`RoundStore.after_each`, and the critic's values).
///
/// A dict of log_probability, value, taken_value and make_error float32[B], advantage float16[B, 52], and squares
/// float64[B], the sum of a row's squared advantages.
#[pyfunction]
#[pyo3(signature = (*, policy, make, legal, action, made, decision, acted, settled, value))]
#[allow(clippy::too_many_arguments)] // Columns.
pub(crate) fn judge_decisions<'py>(
    py: Python<'py>,
    policy: Array<'py, f32>,
    make: Array<'py, f32>,
    legal: Array<'py, bool>,
    action: Array<'py, u8>,
    made: Array<'py, bool>,
    decision: Array<'py, i64>,
    acted: Array<'py, u8>,
    settled: Array<'py, f32>,
    value: Array<'py, f32>,
) -> PyResult<Bound<'py, PyDict>> {
    let (rows, after) = (action.as_slice()?.len(), decision.as_slice()?.len());
    let taken = Taken {
        policy: whole("policy", &policy, rows * ACTIONS)?,
        make: whole("make", &make, rows * ACTIONS)?,
        legal: whole("legal", &legal, rows * ACTIONS)?,
        action: action.as_slice()?,
        made: whole("made", &made, rows)?,
    };
    let after = ActionValues {
        decision: decision.as_slice()?,
        action: whole("acted", &acted, after)?,
        settled: whole("settled", &settled, after)?,
        value: whole("value", &value, after)?,
    };
    below("decision", after.decision, rows as i64)?;
    below("action", taken.action, ACTIONS as i64)?;
    below("acted", after.action, ACTIONS as i64)?;
    let found = py.detach(|| blob_mcts::judge(&taken, &after));
    let dict = PyDict::new(py);
    dict.set_item("log_probability", PyArray1::from_vec(py, found.log_probability))?;
    dict.set_item("value", PyArray1::from_vec(py, found.value))?;
    dict.set_item("taken_value", PyArray1::from_vec(py, found.taken_value))?;
    dict.set_item("make_error", PyArray1::from_vec(py, found.make_error))?;
    dict.set_item("advantage", table(found.advantage, ACTIONS).into_pyarray(py))?;
    dict.set_item("squares", PyArray1::from_vec(py, found.squares))?;
    Ok(dict)
}

/// The entries of an array, row by row.
fn whole<'a, T: numpy::Element>(name: &str, array: &'a Array<'_, T>, entries: usize) -> PyResult<&'a [T]> {
    let found = array.as_slice()?;
    if !array.is_c_contiguous() {
        return Err(config(format!("{name} is not in the order of its rows")));
    }
    if found.len() == entries {
        return Ok(found);
    }
    Err(config(format!("{name} has {} numbers; {entries} fit the other columns", found.len())))
}

fn below<T: Copy + Into<i64>>(name: &str, numbers: &[T], limit: i64) -> PyResult<()> {
    match numbers.iter().map(|&number| number.into()).find(|number| !(0..limit).contains(number)) {
        Some(number) => Err(config(format!("{name} {number}; it is 0 to {}", limit - 1))),
        None => Ok(()),
    }
}
