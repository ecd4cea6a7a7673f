//! Where leaves of many rounds meet the evaluators.
//!
//! Groups of rounds claim rows of the open batch of a model, fill them in place and commit them. A batch goes to an
//! evaluator when it is full, or when nothing can run until it goes: no group runs, no batch is ready, and none is at an
//! evaluator. There is no timer. One mutex guards the book-keeping; a group takes it twice for about a hundred rows,
//! and nobody fills, reads or evaluates rows under it.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use blob_engine::{ACTIONS, MAX_PLAYERS};

use crate::error::SchedulerError;
use crate::evaluation::batch_buffer::{BatchBuffer, RowClaim};

pub(crate) type GroupId = usize;

/// A batch in the making or on its way.
#[derive(Debug)]
struct Batch {
    model: usize,
    buffer: Arc<BatchBuffer>,
    claimed: usize,
    committed: usize,
    /// A group for each claim.
    groups: Vec<GroupId>,
}

/// What is known of the groups between their runs.
#[derive(Debug, Default)]
struct Inner {
    /// The batch of each model that takes claims.
    open: Vec<Option<Batch>>,
    /// Full batches whose last claims are still being filled.
    filling: Vec<Batch>,
    ready: VecDeque<Batch>,
    at_evaluator: usize,
    /// Groups that run or are about to.
    running: usize,
    /// Groups that have not retired.
    alive: usize,
    /// For each group, claims whose batches are not completed.
    waiting_for: Vec<usize>,
    free: Vec<Arc<BatchBuffer>>,
    batches_sent: u64,
    rows_sent: u64,
    stop: Option<Result<(), SchedulerError>>,
}

/// The queue between workers and evaluators.
pub struct BatchQueue {
    batch_rows: usize,
    inner: Mutex<Inner>,
    /// Something changed that `next_batch` or `wait_idle` may wait for.
    changed: Condvar,
}

impl std::fmt::Debug for BatchQueue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BatchQueue").field("batch_rows", &self.batch_rows).finish_non_exhaustive()
    }
}

/// What [`BatchQueue::next_batch`] found.
#[derive(Debug)]
pub enum NextBatch {
    /// A batch to evaluate.
    Batch(FilledBatch),
    /// Nothing yet.
    TimedOut,
    /// Every round is finished, or the queue was closed.
    Finished,
}

/// A batch at its evaluator, to be given to [`crate::Scheduler::complete`] or [`crate::Scheduler::abandon`].
#[derive(Debug)]
pub struct FilledBatch {
    batch: Batch,
}

impl FilledBatch {
    /// Filled rows; the rest of the buffer is stale.
    pub const fn rows(&self) -> usize {
        self.batch.claimed
    }

    /// Which model is asked.
    pub const fn model(&self) -> usize {
        self.batch.model
    }

    /// The memory of the batch. Its inputs stay as they are until the batch is completed.
    pub const fn buffer(&self) -> &Arc<BatchBuffer> {
        &self.batch.buffer
    }

    /// Features and legal masks of all rows, filled or not.
    pub fn inputs(&self) -> (&[u8], &[u8]) {
        // SAFETY: every claim was committed before the batch was sent, and a batch is completed by value.
        unsafe { self.batch.buffer.inputs() }
    }
}

impl BatchQueue {
    /// A queue for `models` models and `groups` groups, all of them about to run.
    pub(crate) fn new(batch_rows: usize, models: usize, groups: usize) -> Self {
        let inner = Inner {
            open: (0..models).map(|_| None).collect(),
            running: groups,
            alive: groups,
            waiting_for: vec![0; groups],
            ..Inner::default()
        };
        Self { batch_rows, inner: Mutex::new(inner), changed: Condvar::new() }
    }

    /// Rows of every batch.
    pub const fn batch_rows(&self) -> usize {
        self.batch_rows
    }

    /// Batches and rows that were sent to evaluators.
    pub fn sent(&self) -> (u64, u64) {
        let inner = self.lock();
        (inner.batches_sent, inner.rows_sent)
    }

    /// Claims `rows` rows for a group, in one batch or several.
    pub(crate) fn claim(&self, group: GroupId, model: usize, rows: usize, claims: &mut Vec<RowClaim>) {
        let mut inner = self.lock();
        let inner = &mut *inner;
        let mut left = rows;
        while left > 0 {
            let batch = inner.open[model].get_or_insert_with(|| {
                // A buffer that somebody still holds, a claim or a reader of its inputs, is not written again.
                let reusable = inner.free.iter_mut().position(|buffer| Arc::get_mut(buffer).is_some());
                let buffer = match reusable {
                    Some(k) => inner.free.swap_remove(k),
                    None => {
                        inner.free.clear();
                        Arc::new(BatchBuffer::new(self.batch_rows))
                    }
                };
                Batch { model, buffer, claimed: 0, committed: 0, groups: Vec::new() }
            });
            let count = left.min(self.batch_rows - batch.claimed);
            let range = batch.claimed..batch.claimed + count;
            // SAFETY: `claimed` only grows until the batch leaves `open`, so ranges are disjoint and in the buffer; the
            // batch is sent only when every claim is committed.
            claims.push(unsafe { RowClaim::new(Arc::clone(&batch.buffer), range) });
            batch.claimed += count;
            batch.groups.push(group);
            left -= count;
            if batch.claimed == self.batch_rows
                && let Some(full) = inner.open[model].take()
            {
                inner.filling.push(full);
            }
            inner.waiting_for[group] += 1;
        }
    }

