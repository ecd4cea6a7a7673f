//! Who may read and write the memory of a batch, and when. With `batch_memory`, all unsafe code of this crate.
//!
//! Many workers fill one buffer at once, each its own rows, and the evaluator then reads all of them in place. A lock
//! around the rows would make workers wait for each other, and a buffer for each worker would have to be copied
//! together.
//!
//! Rows and buffers change their type with each step, so that steps cannot be taken in a wrong order:
//!
//! ```text
//! one worker's rows:  EmptyRows -- fill --> FilledRows -- commit --> RequestedRows -- outputs (once answered)
//! the whole buffer:   OpenBuffer -- close (all rows committed) --> FilledBuffer -- answer --> back, if nobody holds it
//! ```
//!
//! 1. [`OpenBuffer::claim`] hands out each row once, so two [`EmptyRows`] never share a row.
//! 2. A [`FilledBuffer`] exists only when every claimed row is committed, and committing consumes the rows. So nobody
//!    writes inputs while the evaluator reads them.
//! 3. Outputs are written through the one [`FilledBuffer`] of a buffer, and read only after [`FilledBuffer::answer`],
//!    which consumes it. Whoever wrote through [`FilledBuffer::outputs`] has ended by then.
//! 4. A buffer opens again only when nothing refers to it: no rows, no evaluator, no view of its inputs. References to
//!    its block of memory do not count, since they give no access.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use blob_engine::{ACTIONS, EncodedActionSet, FEATURES, Features, MAX_PLAYERS};

use crate::evaluation::batch_memory::{BatchMemory, MemoryBlock};

/// One row for an evaluator: an encoded observation and the encoding's names of its legal actions.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) features: Features,
    pub(crate) legal: EncodedActionSet,
}

/// The rows of one batch: features and legal masks in, policies and values out.
pub struct BatchBuffer {
    memory: BatchMemory,
    /// Whether the outputs are written.
    answered: AtomicBool,
}

impl std::fmt::Debug for BatchBuffer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BatchBuffer").field("rows", &self.memory.rows).finish_non_exhaustive()
    }
}

impl BatchBuffer {
    /// The memory that holds the rows, the same for all batches of this buffer.
    pub const fn block(&self) -> &Arc<MemoryBlock> {
        self.memory.block()
    }
}

/// A buffer whose rows are being handed out and filled.
#[derive(Debug)]
pub(crate) struct OpenBuffer {
    buffer: Arc<BatchBuffer>,
    claimed: usize,
    committed: usize,
}

impl OpenBuffer {
    /// A new buffer of `rows` rows.
    pub(crate) fn new(rows: usize) -> Self {
        let buffer = BatchBuffer { memory: BatchMemory::new(rows), answered: AtomicBool::new(false) };
        Self { buffer: Arc::new(buffer), claimed: 0, committed: 0 }
    }

    /// Opens a used buffer again, unless somebody still holds it.
    pub(crate) fn reopen(mut buffer: Arc<BatchBuffer>) -> Result<Self, Arc<BatchBuffer>> {
        match Arc::get_mut(&mut buffer) {
            Some(unshared) => {
                *unshared.answered.get_mut() = false;
                Ok(Self { buffer, claimed: 0, committed: 0 })
            }
            None => Err(buffer),
        }
    }

    /// Rows that nobody has claimed.
    pub(crate) fn room(&self) -> usize {
        self.buffer.memory.rows - self.claimed
    }

    /// Hands out the next `rows` rows.
    ///
    /// # Panics
    /// If there is less room.
    pub(crate) fn claim(&mut self, rows: usize) -> EmptyRows {
        assert!(rows <= self.room(), "{rows} rows claimed, and there is room for {}", self.room());
        let range = self.claimed..self.claimed + rows;
        self.claimed = range.end;
        EmptyRows { buffer: Arc::clone(&self.buffer), rows: range }
    }

    /// Whether these rows are of this buffer.
    pub(crate) fn holds(&self, rows: &FilledRows) -> bool {
        Arc::ptr_eq(&self.buffer, &rows.0.buffer)
    }

    /// Takes filled rows back; the evaluator will answer them.
    ///
    /// # Panics
    /// If they are of another buffer.
    pub(crate) fn commit(&mut self, rows: FilledRows) -> RequestedRows {
        assert!(self.holds(&rows), "rows are committed to the buffer that they were claimed from");
        let EmptyRows { buffer, rows } = rows.0;
        self.committed += rows.len();
        RequestedRows { buffer, rows }
    }

