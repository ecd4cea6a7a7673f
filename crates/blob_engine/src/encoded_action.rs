//! Actions as the encoding names them: an evaluator's legal masks and policies speak of these, never of the real pack.
//!
//! They are types of their own, so that an action of the real pack cannot be looked up in a policy by mistake.
//! [`CardNames`](crate::CardNames) translates.

use std::fmt;

use crate::action::{ACTIONS, ActionSet};
use crate::card::CardSet;

/// An action as the encoding names it: its place in a policy, 0 … 51.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EncodedAction(u8);

impl EncodedAction {
    /// The action at a place below 52.
    #[inline]
    pub(crate) const fn new(index: u8) -> Self {
        debug_assert!(index < ACTIONS as u8);
        Self(index)
    }

    /// Its place in a policy, 0 … 51.
    #[inline]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Debug for EncodedAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EncodedAction({})", self.0)
    }
}

/// A set of encoded actions: bit `i` is place `i` of a policy.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct EncodedActionSet(u64);

impl EncodedActionSet {
    /// No action.
    pub const EMPTY: Self = Self(0);

    /// The set with these bits; `None` if one stands above bit 51.
    #[inline]
    pub const fn from_bits(bits: u64) -> Option<Self> {
        match CardSet::from_bits(bits) {
            Some(set) => Some(Self(set.bits())),
            None => None,
        }
    }

    /// The bids 0 … `most`, which keep their numbers.
    #[inline]
    pub const fn bids(most: usize) -> Self {
        Self(ActionSet::bids(most).bits())
    }

    /// One bit for each action.
    #[inline]
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// Number of actions.
    #[inline]
    pub const fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Whether there is none.
    #[inline]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether the action is in the set.
    #[inline]
    pub const fn contains(self, action: EncodedAction) -> bool {
        self.0 >> action.0 & 1 == 1
    }

    /// Writes a byte of 0 or 1 for each action: a row of a legal mask.
    #[inline]
    pub fn write_flags(self, out: &mut [u8; ACTIONS]) {
        self.places().write_flags(out);
    }

    /// Actions in ascending order of their place.
    #[inline]
    pub fn iter(self) -> impl ExactSizeIterator<Item = EncodedAction> {
        self.places().iter().map(|card| EncodedAction(card.index()))
    }

    /// The same bits as a set over the pack, whose bit tricks serve here too.
    #[inline]
    fn places(self) -> CardSet {
        CardSet::from_bits(self.0).unwrap_or_default()
    }
}

impl fmt::Debug for EncodedActionSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(EncodedAction::index)).finish()
    }
}
