//! Parts of the crate that benchmarks time alone. Behind the feature `bench-internals`, and no part of the interface.

use std::time::{Duration, Instant};

use blob_engine::{ACTIONS, EncodedActionSet, FEATURES, MAX_PLAYERS};

use crate::evaluation::batch_buffer::{EmptyRows, RequestedRows, Row};
use crate::evaluation::batch_queue::{BatchQueue, NextBatch};

/// The time that `batches` batches take through the queue and back on one thread, without a search: claim and fill
/// rows, `rows_of_a_run` at a time as a group of rounds does, send, complete, find the groups that can run.
///
/// # Panics
/// If a size is 0.
pub fn time_hand_over(batch_rows: usize, rows_of_a_run: usize, batches: u64) -> Duration {
    assert!(batch_rows > 0 && rows_of_a_run > 0, "{batch_rows} rows a batch and {rows_of_a_run} a run, not at least 1");
    // Three batches are in flight at once.
    let groups = (3 * batch_rows).div_ceil(rows_of_a_run);
    let queue = BatchQueue::new(batch_rows, 1, groups);
    let rows = vec![Row { features: [1; FEATURES], legal: EncodedActionSet::bids(5) }; rows_of_a_run];
    let policy = vec![1.0; batch_rows * ACTIONS];
    let values = vec![0.0; batch_rows * MAX_PLAYERS];
    let mut claims: Vec<EmptyRows> = Vec::new();
    let mut requested: Vec<Vec<RequestedRows>> = (0..groups).map(|_| Vec::new()).collect();
    let mut runnable: Vec<usize> = (0..groups).collect();
    let start = Instant::now();
    for _ in 0..batches {
        for group in runnable.drain(..) {
            let read = std::mem::take(&mut requested[group]);
            queue.claim(group, 0, rows.len(), &mut claims);
            let filled = claims.drain(..).map(|claim| {
                let count = claim.len();
                (0, claim.fill(&rows[..count]))
            });
            queue.end_run(filled, read, |_, rows| requested[group].push(rows));
        }
        match queue.next_batch(Duration::ZERO) {
            Ok(NextBatch::Batch(mut batch)) => {
                batch.write(&policy, &values);
                runnable = queue.complete(batch);
            }
            other => unreachable!("{other:?}: three batches of rows are in flight, so one is ready"),
        }
    }
    start.elapsed()
}
