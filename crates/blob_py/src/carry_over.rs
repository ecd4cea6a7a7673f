//! Rounds carried from one session to the next, as columns.

use blob_engine::{ACTIONS, Action, EncodedActionSet, FEATURES, MAX_PLAYERS, Seat};
use blob_mcts::{DecisionRecord, RoundSoFar};
use half::f16;
use numpy::ndarray::{Array1, ArrayView1, ArrayView2, Dimension, Ix1, Ix2};
use numpy::{Element, IntoPyArray, PyArray, PyArray1, PyArrayMethods, PyReadonlyArray};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::error::config;
use crate::records::table;

/// The columns of carried rounds, as `Session.take_carry_over` describes them.
pub(crate) fn to_columns<'py>(py: Python<'py>, rounds: &[RoundSoFar]) -> PyResult<Bound<'py, PyDict>> {
    // A game has at most 848 turns: 4 players from 13 cards.
    let count = |of: fn(&RoundSoFar) -> usize| rounds.iter().map(|round| of(round) as u16).collect::<Vec<_>>();
    let rows = || rounds.iter().flat_map(|round| &round.decisions);
    let actions = rounds.iter().flat_map(|round| &round.actions).map(|action| action.index() as u8);
    let legal = rows().flat_map(|row| (0..ACTIONS).map(|k| row.legal.bits() >> k & 1 == 1));
    let dict = PyDict::new(py);
    dict.set_item("round", PyArray1::from_iter(py, rounds.iter().map(|round| round.index)))?;
    dict.set_item("decisions", PyArray1::from_vec(py, count(|round| round.actions.len())))?;
    dict.set_item("recorded", PyArray1::from_vec(py, count(|round| round.decisions.len())))?;
    dict.set_item("action", Array1::from_iter(actions).into_pyarray(py))?;
    dict.set_item("features", table(rows().flat_map(|row| row.features).collect(), FEATURES).into_pyarray(py))?;
    dict.set_item("legal", table(legal.collect(), ACTIONS).into_pyarray(py))?;
    dict.set_item("policy", table(rows().flat_map(|row| row.policy).collect(), ACTIONS).into_pyarray(py))?;
    dict.set_item(
        "root_values",
        table(rows().flat_map(|row| row.root_values).collect(), MAX_PLAYERS).into_pyarray(py),
    )?;
    dict.set_item("seat", Array1::from_iter(rows().map(|row| row.seat.index() as u8)).into_pyarray(py))?;
    dict.set_item("game_round", Array1::from_iter(rows().map(|row| row.game_round)).into_pyarray(py))?;
    Ok(dict)
}

/// Reads what [`to_columns`] wrote.
pub(crate) fn from_columns(dict: &Bound<'_, PyDict>) -> PyResult<Vec<RoundSoFar>> {
    let (round, decisions, recorded) = (
        column::<u64, Ix1>(dict, "round", "uint64[C]")?,
        column::<u16, Ix1>(dict, "decisions", "uint16[C]")?,
        column::<u16, Ix1>(dict, "recorded", "uint16[C]")?,
    );
    let action = column::<u8, Ix1>(dict, "action", "uint8[A]")?;
    let features = column::<u8, Ix2>(dict, "features", "uint8[N, 256]")?;
    let legal = column::<bool, Ix2>(dict, "legal", "bool[N, 52]")?;
    let policy = column::<f16, Ix2>(dict, "policy", "float16[N, 52]")?;
    let root_values = column::<f32, Ix2>(dict, "root_values", "float32[N, 8]")?;
    let seat = column::<u8, Ix1>(dict, "seat", "uint8[N]")?;
    let game_round = column::<u8, Ix1>(dict, "game_round", "uint8[N]")?;

    let (round, decisions, recorded, action, seats) =
        (round.as_array(), decisions.as_array(), recorded.as_array(), action.as_array(), seat.as_array());
    let game_rounds = game_round.as_array();
    let sum = |counts: &ArrayView1<'_, u16>| counts.iter().map(|&count| usize::from(count)).sum();
    let (rounds, actions, rows): (_, usize, usize) = (round.len(), sum(&decisions), sum(&recorded));
    length("decisions", decisions.len(), "rounds", rounds)?;
    length("recorded", recorded.len(), "rounds", rounds)?;
    length("action", action.len(), "decisions", actions)?;
    length("seat", seats.len(), "recorded decisions", rows)?;
    length("game_round", game_rounds.len(), "recorded decisions", rows)?;
    let features = rows_of(features.as_array(), "features", rows, FEATURES)?;
    let legal = rows_of(legal.as_array(), "legal", rows, ACTIONS)?;
    let policy = rows_of(policy.as_array(), "policy", rows, ACTIONS)?;
    let root_values = rows_of(root_values.as_array(), "root_values", rows, MAX_PLAYERS)?;

    let mut actions = action.iter().map(|&number| {
        Action::from_index(number.into())
            .ok_or_else(|| config(format!("carried action {number}; it is below {ACTIONS}")))
    });
    let mut row = 0..rows;
    let mut record = || {
        let k = row.next().expect("the sums of the counts were checked");
        let seat = Seat::new(seats[k].into(), MAX_PLAYERS);
        Ok(DecisionRecord {
            features: std::array::from_fn(|j| features[[k, j]]),
            legal: EncodedActionSet::from_bits((0..ACTIONS).map(|j| u64::from(legal[[k, j]]) << j).sum())
                .unwrap_or_default(),
            policy: std::array::from_fn(|j| policy[[k, j]]),
            root_values: std::array::from_fn(|j| root_values[[k, j]]),
            seat: seat.ok_or_else(|| config(format!("carried seat {}; seats are below {MAX_PLAYERS}", seats[k])))?,
            game_round: game_rounds[k],
        })
    };
    (0..rounds)
        .map(|k| {
            Ok(RoundSoFar {
                index: round[k],
                actions: actions.by_ref().take(decisions[k].into()).collect::<PyResult<_>>()?,
                decisions: (0..recorded[k]).map(|_| record()).collect::<PyResult<_>>()?,
            })
        })
        .collect()
}

/// One column, of the type and dimensions in `form`.
fn column<'py, T: Element, D: Dimension>(
    dict: &Bound<'py, PyDict>,
    name: &str,
    form: &str,
) -> PyResult<PyReadonlyArray<'py, T, D>> {
    let Some(value) = dict.get_item(name)? else {
        return Err(config(format!("the carried rounds lack {name}: {form}")));
    };
    match value.cast::<PyArray<T, D>>() {
        Ok(array) => Ok(array.readonly()),
        Err(_) => Err(config(format!("carried {name} is {}; should be an array {form}", value.repr()?))),
    }
}

fn length(name: &str, entries: usize, of: &str, expected: usize) -> PyResult<()> {
    if entries == expected {
        return Ok(());
    }
    Err(config(format!("carried {name} has {entries} entries for {expected} {of}; it has one for each")))
}

fn rows_of<'a, T>(array: ArrayView2<'a, T>, name: &str, rows: usize, width: usize) -> PyResult<ArrayView2<'a, T>> {
    if array.dim() == (rows, width) {
        return Ok(array);
    }
    let (have, wide) = array.dim();
    Err(config(format!(
        "carried {name} has shape ({have}, {wide}); for {rows} recorded decisions it is ({rows}, {width})"
    )))
}
