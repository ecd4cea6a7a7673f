//! A look, now and then, whether a search should go on.

/// Steps between two looks: a step is a walk through a tree and at most one playout, so this is some milliseconds.
const STEPS: u32 = 4096;

/// Asks a caller whether to go on, once in several thousand steps of a search.
///
/// Walks that end in a finished round need no evaluation, so a search can take millions of steps between two
/// evaluations. It counts steps, and neither evaluations nor calls.
#[derive(Debug)]
pub struct Interrupt<F> {
    keep_going: F,
    steps_left: u32,
}

impl<F: FnMut() -> bool> Interrupt<F> {
    /// `keep_going` returns false to stop the search.
    pub const fn new(keep_going: F) -> Self {
        Self { keep_going, steps_left: STEPS }
    }

    /// Counts a step; returns false if the search should stop.
    #[inline]
    pub(crate) fn goes_on(&mut self) -> bool {
        self.steps_left -= 1;
        if self.steps_left > 0 {
            return true;
        }
        self.steps_left = STEPS;
        (self.keep_going)()
    }
}