    /// Ends a run of a group: its claims are filled, the claims of its run before are read. A group with neither retires.
    pub(crate) fn end_run<'a>(&self, filled: impl Iterator<Item = &'a RowClaim>, read: impl Iterator<Item = RowClaim>) {
        let mut inner = self.lock();
        let ready = inner.ready.len();
        let mut retires = true;
        for claim in filled {
            retires = false;
            inner.commit(claim);
        }
        for claim in read {
            inner.release(claim);
        }
        inner.running -= 1;
        inner.alive -= usize::from(retires);
        inner.send_if_nothing_runs();
        // A wake-up costs a context switch, so nobody is woken for a run that changed nothing for him.
        if inner.ready.len() > ready || inner.running == 0 {
            drop(inner);
            self.changed.notify_all();
        }
    }

    /// Waits, at most so long, for a batch to evaluate.
    ///
    /// # Errors
    /// What stopped the run, if something did.
    pub fn next_batch(&self, timeout: Duration) -> Result<NextBatch, SchedulerError> {
        let deadline = Instant::now() + timeout;
        let mut inner = self.lock();
        loop {
            if let Some(stop) = &inner.stop {
                return stop.clone().map(|()| NextBatch::Finished);
            }
            if let Some(batch) = inner.ready.pop_front() {
                inner.at_evaluator += 1;
                inner.batches_sent += 1;
                inner.rows_sent += batch.claimed as u64;
                return Ok(NextBatch::Batch(FilledBatch { batch }));
            }
            if inner.alive == 0 {
                return Ok(NextBatch::Finished);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(NextBatch::TimedOut);
            }
            inner = self.changed.wait_timeout(inner, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Hands in the outputs of a batch: 52 policy numbers and 8 values for each filled row, or more rows, of which the first
    /// are taken. Returns the groups whose results are now all there: the caller must run them.
    ///
    /// # Panics
    /// If there are fewer outputs than filled rows.
    pub(crate) fn complete(&self, filled: FilledBatch, policy: &[f32], values: &[f32]) -> Vec<GroupId> {
        let FilledBatch { batch } = filled;
        let rows = batch.claimed;
        let (policy, values) = (&policy[..rows * ACTIONS], &values[..rows * MAX_PLAYERS]);
        // SAFETY: the batch is at its evaluator, which gives it up here; its groups run only after this.
        unsafe { batch.buffer.write_outputs(policy, values) };
        let mut woken = Vec::new();
        let mut inner = self.lock();
        inner.at_evaluator -= 1;
        for group in batch.groups {
            inner.waiting_for[group] -= 1;
            if inner.waiting_for[group] == 0 {
                woken.push(group);
            }
        }
        if inner.stop.is_some() {
            woken.clear();
        }
        inner.running += woken.len();
        // A group can wait for a batch that is still open.
        inner.send_if_nothing_runs();
        drop(inner);
        self.changed.notify_all();
        woken
    }

    /// Stops the run: nothing starts any more, and every wait ends. The first reason stays.
    pub(crate) fn stop(&self, reason: Result<(), SchedulerError>) {
        self.lock().stop.get_or_insert(reason);
        self.changed.notify_all();
    }

    /// Waits until no group runs.
    pub(crate) fn wait_idle(&self) {
        let mut inner = self.lock();
        while inner.running > 0 {
            inner = self.changed.wait(inner).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing under the lock leaves it half changed, so a panic elsewhere does not spoil it.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn commit(&mut self, claim: &RowClaim) {
        let is_batch = |batch: &Batch| Arc::ptr_eq(&batch.buffer, claim.buffer());
        if let Some(batch) = self.open.iter_mut().flatten().find(|batch| is_batch(batch)) {
            batch.committed += claim.rows().len();
            return;
        }
        let k =
            self.filling.iter().position(is_batch).expect("a claim's batch is open or filling until it is committed");
        self.filling[k].committed += claim.rows().len();
        if self.filling[k].committed == self.filling[k].claimed {
            self.ready.push_back(self.filling.swap_remove(k));
        }
    }

    /// Gives back a claim whose results were read; the last one frees its buffer.
    fn release(&mut self, claim: RowClaim) {
        let buffer = claim.into_buffer();
        if !self.free.iter().any(|free| Arc::ptr_eq(free, &buffer)) {
            self.free.push(buffer);
        }
    }

    /// Sends what is open if nothing can run until it goes.
    fn send_if_nothing_runs(&mut self) {
        if self.running > 0 || self.at_evaluator > 0 || !self.ready.is_empty() {
            return;
        }
        for open in &mut self.open {
            self.ready.extend(open.take());
        }
    }
}
