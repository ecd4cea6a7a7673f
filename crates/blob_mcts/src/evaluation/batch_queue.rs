//! Where leaves of many rounds meet the evaluators.
//!
//! Groups of rounds claim rows of a model's open batch, fill them in place and commit them. A batch goes to an
//! evaluator when it is full, or when nothing can run until it goes: no group runs, no batch is ready, and none is at
//! an evaluator. There is no timer. One mutex guards the book-keeping; a group takes it twice for about a hundred rows,
//! and nobody fills, reads or evaluates rows under it.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::error::SchedulerError;
use crate::evaluation::batch_buffer::{BatchBuffer, EmptyRows, FilledBuffer, FilledRows, OpenBuffer, RequestedRows};
use crate::evaluation::batch_holder::BatchHolder;

/// Number of a group of rounds that runs as one.
pub(crate) type GroupId = usize;

/// A batch with its buffer, open or filled.
#[derive(Debug)]
struct Batch<B> {
    model: usize,
    buffer: B,
    /// A group for each claim.
    groups: Vec<GroupId>,
}

impl Batch<OpenBuffer> {
    /// Ends the filling; refused while a claimed row is not committed.
    fn close(self) -> Result<Batch<FilledBuffer>, Self> {
        let Self { model, buffer, groups } = self;
        match buffer.close() {
            Ok(buffer) => Ok(Batch { model, buffer, groups }),
            Err(buffer) => Err(Self { model, buffer, groups }),
        }
    }
}

/// The book-keeping of batches and groups.
#[derive(Debug, Default)]
struct Inner {
    /// The batch of each model that takes claims.
    open: Vec<Option<Batch<OpenBuffer>>>,
    /// Full batches with claims that are still being filled.
    filling: Vec<Batch<OpenBuffer>>,
    ready: VecDeque<Batch<FilledBuffer>>,
    /// Who holds each batch at an evaluator.
    at_evaluator: Vec<Arc<BatchHolder>>,
    /// Groups that run or are about to.
    running: usize,
    /// Groups that have not retired.
    alive: usize,
    /// For each group, its claims in batches that are not completed.
    waiting_for: Vec<usize>,
    /// Buffers to open again, some of them still held.
    used: Vec<Arc<BatchBuffer>>,
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
    /// Nothing, and nothing will come until the calling thread completes the batches that it holds.
    HeldUp,
    /// Every round is finished, or the queue was closed.
    Finished,
}

/// A batch at its evaluator, to be given to [`crate::Scheduler::complete`], [`crate::Scheduler::complete_in_place`] or
/// [`crate::Scheduler::abandon`].
#[derive(Debug)]
pub struct FilledBatch {
    batch: Batch<FilledBuffer>,
    holder: Arc<BatchHolder>,
}

impl FilledBatch {
    /// Filled rows: the first of the buffer.
    pub const fn rows(&self) -> usize {
        self.batch.buffer.rows()
    }

    /// The model to evaluate the rows.
    pub const fn model(&self) -> usize {
        self.batch.model
    }

    /// The memory of the batch. Its inputs stay as they are while it is held.
    pub const fn buffer(&self) -> &Arc<BatchBuffer> {
        self.batch.buffer.buffer()
    }

    /// Features and legal masks of all rows, filled or stale. The calling thread is taken to evaluate the batch.
    pub fn inputs(&self) -> (&[u8], &[bool]) {
        self.holder.take_over();
        self.batch.buffer.inputs()
    }

    /// Where 52 policy numbers and 8 values belong, for all rows. The calling thread is taken to evaluate the batch.
    ///
    /// To write there is sound for one thread at a time, until the batch is completed or abandoned.
    pub fn outputs(&self) -> (*mut [f32], *mut [f32]) {
        self.holder.take_over();
        self.batch.buffer.outputs()
    }

