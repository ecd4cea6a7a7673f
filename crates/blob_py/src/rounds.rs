//! Finished rounds as columns, and `RoundStore`, which turns them into rows to learn from.

use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use blob_engine::{ACTIONS, FEATURES, MAX_PLAYERS, OPEN_FEATURES};
use blob_mcts::{AfterRows, Part, PlayedRound, RoundColumns, RoundColumnsError};
use numpy::{Element, IntoPyArray, PyArray1, PyReadonlyArray1, PyReadonlyArrayDyn};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::error::{config, count, int};
use crate::records::table;

/// The columns that `Session.take_records` describes under `rounds`.
pub(crate) fn to_columns<'py>(py: Python<'py>, columns: RoundColumns) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("number", PyArray1::from_vec(py, columns.number))?;
    dict.set_item("game_round", PyArray1::from_vec(py, columns.game_round))?;
    dict.set_item("players", PyArray1::from_vec(py, columns.players))?;
    dict.set_item("cards", PyArray1::from_vec(py, columns.cards))?;
    dict.set_item("trump", PyArray1::from_vec(py, columns.trump))?;
    dict.set_item("turned_up", PyArray1::from_vec(py, columns.turned_up))?;
    dict.set_item("dealer", PyArray1::from_vec(py, columns.dealer))?;
    dict.set_item("rules", PyArray1::from_vec(py, columns.rules))?;
    dict.set_item("hands", table(columns.hands, MAX_PLAYERS).into_pyarray(py))?;
    dict.set_item("totals", table(columns.totals, MAX_PLAYERS).into_pyarray(py))?;
    dict.set_item("rounds_left", PyArray1::from_vec(py, columns.rounds_left))?;
    dict.set_item("result_share", PyArray1::from_vec(py, columns.result_share))?;
    dict.set_item("values", table(columns.values, MAX_PLAYERS).into_pyarray(py))?;
    dict.set_item("decisions", PyArray1::from_vec(py, columns.decisions))?;
    dict.set_item("action", PyArray1::from_vec(py, columns.action))?;
    Ok(dict)
}

/// Reads what [`to_columns`] wrote.
fn from_columns(dict: &Bound<'_, PyDict>) -> PyResult<RoundColumns> {
    Ok(RoundColumns {
        number: column(dict, "number")?,
        game_round: column(dict, "game_round")?,
        players: column(dict, "players")?,
        cards: column(dict, "cards")?,
        trump: column(dict, "trump")?,
        turned_up: column(dict, "turned_up")?,
        dealer: column(dict, "dealer")?,
        rules: column(dict, "rules")?,
        hands: column(dict, "hands")?,
        totals: column(dict, "totals")?,
        rounds_left: column(dict, "rounds_left")?,
        result_share: column(dict, "result_share")?,
        values: column(dict, "values")?,
        decisions: column(dict, "decisions")?,
        action: column(dict, "action")?,
    })
}

/// The entries of a column in row-major order.
fn column<T: Element + Copy>(dict: &Bound<'_, PyDict>, name: &str) -> PyResult<Vec<T>> {
    let array = dict.get_item(name)?.ok_or_else(|| config(format!("rounds lack the column {name}")))?;
    let array: PyReadonlyArrayDyn<'_, T> = array
        .extract()
        .map_err(|_| config(format!("column {name} of rounds is {array:.60}; it is an array of another type")))?;
    Ok(array.as_array().iter().copied().collect())
}

/// The newest rounds, up to a number of decisions; any decision can be drawn as a row.
#[pyclass(frozen, module = "blob_zero._core")]
pub(crate) struct RoundStore(RwLock<blob_mcts::RoundStore>);

#[pymethods]
impl RoundStore {
    /// A store of at most `capacity` decisions. Each round whose number is the last of `held_out_every` is held out.
    #[new]
    #[pyo3(signature = (capacity, *, held_out_every))]
    fn new(
        #[pyo3(from_py_with = int)] capacity: i64,
        #[pyo3(from_py_with = int)] held_out_every: i64,
    ) -> PyResult<Self> {
        let capacity = count("capacity", capacity)? as u64;
        match count("held_out_every", held_out_every)? as u64 {
            0 => Err(config("held_out_every is 0; it is at least 1".into())),
            every => Ok(Self(RwLock::new(blob_mcts::RoundStore::new(capacity, every)))),
        }
    }

    /// Adds rounds in the form of `Session.take_records()["rounds"]`; the oldest ones make room.
    fn add(&self, py: Python<'_>, rounds: &Bound<'_, PyDict>) -> PyResult<()> {
        let columns = from_columns(rounds)?;
        py.detach(|| {
            let rounds = columns.rounds()?;
            let mut store = self.0.write().unwrap_or_else(PoisonError::into_inner);
            rounds.into_iter().try_for_each(|round: PlayedRound| {
                let number = round.number;
                store.push(round).map_err(|error| RoundColumnsError::Round { round: number, error })
            })
        })
        .map_err(|error| config(error.to_string()))
    }