    /// Whether every claimed row is committed.
    pub(crate) const fn is_committed(&self) -> bool {
        self.committed == self.claimed
    }

    /// Ends the filling; refused while a claimed row is not committed.
    pub(crate) fn close(self) -> Result<FilledBuffer, Self> {
        if self.is_committed() { Ok(FilledBuffer { buffer: self.buffer, rows: self.claimed }) } else { Err(self) }
    }
}

/// Claimed rows, to be filled by their only owner.
#[derive(Debug)]
pub(crate) struct EmptyRows {
    buffer: Arc<BatchBuffer>,
    rows: Range<usize>,
}

impl EmptyRows {
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Writes the rows.
    ///
    /// # Panics
    /// If `rows` has another length.
    pub(crate) fn fill(self, rows: &[Row]) -> FilledRows {
        assert_eq!(rows.len(), self.len(), "as many rows are filled as were claimed");
        // SAFETY: no other claim has these rows (1), and the buffer is not closed while they are not committed (2).
        let (features, legal) =
            unsafe { (self.buffer.memory.features.get_mut(&self.rows), self.buffer.memory.legal.get_mut(&self.rows)) };
        let (features, legal) = (features.as_chunks_mut::<FEATURES>().0, legal.as_chunks_mut::<ACTIONS>().0);
        for ((row, features), legal) in rows.iter().zip(features).zip(legal) {
            *features = row.features;
            let mut flags = [0; ACTIONS];
            row.legal.write_flags(&mut flags);
            *legal = flags.map(|flag| flag != 0);
        }
        FilledRows(self)
    }
}

/// Rows that are filled, to be committed.
#[derive(Debug)]
pub(crate) struct FilledRows(EmptyRows);

/// Committed rows, whose outputs the owner reads once they are answered.
#[derive(Debug)]
pub(crate) struct RequestedRows {
    buffer: Arc<BatchBuffer>,
    rows: Range<usize>,
}

impl RequestedRows {
    pub(crate) fn rows(&self) -> Range<usize> {
        self.rows.clone()
    }

    /// Policies and values.
    ///
    /// # Panics
    /// If they are not answered.
    pub(crate) fn outputs(&self) -> (&[[f32; ACTIONS]], &[[f32; MAX_PLAYERS]]) {
        // Acquire: what `answer` wrote before its release is seen here.
        assert!(self.buffer.answered.load(Ordering::Acquire), "outputs are read once they are answered");
        let memory = &self.buffer.memory;
        // SAFETY: outputs are written before `answered` is set, and then not until nothing refers to the buffer (3, 4).
        let (policy, values) = unsafe { (memory.policy.get(&self.rows), memory.values.get(&self.rows)) };
        (policy.as_chunks().0, values.as_chunks().0)
    }

    /// Gives the rows up; the buffer opens again when nobody holds it.
    pub(crate) fn into_buffer(self) -> Arc<BatchBuffer> {
        self.buffer
    }
}

/// A buffer with every claimed row filled, for its evaluator.
#[derive(Debug)]
pub(crate) struct FilledBuffer {
    buffer: Arc<BatchBuffer>,
    rows: usize,
}

impl FilledBuffer {
    /// Filled rows: the first of the buffer.
    pub(crate) const fn rows(&self) -> usize {
        self.rows
    }

    pub(crate) const fn buffer(&self) -> &Arc<BatchBuffer> {
        &self.buffer
    }

    /// Features and legal masks of all rows, filled or stale.
    pub(crate) fn inputs(&self) -> (&[u8], &[bool]) {
        let memory = &self.buffer.memory;
        let all = 0..memory.rows;
        // SAFETY: every claim is committed (2), and none is made until the buffer opens again.
        unsafe { (memory.features.get(&all), memory.legal.get(&all)) }
    }

    /// Where policies and values of all rows belong.
    ///
    /// To write there is sound for one thread at a time, while this buffer lives and no `write` runs (3).
    pub(crate) fn outputs(&self) -> (*mut [f32], *mut [f32]) {
        let memory = &self.buffer.memory;
        let all = 0..memory.rows;
        (memory.policy.pointer(&all), memory.values.pointer(&all))
    }