    /// Writes the outputs: 52 policy numbers and 8 values for each filled row; further ones are ignored.
    ///
    /// # Panics
    /// If there are fewer outputs than filled rows.
    pub fn write(&mut self, policy: &[f32], values: &[f32]) {
        self.batch.buffer.write(policy, values);
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

    /// Batches and rows sent to evaluators.
    pub fn sent(&self) -> (u64, u64) {
        let inner = self.lock();
        (inner.batches_sent, inner.rows_sent)
    }

    /// Claims `rows` rows for a group, in one batch or several.
    pub(crate) fn claim(&self, group: GroupId, model: usize, rows: usize, claims: &mut Vec<EmptyRows>) {
        let mut inner = self.lock();
        let mut left = rows;
        while left > 0 {
            let batch = inner.open_batch(model, self.batch_rows);
            let claim = batch.buffer.claim(left.min(batch.buffer.room()));
            left -= claim.len();
            claims.push(claim);
            batch.groups.push(group);
            let is_full = batch.buffer.room() == 0;
            inner.waiting_for[group] += 1;
            if is_full {
                let full = inner.open[model].take();
                inner.filling.extend(full);
            }
        }
    }

    /// Ends a run of a group: commits the rows that it filled, each with its model, and takes back the rows that it
    /// read. A group without filled rows retires. Every run ends once, also one that failed.
    ///
    /// # Panics
    /// If rows were not claimed here. The run has ended all the same.
    pub(crate) fn end_run(
        &self,
        filled: impl IntoIterator<Item = (usize, FilledRows)>,
        read: impl IntoIterator<Item = RequestedRows>,
        mut requested: impl FnMut(usize, RequestedRows),
    ) {
        let mut inner = self.lock();
        // In every build: a wrapped count would let waits go on forever.
        inner.running = inner.running.checked_sub(1).expect("a group that runs was counted");
        let ready = inner.ready.len();
        let mut retires = true;
        for (model, rows) in filled {
            retires = false;
            requested(model, inner.commit(model, rows));
        }
        for rows in read {
            inner.release(rows);
        }
        inner.alive -= usize::from(retires);
        inner.send_if_nothing_runs();
        // A wake-up costs a context switch, so waiters are notified only when something changed for them.
        if inner.ready.len() > ready || inner.running == 0 {
            drop(inner);
            self.changed.notify_all();
        }
    }

    /// Waits up to `timeout` for a batch to evaluate.
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
                let holder = Arc::new(BatchHolder::new());
                inner.at_evaluator.push(Arc::clone(&holder));
                inner.batches_sent += 1;
                inner.rows_sent += batch.buffer.rows() as u64;
                return Ok(NextBatch::Batch(FilledBatch { batch, holder }));
            }
            if inner.alive == 0 {
                return Ok(NextBatch::Finished);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(if inner.is_held_up() { NextBatch::HeldUp } else { NextBatch::TimedOut });
            }
            inner = self.changed.wait_timeout(inner, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Takes back a batch whose outputs are written. Returns the groups that have all their results now: the caller
    /// must run them.
    pub(crate) fn complete(&self, filled: FilledBatch) -> Vec<GroupId> {
        let FilledBatch { batch, holder } = filled;
        batch.buffer.answer();
        let mut woken = Vec::new();
        let mut inner = self.lock();
        inner.at_evaluator.retain(|held| !Arc::ptr_eq(held, &holder));
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

    /// Stops the run: no group starts, and every wait ends. The first reason stays.
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

    /// Breaks the book-keeping, so that the next run panics when it ends.
    #[cfg(test)]
    pub(crate) fn lose_count_of_runs(&self) {
        self.lock().running = 0;
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic under the lock stops the run, and what is left to do then, ending it, cannot be spoiled by it.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// The open batch of a model, a new one if need be.
    fn open_batch(&mut self, model: usize, rows: usize) -> &mut Batch<OpenBuffer> {
        let Self { open, used, .. } = self;
        open[model].get_or_insert_with(|| {
            let buffer = reopen_any(used).unwrap_or_else(|| OpenBuffer::new(rows));
            Batch { model, buffer, groups: Vec::new() }
        })
    }

    /// Commits rows to their batch, which is ready once it is full and all of its rows are committed.
    fn commit(&mut self, model: usize, rows: FilledRows) -> RequestedRows {
        if let Some(batch) = &mut self.open[model]
            && batch.buffer.holds(&rows)
        {
            return batch.buffer.commit(rows);
        }
        let k = self.filling.iter().position(|batch| batch.buffer.holds(&rows));
        let k = k.expect("a batch is open or filling until all of its rows are committed");
        let requested = self.filling[k].buffer.commit(rows);
        if self.filling[k].buffer.is_committed() {
            self.ready.extend(self.filling.swap_remove(k).close());
        }
        requested
    }

    /// Takes back rows whose results were read; their buffer is used again.
    fn release(&mut self, rows: RequestedRows) {
        let buffer = rows.into_buffer();
        if !self.used.iter().any(|used| Arc::ptr_eq(used, &buffer)) {
            self.used.push(buffer);
        }
    }

    /// Whether nothing can run until the calling thread completes the batches that it holds.
    fn is_held_up(&self) -> bool {
        self.running == 0 && !self.at_evaluator.is_empty() && self.at_evaluator.iter().all(|held| held.is_me())
    }

    /// Sends what is open if nothing can run until it goes.
    fn send_if_nothing_runs(&mut self) {
        if self.running > 0 || !self.at_evaluator.is_empty() || !self.ready.is_empty() {
            return;
        }
        for open in &mut self.open {
            match open.take().map(Batch::close) {
                Some(Ok(batch)) => self.ready.push_back(batch),
                // A group failed before it filled its rows; the run is about to stop.
                Some(Err(batch)) => *open = Some(batch),
                None => {}
            }
        }
    }
}

/// Opens a buffer that nobody holds any more. If there is none, forgets them all: a view keeps its buffer alive itself.
fn reopen_any(used: &mut Vec<Arc<BatchBuffer>>) -> Option<OpenBuffer> {
    if let Some(k) = used.iter_mut().position(|buffer| Arc::get_mut(buffer).is_some()) {
        return OpenBuffer::reopen(used.swap_remove(k)).ok();
    }
    used.clear();
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluation::batch_buffer::Row;
    use blob_engine::{EncodedActionSet, FEATURES};

    /// Claims, fills and commits rows for a group.
    fn request(queue: &BatchQueue, group: GroupId, rows: usize) -> Vec<RequestedRows> {
        let mut claims = Vec::new();
        queue.claim(group, 0, rows, &mut claims);
        let row = Row { features: [group as u8; FEATURES], legal: EncodedActionSet::bids(1) };
        let fill = |claim: EmptyRows| {
            let rows = vec![row.clone(); claim.len()];
            (0, claim.fill(&rows))
        };
        let mut requested = Vec::new();
        queue.end_run(claims.into_iter().map(fill), [], |_, rows| requested.push(rows));
        requested
    }

    fn batch(next: NextBatch) -> FilledBatch {
        match next {
            NextBatch::Batch(batch) => batch,
            other => panic!("{other:?} instead of a batch"),
        }
    }

    #[test]
    fn a_thread_that_holds_all_batches_learns_that_nothing_will_come() {
        let queue = BatchQueue::new(4, 1, 2);
        let _rows = [request(&queue, 0, 4), request(&queue, 1, 1)];
        let now = || queue.next_batch(Duration::ZERO).expect("nothing stopped it");
        let first = batch(now());
        // One row is left, and it goes when the first batch is back.
        assert!(matches!(now(), NextBatch::HeldUp));
        // Another thread may wait: the batch may be completed meanwhile.
        std::thread::scope(|scope| scope.spawn(|| assert!(matches!(now(), NextBatch::TimedOut))).join())
            .expect("waits");
        // Nor is a thread held up by a batch that it handed to another.
        std::thread::scope(|scope| scope.spawn(|| first.inputs().0.len()).join()).expect("read");
        assert!(matches!(now(), NextBatch::TimedOut));
        assert_eq!(queue.complete(first), [0]);
        queue.end_run([], [], |_, _| ());
        assert_eq!(batch(now()).rows(), 1);
    }

    #[test]
    fn a_run_ends_even_if_its_rows_are_lost() {
        let queue = BatchQueue::new(4, 1, 1);
        let mut claims = Vec::new();
        queue.claim(0, 0, 1, &mut claims);
        let row = Row { features: [0; FEATURES], legal: EncodedActionSet::bids(1) };
        let filled: Vec<_> = claims.into_iter().map(|claim| (0, claim.fill(std::slice::from_ref(&row)))).collect();
        queue.lock().open[0] = None;
        let end = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| queue.end_run(filled, [], |_, _| ())));
        assert!(end.is_err(), "rows without a batch are a fault");
        // If the group still counted as running, this would wait forever.
        queue.wait_idle();
    }
}
