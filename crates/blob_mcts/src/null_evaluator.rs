//! Playing with an evaluator that does nothing: what search, scheduler and queue cost by themselves.

use std::time::{Duration, Instant};

use blob_engine::{ACTIONS, MAX_PLAYERS};

use crate::agent::Plan;
use crate::batch_queue::NextBatch;
use crate::error::PlayError;
use crate::play::{Play, PlayConfig, Progress};

/// How often it is asked whether to go on.
const INTERVAL: Duration = Duration::from_millis(50);

/// Plays a plan with equal priors and values of 0 for every row, until it ends or `keep_going`, asked about 20 times a
/// second, says no. What is in progress then is dropped.
///
/// # Errors
/// If the plan or a setting is out of range.
pub fn play_with_null_evaluator(
    plan: &Plan,
    config: &PlayConfig,
    mut keep_going: impl FnMut() -> bool,
) -> Result<Progress, PlayError> {
    let play = Play::start(plan.clone(), config)?;
    let policy = vec![1.0; config.batch_rows * ACTIONS];
    let values = vec![0.0; config.batch_rows * MAX_PLAYERS];
    let mut asked = Instant::now();
    loop {
        match play.next_batch(INTERVAL)? {
            NextBatch::Batch(batch) => play.complete(batch, &policy, &values),
            NextBatch::TimedOut => {}
            NextBatch::Finished => return Ok(play.progress()),
        }
        if asked.elapsed() >= INTERVAL {
            asked = Instant::now();
            if !keep_going() {
                let progress = play.progress();
                play.close();
                return Ok(progress);
            }
        }
    }
}