    /// Writes the outputs: 52 policy numbers and 8 values for each filled row; further ones are ignored.
    ///
    /// # Panics
    /// If there are fewer.
    pub(crate) fn write(&mut self, policy: &[f32], values: &[f32]) {
        let memory = &self.buffer.memory;
        let filled = 0..self.rows;
        // SAFETY: nobody reads outputs before `answer`, and the one `FilledBuffer` of the buffer is here (3).
        unsafe {
            memory.policy.get_mut(&filled).copy_from_slice(&policy[..self.rows * ACTIONS]);
            memory.values.get_mut(&filled).copy_from_slice(&values[..self.rows * MAX_PLAYERS]);
        }
    }

    /// The outputs stand where they belong.
    pub(crate) fn answer(self) {
        self.buffer.answered.store(true, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(count: usize, mark: u8) -> Vec<Row> {
        (0..count).map(|k| Row { features: [mark + k as u8; FEATURES], legal: EncodedActionSet::bids(k) }).collect()
    }

    #[test]
    fn each_row_comes_back_with_its_own_outputs() {
        let mut open = OpenBuffer::new(5);
        let (first, second) = (open.claim(2), open.claim(3));
        assert_eq!(open.room(), 0);
        // Filled by two threads at once.
        let (first, second) = std::thread::scope(|scope| {
            let first = scope.spawn(|| first.fill(&rows(2, 10)));
            let second = scope.spawn(|| second.fill(&rows(3, 20)));
            (first.join().expect("filled"), second.join().expect("filled"))
        });
        let second = open.commit(second);
        // Not all that was claimed is committed, so nothing goes to the evaluator.
        let mut open = open.close().expect_err("two rows are missing");
        let first = open.commit(first);
        let mut filled = open.close().expect("all rows are there");
        let (features, legal) = filled.inputs();
        assert_eq!(
            features.as_chunks::<FEATURES>().0.iter().map(|row| row[0]).collect::<Vec<_>>(),
            [10, 11, 20, 21, 22]
        );
        let legal = legal.as_chunks::<ACTIONS>().0.iter().map(|row| row.iter().filter(|&&flag| flag).count());
        assert_eq!(legal.collect::<Vec<_>>(), [1, 2, 1, 2, 3]);
        let policy: Vec<f32> = (0..5 * ACTIONS).map(|k| (k / ACTIONS) as f32).collect();
        let values: Vec<f32> = (0..5 * MAX_PLAYERS).map(|k| -((k / MAX_PLAYERS) as f32)).collect();
        filled.write(&policy, &values);
        filled.answer();
        assert_eq!(first.outputs().0, [[0.0; ACTIONS], [1.0; ACTIONS]]);
        assert_eq!(second.outputs().1, [[-2.0; MAX_PLAYERS], [-3.0; MAX_PLAYERS], [-4.0; MAX_PLAYERS]]);
    }

    #[test]
    fn a_buffer_opens_again_when_nobody_holds_it() {
        let mut open = OpenBuffer::new(1);
        let requested = open.claim(1).fill(&rows(1, 1));
        let requested = open.commit(requested);
        let filled = open.close().expect("all rows are there");
        let view = Arc::clone(filled.buffer());
        let block = Arc::clone(view.block());
        filled.answer();
        let buffer = OpenBuffer::reopen(requested.into_buffer()).expect_err("a view of its inputs is held");
        drop(view);
        let mut open = OpenBuffer::reopen(buffer).expect("nobody holds it, only its memory");
        assert!(Arc::ptr_eq(&block, open.buffer.block()));
        let filled = open.claim(1).fill(&rows(1, 1));
        let requested = open.commit(filled);
        let early = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| requested.outputs().0[0][0]));
        assert!(early.is_err(), "the outputs of the last batch are not read as those of the next: {early:?}");
    }

    #[test]
    fn outputs_can_be_written_where_they_belong() {
        let mut open = OpenBuffer::new(2);
        let filled = open.claim(2).fill(&rows(2, 1));
        let requested = open.commit(filled);
        let filled = open.close().expect("all rows are there");
        let (policy, values) = filled.outputs();
        // SAFETY: this thread alone writes, and the buffer is not answered yet.
        unsafe {
            (&mut *policy)[ACTIONS] = 3.0;
            (&mut *values)[1] = -2.0;
        }
        filled.answer();
        let (policy, values) = requested.outputs();
        assert_eq!((policy[1][0], values[0][1]), (3.0, -2.0));
    }

    #[test]
    #[should_panic(expected = "claimed from")]
    fn rows_of_another_buffer_are_refused() {
        let filled = OpenBuffer::new(1).claim(1).fill(&rows(1, 1));
        OpenBuffer::new(1).commit(filled);
    }
}
