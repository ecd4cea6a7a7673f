//! The memory of a batch, and with it the unsafe code of this crate: what is promised here, the batch queue keeps.
//!
//! Many workers fill one buffer at once, each its own rows, and the evaluator then reads all of them in place. A slice
//! behind a lock would make workers wait for each other; a buffer of its own for each worker would have to be copied
//! together for the evaluator. So rows are handed out as claims, which are disjoint by construction.

use std::cell::UnsafeCell;
use std::ops::Range;

use blob_engine::{ACTIONS, FEATURES, MAX_PLAYERS};

/// A table of rows that disjoint claims may write at once.
struct Rows<T> {
    cells: Box<[UnsafeCell<T>]>,
    width: usize,
}

// SAFETY: all access through a shared reference goes through `get` and `get_mut`, whose callers promise that nobody
// writes a row that another reads or writes at the same time.
unsafe impl<T: Send + Sync> Sync for Rows<T> {}

impl<T: Copy + Default> Rows<T> {
    fn new(rows: usize, width: usize) -> Self {
        Self { cells: (0..rows * width).map(|_| UnsafeCell::new(T::default())).collect(), width }
    }

    fn cells(&self, rows: &Range<usize>) -> &[UnsafeCell<T>] {
        &self.cells[rows.start * self.width..rows.end * self.width]
    }

    /// # Safety
    /// Nobody writes these rows while the slice lives.
    unsafe fn get(&self, rows: &Range<usize>) -> &[T] {
        let cells = self.cells(rows);
        // SAFETY: `UnsafeCell<T>` has the layout of `T`, the range was checked against the slice, and the caller
        // promises that there is no writer.
        unsafe { std::slice::from_raw_parts(cells.as_ptr().cast::<T>(), cells.len()) }
    }

    /// # Safety
    /// Nobody else reads or writes these rows while the slice lives.
    #[allow(clippy::mut_from_ref)] // The point of the type; see its safety contract.
    unsafe fn get_mut(&self, rows: &Range<usize>) -> &mut [T] {
        let cells = self.cells(rows);
        // SAFETY: as in `get`, and `UnsafeCell` allows writing through a shared reference; the caller promises that
        // there is no other access.
        unsafe { std::slice::from_raw_parts_mut(cells.as_ptr() as *mut T, cells.len()) }
    }
}

/// The rows of one batch: features and legal masks in, policies and values out.
pub struct BatchBuffer {
    rows: usize,
    features: Rows<u8>,
    legal: Rows<u8>,
    policy: Rows<f32>,
    values: Rows<f32>,
}

impl std::fmt::Debug for BatchBuffer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BatchBuffer").field("rows", &self.rows).finish_non_exhaustive()
    }
}

/// Rows of a buffer that one worker fills, or reads the results of. No two live claims of a buffer share a row.
#[derive(Debug)]
pub(crate) struct RowClaim {
    buffer: std::sync::Arc<BatchBuffer>,
    rows: Range<usize>,
}

impl RowClaim {
    /// # Safety
    /// The rows lie in the buffer, no other claim of this buffer shares a row, and the inputs are read by an evaluator
    /// only while no claim is being filled.
    pub(crate) const unsafe fn new(buffer: std::sync::Arc<BatchBuffer>, rows: Range<usize>) -> Self {
        Self { buffer, rows }
    }

    pub(crate) const fn buffer(&self) -> &std::sync::Arc<BatchBuffer> {
        &self.buffer
    }

    pub(crate) fn into_buffer(self) -> std::sync::Arc<BatchBuffer> {
        self.buffer
    }

    pub(crate) fn rows(&self) -> Range<usize> {
        self.rows.clone()
    }

    /// The features, 256 a row, and the legal masks, 52 bytes of 0 or 1 a row, to fill.
    pub(crate) fn inputs_mut(&mut self) -> (&mut [[u8; FEATURES]], &mut [[u8; ACTIONS]]) {
        // SAFETY: this claim is the only one of its rows, it is borrowed mutably, and no evaluator reads them yet.
        let (features, legal) =
            unsafe { (self.buffer.features.get_mut(&self.rows), self.buffer.legal.get_mut(&self.rows)) };
        (features.as_chunks_mut().0, legal.as_chunks_mut().0)
    }

    /// Policies and values, once the evaluator has completed the batch.
    pub(crate) fn outputs(&self) -> (&[[f32; ACTIONS]], &[[f32; MAX_PLAYERS]]) {
        // SAFETY: a group reads its results after the batch was completed, and nobody writes them after that until
        // every claim of the batch is given back.
        let (policy, values) = unsafe { (self.buffer.policy.get(&self.rows), self.buffer.values.get(&self.rows)) };
        (policy.as_chunks().0, values.as_chunks().0)
    }
}

impl BatchBuffer {
    /// A buffer of `rows` rows.
    pub(crate) fn new(rows: usize) -> Self {
        Self {
            rows,
            features: Rows::new(rows, FEATURES),
            legal: Rows::new(rows, ACTIONS),
            policy: Rows::new(rows, ACTIONS),
            values: Rows::new(rows, MAX_PLAYERS),
        }
    }

    /// Rows of the buffer.
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// Features and legal masks of all rows, filled or not.
    ///
    /// # Safety
    /// No claim of this buffer is being filled: the batch is at its evaluator, and the slices do not outlive that.
    pub(crate) unsafe fn inputs(&self) -> (&[u8], &[u8]) {
        // SAFETY: promised by the caller.
        unsafe { (self.features.get(&(0..self.rows)), self.legal.get(&(0..self.rows))) }
    }

    /// Writes the outputs of the first rows.
    ///
    /// # Safety
    /// The batch is at its evaluator: no claim reads its outputs, and nobody else writes them.
    pub(crate) unsafe fn write_outputs(&self, policy: &[f32], values: &[f32]) {
        let rows = 0..policy.len() / ACTIONS;
        // SAFETY: promised by the caller.
        unsafe {
            self.policy.get_mut(&rows).copy_from_slice(policy);
            self.values.get_mut(&rows).copy_from_slice(values);
        }
    }
}
