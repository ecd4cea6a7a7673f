//! Actions: a bid in the bidding, a card in the play, both as a number below 52.

use std::fmt;

use crate::card::{Card, CardSet, PACK};

/// Number of distinct actions.
pub const ACTIONS: usize = PACK;

/// A bid (the number itself) or a card (its index), by the phase it is used in.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Action(u8);

impl Action {
    /// The action with this number, if it is below 52.
    #[inline]
    pub const fn from_index(index: usize) -> Option<Self> {
        if index < ACTIONS { Some(Self(index as u8)) } else { None }
    }

    /// Playing a card.
    #[inline]
    pub const fn play(card: Card) -> Self {
        Self(card.index())
    }

    /// 0 … 51.
    #[inline]
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// The number of tricks bid, where this is an action of the bidding.
    #[inline]
    pub const fn as_bid(self) -> u8 {
        self.0
    }

    /// The card played, where this is an action of the play.
    #[inline]
    pub fn as_card(self) -> Card {
        Card::from_index(self.0).expect("an action is below 52")
    }
}

impl fmt::Debug for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Action({})", self.0)
    }
}

/// A set of actions: bit `i` is action `i`.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct ActionSet(u64);

impl ActionSet {
    /// No action.
    pub const EMPTY: Self = Self(0);

    /// The cards of a set, as actions.
    #[inline]
    pub const fn cards(cards: CardSet) -> Self {
        Self(cards.bits())
    }

    /// The bids 0 … `most`.
    #[inline]
    pub const fn bids(most: usize) -> Self {
        Self((1 << (most + 1)) - 1)
    }

    /// The set without an action.
    #[inline]
    #[must_use]
    pub const fn without(self, action: Action) -> Self {
        Self(self.0 & !(1 << action.0))
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
    pub const fn contains(self, action: Action) -> bool {
        self.0 >> action.0 & 1 == 1
    }

    /// The action with the lowest number.
    #[inline]
    pub const fn first(self) -> Option<Action> {
        if self.0 == 0 { None } else { Some(Action(self.0.trailing_zeros() as u8)) }
    }

    /// Writes a byte of 0 or 1 for each action.
    #[inline]
    pub fn write_flags(self, out: &mut [u8; ACTIONS]) {
        CardSet::from_bits(self.0).unwrap_or_default().write_flags(out);
    }

    /// Actions in ascending order.
    #[inline]
    pub fn iter(self) -> impl ExactSizeIterator<Item = Action> {
        CardSet::from_bits(self.0).unwrap_or_default().iter().map(Action::play)
    }
}

impl fmt::Debug for ActionSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(Action::index)).finish()
    }
}
