//! `Session`: rounds being played on worker threads, evaluated in batches by Python.

use std::sync::Arc;

use blob_engine::MAX_PLAYERS;
use blob_mcts::{NextBatch, Scheduler};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::batch::Batch;
use crate::carry_over;
use crate::error::{blob, scheduler as scheduler_error};
use crate::progress::Progress;
use crate::records;
use crate::signals::SIGNAL_INTERVAL;

/// Waits in a row, of [`SIGNAL_INTERVAL`] each, until a thread that holds up its own session gets an error. If it hands
/// its batches to another thread, that one has this long to read them.
const HELD_UP_WAITS: u32 = 20;

/// Rounds being played on worker threads. An evaluator calls `next_batch` until it returns None.
#[pyclass(frozen, module = "blob_zero._core")]
pub(crate) struct Session(pub(crate) Arc<Scheduler>);

#[pymethods]
impl Session {
    /// Rows of every batch.
    #[getter]
    fn batch_rows(&self) -> usize {
        self.0.batch_rows()
    }

    /// Waits for a batch to evaluate, without the GIL; None when every round is finished or the session is closed.
    ///
    /// While it waits it calls `while_waiting`, if given, about 20 times a second. It raises BlobError if it would wait
    /// forever, because nothing can be played until this thread completes the batches that it holds.
    #[pyo3(signature = (while_waiting = None))]
    fn next_batch(&self, py: Python<'_>, while_waiting: Option<&Bound<'_, PyAny>>) -> PyResult<Option<Batch>> {
        let mut held_up = 0;
        loop {
            let next = py.detach(|| self.0.next_batch(SIGNAL_INTERVAL)).map_err(scheduler_error)?;
            match next {
                NextBatch::Batch(batch) => return Ok(Some(Batch::new(Arc::clone(&self.0), batch))),
                NextBatch::Finished => return Ok(None),
                NextBatch::TimedOut => held_up = 0,
                NextBatch::HeldUp if held_up == HELD_UP_WAITS => {
                    let message = "next_batch() would wait forever: every unfinished round waits for a batch that this \
                                   thread holds; complete() that batch first";
                    return Err(blob(message.into()));
                }
                NextBatch::HeldUp => held_up += 1,
            }
            py.check_signals()?;
            if let Some(callback) = while_waiting {
                callback.call0()?;
            }
        }
    }

    /// How far the session is.
    fn progress(&self) -> Progress {
        Progress(self.0.progress())
    }

    /// Stops the workers and waits until they have stopped. Batches at evaluators are lost.
    fn close(&self, py: Python<'_>) {
        py.detach(|| self.0.close());
    }

    /// Takes the rounds finished so far, in the order of their numbers, as a dict of arrays.
    ///
    /// For each recorded row, [N, ...] sorted by round, then decision: features uint8[N, 256], legal bool[N, 52],
    /// policy float16[N, 52], values and root_values float32[N, 8], round uint64[N], seat uint8[N].
    ///
    /// For each round: number uint64[R] (its game's number where whole games are played), game_round uint8[R] (its
    /// number in the game), players, cards and trump (a suit, 4 for none) uint8[R], and points, bids and tricks
    /// int16[R, P]. P is the number of players, or 8 if rounds have several shapes, with 0 for seats that are not in
    /// play.
    ///
    /// `rounds` holds the rounds themselves as a dict of arrays, for a `RoundStore`: number uint64[R], and game_round,
    /// players, cards, trump, turned_up (a card, 255 for none), dealer, rules (1 for the hook, 2 for a point a trick),
    /// rounds_left, result_share (percent) and decisions uint8[R]; hands uint64[R, 8] (a bit for each card), totals
    /// uint16[R, 8], values float32[R, 8] by seat; and action uint8[A] of all decisions, round by round.
    fn take_records<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let seats = self.0.plan().mix.only().map_or(MAX_PLAYERS, |shape| shape.players);
        records::to_columns(py, || self.0.take_records(), seats)
    }

    /// Takes the rounds that paused for a later session, in the order of their numbers, as a dict of arrays.
    ///
    /// For each round: round uint64[C] (its number), decisions uint16[C] (decisions taken), recorded uint16[C]
    /// (recorded ones). For each decision taken: action uint8[A]. For each recorded one: features, legal, policy,
    /// root_values and seat as in `take_records`, and game_round uint8[N].
    fn take_carry_over<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        carry_over::to_columns(py, &self.0.take_paused())
    }
}
