//! How leaves reach their evaluator: requests of one round, its cache, and the batches that many rounds fill.

pub(crate) mod batch_buffer;
pub(crate) mod batch_queue;
pub(crate) mod cache;
pub(crate) mod requests;

pub use batch_buffer::BatchBuffer;
pub use batch_queue::{BatchQueue, FilledBatch, NextBatch};
pub use cache::{CacheUse, time_cache};
