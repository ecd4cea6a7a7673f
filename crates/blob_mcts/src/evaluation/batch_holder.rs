//! Which thread holds a batch that is at its evaluator.

use std::sync::atomic::{AtomicU64, Ordering};

/// The thread that took a batch, or that read its inputs last.
#[derive(Debug)]
pub(crate) struct BatchHolder(AtomicU64);

impl BatchHolder {
    /// The calling thread holds the batch.
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(calling_thread()))
    }

    /// From now on the calling thread holds it.
    pub(crate) fn take_over(&self) {
        self.0.store(calling_thread(), Ordering::Relaxed);
    }

    /// Whether the calling thread holds it.
    pub(crate) fn is_me(&self) -> bool {
        self.0.load(Ordering::Relaxed) == calling_thread()
    }
}

/// A number of the calling thread that no other thread ever has.
fn calling_thread() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    thread_local! {
        static NUMBER: u64 = NEXT.fetch_add(1, Ordering::Relaxed);
    }
    NUMBER.with(|&number| number)
}