    /// Rounds in the store.
    #[getter]
    fn rounds(&self) -> usize {
        self.store().rounds().len()
    }

    /// Decisions of the training rounds, or of the held-out ones.
    #[pyo3(signature = (*, held_out = false))]
    fn decisions(&self, held_out: bool) -> u64 {
        self.store().decisions(part(held_out))
    }

    /// Decisions of a part by their numbers, 0 for the oldest, as a dict of arrays:
    /// features uint8[N, 256], legal bool[N, 52], action uint8[N] (as in `legal`), bid uint8[N] (of the seat that
    /// decided; of a bid, the bid itself), tricks uint8[N, 8] and values float32[N, 8] by relative seat, as they were in
    /// the end.
    #[pyo3(signature = (decisions, *, held_out = false))]
    fn rows<'py>(
        &self,
        py: Python<'py>,
        decisions: PyReadonlyArray1<'py, i64>,
        held_out: bool,
    ) -> PyResult<Bound<'py, PyDict>> {
        let rows = self.of_decisions(py, &decisions, held_out, blob_mcts::RoundStore::rows)?;
        let dict = PyDict::new(py);
        dict.set_item("features", table(rows.features, FEATURES).into_pyarray(py))?;
        dict.set_item("legal", table(rows.legal, ACTIONS).into_pyarray(py))?;
        dict.set_item("action", PyArray1::from_vec(py, rows.action))?;
        dict.set_item("bid", PyArray1::from_vec(py, rows.bid))?;
        dict.set_item("tricks", table(rows.tricks, MAX_PLAYERS).into_pyarray(py))?;
        dict.set_item("values", table(rows.values, MAX_PLAYERS).into_pyarray(py))?;
        Ok(dict)
    }

    /// The positions after the action taken in each of these decisions and all that it forces, as a dict of arrays:
    /// features uint8[M, 620], what the seat that decided then knows, and a flag for each card of relative seats 1 to 7
    /// as it names them, all 0 where its value is settled; settled float32[M], the value of the round to it where nothing
    /// can change it any more, else NaN; decision int64[M], the place among those asked for, and action uint8[M],
    /// in the names of the decision's encoding.
    #[pyo3(signature = (decisions, *, held_out = false))]
    fn after_taken<'py>(
        &self,
        py: Python<'py>,
        decisions: PyReadonlyArray1<'py, i64>,
        held_out: bool,
    ) -> PyResult<Bound<'py, PyDict>> {
        after_columns(py, self.of_decisions(py, &decisions, held_out, blob_mcts::RoundStore::after_taken)?)
    }

    /// The positions after each legal action of these decisions, in the form of `after_taken`, decision by decision.
    #[pyo3(signature = (decisions, *, held_out = false))]
    fn after_each<'py>(
        &self,
        py: Python<'py>,
        decisions: PyReadonlyArray1<'py, i64>,
        held_out: bool,
    ) -> PyResult<Bound<'py, PyDict>> {
        after_columns(py, self.of_decisions(py, &decisions, held_out, blob_mcts::RoundStore::after_each)?)
    }

    /// For each training decision from number `first` on, that of its seat's next one in the round, counted from
    /// `first`; -1 where there is none. int64[N].
    fn next_decisions<'py>(&self, py: Python<'py>, first: u64) -> Bound<'py, PyArray1<i64>> {
        let next = py.detach(|| self.store().next_decisions(Part::Training, first));
        PyArray1::from_iter(py, next.into_iter().map(|place| place.map_or(-1, |place| place as i64)))
    }
}

impl RoundStore {
    /// The store, for any number of readers at once.
    fn store(&self) -> RwLockReadGuard<'_, blob_mcts::RoundStore> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// What `build` makes of these decisions of a part.
    fn of_decisions<T: Send>(
        &self,
        py: Python<'_>,
        decisions: &PyReadonlyArray1<'_, i64>,
        held_out: bool,
        build: impl Fn(&blob_mcts::RoundStore, Part, &[u64]) -> Option<T> + Sync,
    ) -> PyResult<T> {
        let wanted: Vec<u64> = decisions.as_array().iter().map(|&row| row as u64).collect();
        py.detach(|| build(&self.store(), part(held_out), &wanted)).ok_or_else(|| {
            let most = self.store().decisions(part(held_out));
            config(format!("a decision is beyond the {most} of the store"))
        })
    }
}

fn after_columns(py: Python<'_>, rows: AfterRows) -> PyResult<Bound<'_, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("features", table(rows.features, OPEN_FEATURES).into_pyarray(py))?;
    dict.set_item("decision", PyArray1::from_iter(py, rows.decision.into_iter().map(i64::from)))?;
    dict.set_item("action", PyArray1::from_vec(py, rows.action))?;
    dict.set_item("settled", PyArray1::from_vec(py, rows.settled))?;
    Ok(dict)
}

const fn part(held_out: bool) -> Part {
    if held_out { Part::HeldOut } else { Part::Training }
}
