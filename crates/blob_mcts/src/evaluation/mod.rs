//! How leaves reach their evaluator: a search's requests, its round's cache, and the batches that many rounds fill.

pub(crate) mod batch_buffer;
mod batch_holder;
mod batch_memory;
pub(crate) mod batch_queue;
pub(crate) mod cache;
pub(crate) mod requests;

pub use batch_buffer::BatchBuffer;
pub use batch_memory::MemoryBlock;
pub use batch_queue::{BatchQueue, FilledBatch, NextBatch};
