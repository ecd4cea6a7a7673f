//! Cards, suits, and sets of cards as bit boards.

use std::fmt;
use std::ops::{BitAnd, BitOr, Not, Sub};
use std::str::FromStr;

use crate::error::RulesError;

/// Cards in the pack.
pub const PACK: usize = 52;
/// Cards of each suit.
pub const RANKS: usize = 13;
/// Number of suits.
pub const SUITS: usize = 4;

const RANK_TEXT: &[u8; RANKS] = b"23456789TJQKA";

/// The suit of each card index. The length is a power of two, so that a lookup needs neither a division nor a bounds
/// check.
const SUIT_OF: [Suit; 64] = {
    let mut table = [Suit::Spades; 64];
    let mut index = 0;
    while index < PACK {
        table[index] = Suit::ALL[index / RANKS];
        index += 1;
    }
    table
};

/// A suit; its number is the card index divided by 13.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Suit {
    /// `S`
    Spades,
    /// `H`
    Hearts,
    /// `C`
    Clubs,
    /// `D`
    Diamonds,
}

impl Suit {
    /// All suits in the order of the card index.
    pub const ALL: [Self; SUITS] = [Self::Spades, Self::Hearts, Self::Clubs, Self::Diamonds];

    /// 0 … 3.
    #[inline]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// One of `S H C D`.
    pub const fn letter(self) -> char {
        match self {
            Self::Spades => 'S',
            Self::Hearts => 'H',
            Self::Clubs => 'C',
            Self::Diamonds => 'D',
        }
    }

    /// The suit of one of the letters `S H C D`.
    pub fn from_letter(letter: char) -> Option<Self> {
        Self::ALL.into_iter().find(|suit| suit.letter() == letter)
    }
}

impl fmt::Display for Suit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.letter())
    }
}

/// A playing card, held as its index `suit * 13 + rank` in 0 … 51.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Card(u8);

impl Card {
    /// The card with this index; `None` from 52 on.
    #[inline]
    pub const fn from_index(index: u8) -> Option<Self> {
        if index < PACK as u8 { Some(Self(index)) } else { None }
    }

    /// The card of a suit and a rank 0 … 12 (2 … A).
    ///
    /// # Panics
    /// If the rank is above 12.
    pub const fn new(suit: Suit, rank: u8) -> Self {
        assert!(rank < RANKS as u8, "a rank is 0 to 12");
        Self(suit as u8 * RANKS as u8 + rank)
    }

    /// `suit * 13 + rank`, 0 … 51.
    #[inline]
    pub const fn index(self) -> u8 {
        self.0
    }

    /// The card's suit.
    #[inline]
    pub const fn suit(self) -> Suit {
        SUIT_OF[self.0 as usize % SUIT_OF.len()]
    }

    /// 0 for a two … 12 for an ace.
    #[inline]
    pub const fn rank(self) -> u8 {
        self.0 % RANKS as u8
    }
}

impl fmt::Display for Card {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", char::from(RANK_TEXT[self.rank() as usize]), self.suit())
    }
}

impl fmt::Debug for Card {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Card {
    type Err = RulesError;

    /// Reads rank then suit, `AS TD 2C`.
    fn from_str(text: &str) -> Result<Self, RulesError> {
        let mut letters = text.chars();
        if let (Some(rank), Some(suit), None) = (letters.next(), letters.next(), letters.next())
            && let Some(rank) = RANK_TEXT.iter().position(|&r| char::from(r) == rank)
            && let Some(suit) = Suit::from_letter(suit)
        {
            return Ok(Self::new(suit, rank as u8));
        }
        Err(RulesError::UnknownCard { text: text.into() })
    }
}

/// A set of cards: bit `i` is the card with index `i`.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct CardSet(u64);

impl CardSet {
    /// No card.
    pub const EMPTY: Self = Self(0);
    /// The whole pack.
    pub const FULL: Self = Self((1 << PACK) - 1);

    /// The set with these bits; `None` if one stands above bit 51.
    #[inline]
    pub const fn from_bits(bits: u64) -> Option<Self> {
        if bits & !Self::FULL.0 == 0 { Some(Self(bits)) } else { None }
    }

    /// All cards of a suit.
    #[inline]
    pub const fn of_suit(suit: Suit) -> Self {
        Self(((1 << RANKS) - 1) << (suit as u32 * RANKS as u32))
    }

    /// One bit for each card.
    #[inline]
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// Number of cards.
    #[inline]
    pub const fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Whether there is no card.
    #[inline]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether the card is in the set.
    #[inline]
    pub const fn contains(self, card: Card) -> bool {
        self.0 >> card.0 & 1 == 1
    }

