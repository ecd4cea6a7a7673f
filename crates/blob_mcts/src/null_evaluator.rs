//! A run whose evaluator does nothing: what the search, the scheduler and the hand-over cost without a network.

use std::time::{Duration, Instant};

use blob_engine::{ACTIONS, MAX_PLAYERS};

use crate::agent::Plan;
use crate::batch_queue::NextBatch;
use crate::error::PlayError;
use crate::play::{Play, PlayConfig, Progress};

/// How often the caller is asked whether to go on.
const ASK_EVERY: Duration = Duration::from_millis(50);

/// Plays a plan with equal priors and values of 0 for every row, handed in on the calling thread batch by batch as an
/// evaluator would; drops the records. Returns how far it came.
///
/// `keep_going` is asked about 20 times a second; once it says no, the run is closed, with the searches in progress
/// uncounted.
///
/// # Errors
/// If the plan or a setting is out of range, or threads cannot be started.
pub fn play_with_null_evaluator(
    plan: Plan,
    config: &PlayConfig,
    mut keep_going: impl FnMut() -> bool,
) -> Result<Progress, PlayError> {
    let play = Play::start(plan, config)?;
    let policy = vec![1.0; config.batch_rows * ACTIONS];
    let values = vec![0.0; config.batch_rows * MAX_PLAYERS];
    let mut ask_at = Instant::now() + ASK_EVERY;
    loop {
        match play.next_batch(ASK_EVERY)? {
            NextBatch::Batch(batch) => play.complete(batch, &policy, &values),
            NextBatch::Finished => break,
            NextBatch::TimedOut => {}
        }
        if Instant::now() >= ask_at {
            if !keep_going() {
                play.close();
                break;
            }
            // A run may be long, and nobody wants its records.
            drop(play.take_records());
            ask_at = Instant::now() + ASK_EVERY;
        }
    }
    Ok(play.progress())
}
