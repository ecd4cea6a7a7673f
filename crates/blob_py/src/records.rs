//! Finished rounds as columns.

use blob_engine::{ACTIONS, FEATURES, MAX_PLAYERS, SUITS, Suit};
use blob_mcts::{PlayedRound, RoundColumns, RoundRecord};
use half::f16;
use numpy::ndarray::Array2;
use numpy::{IntoPyArray, PyArray1};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::rounds;

/// The columns that `Session.take_records` describes; `seats` is the width of those by seat.
pub(crate) fn to_columns<'py>(
    py: Python<'py>,
    records: impl FnOnce() -> Vec<RoundRecord> + Send,
    seats: usize,
) -> PyResult<Bound<'py, PyDict>> {
    let (columns, rounds) = py.detach(|| {
        let records = records();
        let columns = Columns::new(&records, seats);
        let played: Vec<PlayedRound> = records.into_iter().map(RoundRecord::into_played).collect();
        (columns, RoundColumns::of(&played))
    });
    let dict = PyDict::new(py);
    dict.set_item("features", columns.features.into_pyarray(py))?;
    dict.set_item("legal", columns.legal.into_pyarray(py))?;
    dict.set_item("policy", columns.policy.into_pyarray(py))?;
    dict.set_item("values", columns.values.into_pyarray(py))?;
    dict.set_item("root_values", columns.root_values.into_pyarray(py))?;
    dict.set_item("round", PyArray1::from_vec(py, columns.round))?;
    dict.set_item("seat", PyArray1::from_vec(py, columns.seat))?;
    dict.set_item("players", PyArray1::from_vec(py, columns.players))?;
    dict.set_item("cards", PyArray1::from_vec(py, columns.cards))?;
    dict.set_item("trump", PyArray1::from_vec(py, columns.trump))?;
    dict.set_item("number", PyArray1::from_vec(py, columns.number))?;
    dict.set_item("game_round", PyArray1::from_vec(py, columns.game_round))?;
    dict.set_item("points", columns.points.into_pyarray(py))?;
    dict.set_item("bids", columns.bids.into_pyarray(py))?;
    dict.set_item("tricks", columns.tricks.into_pyarray(py))?;
    dict.set_item("rounds", rounds::to_columns(py, rounds)?)?;
    Ok(dict)
}

/// Decisions of rounds, and the rounds, as columns.
struct Columns {
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
    trump: Vec<u8>,
    points: Array2<i16>,
    bids: Array2<i16>,
    tricks: Array2<i16>,
}

impl Columns {
    fn new(records: &[RoundRecord], width: usize) -> Self {
        let decisions = || records.iter().flat_map(|record| record.decisions.iter().map(move |row| (record, row)));
        let seats = |of: fn(&RoundRecord) -> &[u8; MAX_PLAYERS]| {
            let rows = records.iter().flat_map(|record| of(record)[..width].iter().map(|&value| value.into()));
            table(rows.collect(), width)
        };
        Self {
            features: table(decisions().flat_map(|(_, row)| row.features).collect(), FEATURES),
            legal: table(
                decisions().flat_map(|(_, row)| (0..ACTIONS).map(|k| row.legal.bits() >> k & 1 == 1)).collect(),
                ACTIONS,
            ),
            policy: table(decisions().flat_map(|(_, row)| row.policy).collect(), ACTIONS),
            values: table(
                decisions().flat_map(|(record, row)| record.relative_values(row.seat)).collect(),
                MAX_PLAYERS,
            ),
            root_values: table(decisions().flat_map(|(_, row)| row.root_values).collect(), MAX_PLAYERS),
            round: decisions().map(|(record, _)| record.index).collect(),
            seat: decisions().map(|(_, row)| row.seat.index() as u8).collect(),
            players: records.iter().map(|record| record.players as u8).collect(),
            cards: records.iter().map(|record| record.cards as u8).collect(),
            trump: records.iter().map(trump).collect(),
            number: records.iter().map(|record| record.index).collect(),
            game_round: records.iter().map(|record| record.game_round).collect(),
            points: seats(|record| &record.points.0),
            bids: seats(|record| &record.bids.0),
            tricks: seats(|record| &record.tricks.0),
        }
    }
}

/// The trump of a round: a suit in the order S H C D, or 4 for none.
fn trump(record: &RoundRecord) -> u8 {
    record.moves.deal.public().trump().map_or(SUITS, Suit::index) as u8
}

/// A table of rows of `width` cells.
pub(crate) fn table<T>(flat: Vec<T>, width: usize) -> Array2<T> {
    Array2::from_shape_vec((flat.len() / width, width), flat).expect("rows of one width")
}