    /// The set with the card.
    #[inline]
    #[must_use]
    pub const fn with(self, card: Card) -> Self {
        Self(self.0 | 1 << card.0)
    }

    /// The set without the card.
    #[inline]
    #[must_use]
    pub const fn without(self, card: Card) -> Self {
        Self(self.0 & !(1 << card.0))
    }

    /// The cards of one suit.
    #[inline]
    #[must_use]
    pub const fn in_suit(self, suit: Suit) -> Self {
        Self(self.0 & Self::of_suit(suit).0)
    }

    /// Whether the sets share no card.
    #[inline]
    pub const fn is_disjoint(self, other: Self) -> bool {
        self.0 & other.0 == 0
    }

    /// The card with the lowest index.
    #[inline]
    pub const fn first(self) -> Option<Card> {
        if self.0 == 0 { None } else { Some(Card(self.0.trailing_zeros() as u8)) }
    }

    /// The card with the highest index.
    #[inline]
    pub const fn last(self) -> Option<Card> {
        if self.0 == 0 { None } else { Some(Card(63 - self.0.leading_zeros() as u8)) }
    }

    /// Writes a byte of 0 or 1 for each card, in ascending order of their index.
    #[inline]
    pub fn write_flags(self, out: &mut [u8]) {
        for (k, bytes) in out.chunks_mut(8).enumerate() {
            let copies = (self.0 >> (8 * k) & 0xFF).wrapping_mul(0x0101_0101_0101_0101);
            // Byte i keeps bit i of its copy; adding 0x7F carries any kept bit into the byte's top bit.
            let kept = copies & 0x8040_2010_0804_0201;
            let flags = (kept + 0x7F7F_7F7F_7F7F_7F7F) >> 7 & 0x0101_0101_0101_0101;
            bytes.copy_from_slice(&flags.to_le_bytes()[..bytes.len()]);
        }
    }

    /// Cards in ascending order of their index.
    #[inline]
    pub const fn iter(self) -> CardIter {
        CardIter(self)
    }
}

impl BitOr for CardSet {
    type Output = Self;
    #[inline]
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitAnd for CardSet {
    type Output = Self;
    #[inline]
    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl Sub for CardSet {
    type Output = Self;
    #[inline]
    fn sub(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

impl Not for CardSet {
    type Output = Self;
    #[inline]
    fn not(self) -> Self {
        Self(Self::FULL.0 & !self.0)
    }
}

impl FromIterator<Card> for CardSet {
    fn from_iter<I: IntoIterator<Item = Card>>(cards: I) -> Self {
        cards.into_iter().fold(Self::EMPTY, Self::with)
    }
}

impl IntoIterator for CardSet {
    type Item = Card;
    type IntoIter = CardIter;
    fn into_iter(self) -> CardIter {
        CardIter(self)
    }
}

/// Iterates over a [`CardSet`] in ascending order.
#[derive(Clone, Debug)]
pub struct CardIter(CardSet);

impl Iterator for CardIter {
    type Item = Card;

    #[inline]
    fn next(&mut self) -> Option<Card> {
        let card = self.0.first()?;
        self.0.0 &= self.0.0 - 1;
        Some(card)
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.0.len(), Some(self.0.len()))
    }
}

impl ExactSizeIterator for CardIter {}

impl fmt::Display for CardSet {
    /// Card texts separated by spaces.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (k, card) in self.iter().enumerate() {
            if k > 0 {
                f.write_str(" ")?;
            }
            write!(f, "{card}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for CardSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{self}}}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_card_reads_back_from_its_text() {
        for index in 0..PACK as u8 {
            let card = Card::from_index(index).expect("below 52");
            assert_eq!(card.to_string().parse::<Card>(), Ok(card));
        }
        assert_eq!("AS".parse::<Card>().map(Card::index), Ok(12));
        assert_eq!("AD".parse::<Card>().map(Card::index), Ok(51));
        assert_eq!(Card::from_index(52), None);
        for text in ["", "A", "1S", "AX", "AS ", "10S", "as", "♠A"] {
            assert!(text.parse::<Card>().is_err(), "{text:?} is no card");
        }
    }

    #[test]
    fn sets_do_what_sets_do() {
        let hearts = CardSet::of_suit(Suit::Hearts);
        assert_eq!(hearts.len(), RANKS);
        assert!(hearts.iter().all(|card| card.suit() == Suit::Hearts));
        assert_eq!((!hearts).len(), PACK - RANKS);
        assert_eq!(hearts.first().map(|c| c.to_string()).as_deref(), Some("2H"));
        assert_eq!(hearts.last().map(|c| c.to_string()).as_deref(), Some("AH"));
        assert_eq!(CardSet::from_bits(1 << PACK), None);
        assert_eq!(hearts.iter().collect::<CardSet>(), hearts);
    }
}
