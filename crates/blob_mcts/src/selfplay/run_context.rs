//! What all groups of a run share: the plan, the rounds still to play, and the stop flag.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::search::ismcts::Ismcts;
use crate::selfplay::agent::Plan;
use crate::selfplay::carry_over::RoundSoFar;

/// A run of a plan, as its groups see it.
#[derive(Debug)]
pub(crate) struct RunContext {
    pub(crate) plan: Plan,
    /// Rounds of an earlier run that are played to their end before new ones begin.
    pub(crate) carried: Vec<RoundSoFar>,
    /// Whether decisions are recorded.
    pub(crate) record: bool,
    /// Capacity of a round's cache, for each agent that searches.
    pub(crate) cache_entries: usize,
    /// Calls of [`Self::next_round`].
    pub(crate) handed_out: AtomicU64,
    pub(crate) stop: AtomicBool,
    /// Memory of ISMCTS trees, for the next search: one for each that ran at the same time.
    pub(crate) trees: Mutex<Vec<Ismcts>>,
}

impl RunContext {
    /// The next round to play, if one is left.
    pub(crate) fn next_round(&self) -> Option<RoundSoFar> {
        let handed_out = self.handed_out.fetch_add(1, Ordering::Relaxed);
        let carried = self.carried.len() as u64;
        if handed_out < carried {
            return Some(self.carried[handed_out as usize].clone());
        }
        let new = handed_out - carried;
        (new < self.plan.rounds).then(|| RoundSoFar::new(self.plan.first_round + new))
    }

    /// Runs a search with the memory of an earlier one.
    pub(crate) fn with_tree<T>(&self, search: impl FnOnce(&mut Ismcts) -> T) -> T {
        let trees = || self.trees.lock().unwrap_or_else(PoisonError::into_inner);
        let mut tree = trees().pop().unwrap_or_default();
        let found = search(&mut tree);
        trees().push(tree);
        found
    }

    /// Whether the run was stopped.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}
