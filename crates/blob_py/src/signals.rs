//! Python's signals, Ctrl-C among them, while Rust runs without the GIL.

use std::time::{Duration, Instant};

use pyo3::prelude::*;

/// How often a run looks. Each look waits for the GIL.
pub(crate) const SIGNAL_INTERVAL: Duration = Duration::from_millis(50);

/// Looks about 20 times a second whether Python wants a run to end, and keeps the exception that ends it.
pub(crate) struct SignalCheck<F> {
    /// Asked beside the signals.
    keep_going: F,
    look_at: Instant,
    raised: Option<PyErr>,
}

impl<F: FnMut(Python<'_>) -> PyResult<bool>> SignalCheck<F> {
    pub(crate) fn new(keep_going: F) -> Self {
        Self { keep_going, look_at: Instant::now() + SIGNAL_INTERVAL, raised: None }
    }

    /// Whether the run should go on.
    pub(crate) fn go_on(&mut self) -> bool {
        if Instant::now() < self.look_at {
            return true;
        }
        let answer = Python::attach(|py| py.check_signals().and_then(|()| (self.keep_going)(py)));
        self.look_at = Instant::now() + SIGNAL_INTERVAL;
        answer.unwrap_or_else(|error| {
            self.raised = Some(error);
            false
        })
    }

    /// Raises the exception that ended the run, if one did.
    pub(crate) fn raise(self) -> PyResult<()> {
        self.raised.map_or(Ok(()), Err)
    }
}
