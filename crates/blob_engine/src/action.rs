//! Actions of the real pack: a bid in bidding, a card in play, both as a number below 52.

use std::fmt;
use std::ops::{BitAnd, Sub};

use rand::Rng;

use crate::card::{Card, CardSet, PACK};
use crate::rng::below;
use crate::rules::MAX_CARDS;

/// Number of distinct actions.
pub const ACTIONS: usize = PACK;

/// A bid (the number itself) or a card (its index); the phase of the round decides which.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Action(u8);

impl Action {
    /// The action with this number, if it is below 52.
    #[inline]
    pub const fn from_index(index: usize) -> Option<Self> {
        if index < ACTIONS { Some(Self(index as u8)) } else { None }
    }

    /// Bidding a number of tricks, at most 13.
    ///
    /// # Panics
    /// If it is above 13.
    #[inline]
    pub const fn bid(tricks: u8) -> Self {
        assert!(tricks as usize <= MAX_CARDS, "a bid is 0 to 13");
        Self(tricks)
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

    /// The number of tricks bid, for an action in bidding.
    #[inline]
    pub const fn as_bid(self) -> u8 {
        self.0
    }

    /// The card played, for an action in play.
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

    /// Plays of the cards of a set.
    #[inline]
    pub const fn cards(cards: CardSet) -> Self {
        Self(cards.bits())
    }

    /// The bids 0 … `most`.
    #[inline]
    pub const fn bids(most: usize) -> Self {
        Self((1 << (most + 1)) - 1)
    }

    /// The set with an action.
    #[inline]
    #[must_use]
    pub const fn with(self, action: Action) -> Self {
        Self(self.0 | 1 << action.0)
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

    /// How many actions of the set have a lower number.
    #[inline]
    pub const fn rank(self, action: Action) -> u32 {
        (self.0 & ((1 << action.0) - 1)).count_ones()
    }

    /// The action with the lowest number.
    #[inline]
    pub const fn first(self) -> Option<Action> {
        if self.0 == 0 { None } else { Some(Action(self.0.trailing_zeros() as u8)) }
    }

    /// The cards of the set, for actions in play.
    #[inline]
    pub fn as_cards(self) -> CardSet {
        CardSet::from_bits(self.0).unwrap_or_default()
    }

    /// An action drawn uniformly; `None` from an empty set.
    #[inline]
    pub fn choose(self, rng: &mut impl Rng) -> Option<Action> {
        if self.0 == 0 {
            return None;
        }
        let counts = counts_up_to(self.0);
        let n = below(rng, (counts >> 56) as u32);
        Some(Action(nth_one(self.0, counts, n)))
    }

    /// Actions in ascending order.
    #[inline]
    pub fn iter(self) -> impl ExactSizeIterator<Item = Action> {
        self.as_cards().iter().map(Action::play)
    }
}

impl BitAnd for ActionSet {
    type Output = Self;
    #[inline]
    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl Sub for ActionSet {
    type Output = Self;
    #[inline]
    fn sub(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

const EACH_BYTE: u64 = 0x0101_0101_0101_0101;

/// Each byte holds the number of ones of `bits` in that byte and all bytes below; the top byte counts them all.
#[inline]
const fn counts_up_to(bits: u64) -> u64 {
    let pairs = bits - (bits >> 1 & 0x5555_5555_5555_5555);
    let nibbles = (pairs & 0x3333_3333_3333_3333) + (pairs >> 2 & 0x3333_3333_3333_3333);
    ((nibbles + (nibbles >> 4)) & 0x0F0F_0F0F_0F0F_0F0F).wrapping_mul(EACH_BYTE)
}

/// The place of the one with `n` ones below it; `n` is less than the number of ones, `counts` is [`counts_up_to`].
///
/// Broadword selection without a loop (Vigna 2008, "Broadword implementation of rank/select queries"). In random play
/// the end of a loop over the ones cannot be predicted.
#[inline]
fn nth_one(bits: u64, counts: u64, n: u32) -> u8 {
    // Bytes that end at or before the wanted one: those whose top bit survives, where the count is at most n.
    let full = ((u64::from(n) * EACH_BYTE + 0x8080_8080_8080_8080) - counts) >> 7 & EACH_BYTE;
    let start = full.wrapping_mul(EACH_BYTE) >> 56 << 3;
    let rest = n - ((counts << 8) >> start & 0xFF) as u32;
    start as u8 + NTH_ONE_OF_BYTE[(bits >> start & 0xFF) as usize][rest as usize & 7]
}

/// Entry `[byte][n]` is the place of the one of `byte` with `n` ones below it.
static NTH_ONE_OF_BYTE: [[u8; 8]; 256] = {
    let mut table = [[0; 8]; 256];
    let mut byte = 0;
    while byte < 256 {
        let (mut place, mut n) = (0, 0);
        while place < 8 {
            if byte >> place & 1 == 1 {
                table[byte][n] = place as u8;
                n += 1;
            }
            place += 1;
        }
        byte += 1;
    }
    table
};

impl fmt::Debug for ActionSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(Action::index)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, stream};

    #[test]
    fn the_nth_one_is_where_a_walk_finds_it() {
        let mut rng = stream(3, Purpose::Test, &[]);
        let random = (0..2_000).map(|k| (rng.next_u64() & rng.next_u64() >> (k % 50)) & CardSet::FULL.bits());
        for bits in random.chain([1, 1 << 51, CardSet::FULL.bits(), 0x80, 0x100]) {
            let counts = counts_up_to(bits);
            assert_eq!((counts >> 56) as u32, bits.count_ones());
            for (n, place) in (0..64).filter(|place| bits >> place & 1 == 1).enumerate() {
                assert_eq!(nth_one(bits, counts, n as u32), place, "one {n} of {bits:#x}");
            }
        }
    }

    #[test]
    fn every_action_is_chosen_equally_often() {
        let set = ActionSet(1 << 3 | 1 << 7 | 1 << 8 | 1 << 51);
        let mut rng = stream(4, Purpose::Test, &[]);
        let mut counts = [0u32; ACTIONS];
        for _ in 0..40_000 {
            counts[set.choose(&mut rng).expect("not empty").index()] += 1;
        }
        // Six standard deviations of a count with mean 10,000.
        assert!(set.iter().all(|action| counts[action.index()].abs_diff(10_000) < 520), "{counts:?}");
        assert_eq!(counts.iter().sum::<u32>(), set.iter().map(|action| counts[action.index()]).sum());
        assert_eq!(ActionSet::EMPTY.choose(&mut rng), None);
    }
}
