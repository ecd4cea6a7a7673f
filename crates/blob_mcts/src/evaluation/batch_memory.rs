//! One block of memory for the rows of a batch.
//!
//! The block starts and ends on a page boundary and shares no page with anything else, so that a driver can page-lock
//! it and a device can copy from and to it.

use std::cell::UnsafeCell;
use std::marker::PhantomData;
use std::ops::Range;
use std::sync::Arc;

use blob_engine::{ACTIONS, FEATURES, MAX_PLAYERS};

/// The largest page in common use, in bytes.
const PAGE: usize = 1 << 16;

/// The memory of one batch. It stays where it is until the last reference is dropped.
pub struct MemoryBlock {
    cells: Box<[UnsafeCell<u8>]>,
    /// Where the first page starts in `cells`.
    start: usize,
    bytes: usize,
}

// SAFETY: only `SharedCells` accesses the bytes; see there.
unsafe impl Sync for MemoryBlock {}

impl std::fmt::Debug for MemoryBlock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MemoryBlock").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

impl MemoryBlock {
    /// A block of zeros of at least `bytes` bytes, in whole pages.
    fn new(bytes: usize) -> Self {
        let bytes = bytes.next_multiple_of(PAGE);
        // Not aligned by the allocator, which would then write the zeros itself: fresh pages cost nothing until
        // somebody fills them.
        let cells = Box::into_raw(vec![0_u8; bytes + PAGE].into_boxed_slice());
        // SAFETY: `UnsafeCell<u8>` has the layout of `u8`, and the box is given up by `into_raw`.
        let cells = unsafe { Box::from_raw(cells as *mut [UnsafeCell<u8>]) };
        let start = cells.as_ptr().addr().next_multiple_of(PAGE) - cells.as_ptr().addr();
        Self { cells, start, bytes }
    }

    /// The address of its first byte.
    pub fn address(&self) -> usize {
        self.cells.as_ptr().addr() + self.start
    }

    /// Its size in bytes.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }
}

/// A part of a block that several threads access at once, each its own range of rows.
pub(super) struct SharedCells<T> {
    block: Arc<MemoryBlock>,
    /// Byte of the block at which the first row starts.
    start: usize,
    rows: usize,
    width: usize,
    of: PhantomData<T>,
}

impl<T: Copy> SharedCells<T> {
    /// The cells of these rows.
    pub(super) fn pointer(&self, rows: &Range<usize>) -> *mut [T] {
        assert!(rows.start <= rows.end && rows.end <= self.rows, "rows {rows:?} of {}", self.rows);
        let start = self.block.start + self.start + rows.start * self.width * size_of::<T>();
        let length = rows.len() * self.width;
        let cells = &self.block.cells[start..start + length * size_of::<T>()];
        // Writing through a shared reference is what `UnsafeCell` allows.
        std::ptr::slice_from_raw_parts_mut(cells.as_ptr().cast::<T>().cast_mut(), length)
    }

    /// # Safety
    /// Nobody writes these rows while the slice lives.
    pub(super) unsafe fn get(&self, rows: &Range<usize>) -> &[T] {
        // SAFETY: the rows lie within the block, aligned, as a `T` from the start (`BatchMemory::new`); no one writes.
        unsafe { &*self.pointer(rows) }
    }

    /// # Safety
    /// Nobody else reads or writes these rows while the slice lives.
    #[allow(clippy::mut_from_ref)] // The point of the type; see its safety contract.
    pub(super) unsafe fn get_mut(&self, rows: &Range<usize>) -> &mut [T] {
        // SAFETY: as in `get`, and there is no other access.
        unsafe { &mut *self.pointer(rows) }
    }
}

/// The inputs and outputs of a batch, one after another in one block.
pub(super) struct BatchMemory {
    pub(super) rows: usize,
    pub(super) features: SharedCells<u8>,
    pub(super) legal: SharedCells<bool>,
    pub(super) policy: SharedCells<f32>,
    pub(super) values: SharedCells<f32>,
}

impl BatchMemory {
    /// Zeros: rows without a legal action.
    pub(super) fn new(rows: usize) -> Self {
        let widths = [FEATURES, ACTIONS * size_of::<f32>(), MAX_PLAYERS * size_of::<f32>(), ACTIONS];
        // The widest alignment first: each part of `f32` starts at a multiple of 4 bytes, whatever the rows. Zero is a
        // number of each of these types.
        let [features, policy, values, legal] = starts(rows, widths);
        let block = Arc::new(MemoryBlock::new(rows * widths.iter().sum::<usize>()));
        Self {
            rows,
            features: cells(&block, features, rows, FEATURES),
            legal: cells(&block, legal, rows, ACTIONS),
            policy: cells(&block, policy, rows, ACTIONS),
            values: cells(&block, values, rows, MAX_PLAYERS),
        }
    }

    pub(super) const fn block(&self) -> &Arc<MemoryBlock> {
        &self.features.block
    }
}

/// The byte at which each part starts, for rows of these bytes.
fn starts<const PARTS: usize>(rows: usize, widths: [usize; PARTS]) -> [usize; PARTS] {
    std::array::from_fn(|k| rows * widths[..k].iter().sum::<usize>())
}

fn cells<T>(block: &Arc<MemoryBlock>, start: usize, rows: usize, width: usize) -> SharedCells<T> {
    SharedCells { block: Arc::clone(block), start, rows, width, of: PhantomData }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_share_whole_pages_and_no_byte() {
        for rows in [1, 7, 64, 1000] {
            let memory = BatchMemory::new(rows);
            let block = memory.block();
            assert!(block.address().is_multiple_of(PAGE) && block.bytes().is_multiple_of(PAGE));
            let all = 0..rows;
            let range = |start: usize, bytes: usize| start..start + bytes;
            let mut parts = [
                range(memory.features.pointer(&all).addr(), rows * FEATURES),
                range(memory.legal.pointer(&all).addr(), rows * ACTIONS),
                range(memory.policy.pointer(&all).addr(), rows * ACTIONS * 4),
                range(memory.values.pointer(&all).addr(), rows * MAX_PLAYERS * 4),
            ];
            parts.sort_by_key(|part| part.start);
            assert!(parts.windows(2).all(|pair| pair[0].end <= pair[1].start), "{parts:?}");
            assert!(parts[0].start >= block.address() && parts[3].end <= block.address() + block.bytes());
            assert!(memory.policy.pointer(&all).cast::<f32>().is_aligned());
            assert!(memory.values.pointer(&all).cast::<f32>().is_aligned());
        }
    }
}
