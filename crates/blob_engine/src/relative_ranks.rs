//! Relative ranks: the naming of cards by those still in play.
//!
//! In trick-taking only the order of the cards that can still win counts: once the ace and king of a suit are gone, its
//! queen does what an ace did before. So the encoding names a card by its relative rank: the card that it would be if
//! all cards out of play were the lowest of their suits. Double-dummy solvers of bridge reduce positions in the same
//! way. Positions that the game cannot tell apart are then equal rows, which a search evaluates once and a network
//! learns once.

use crate::card::{Card, CardSet, Suit};
use crate::public_state::{Phase, PublicState};

/// The relative ranks of all cards at one moment of a round. They follow from the public state, so all seats share
/// them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RelativeRanks {
    /// Cards of finished tricks, the card turned up, and the beaten cards of the running trick.
    out_of_play: CardSet,
    /// Whether actions are cards; bids keep their numbers.
    playing: bool,
}

impl PublicState {
    /// The relative ranks of the cards now.
    #[inline]
    pub(crate) fn relative_ranks(&self) -> RelativeRanks {
        let out_of_play = self.trick().winning_card().map_or(self.gone(), |card| self.gone().without(card));
        RelativeRanks { out_of_play, playing: self.phase() == Phase::Playing }
    }
}

impl RelativeRanks {
    /// Whether actions are cards; bids keep their numbers.
    #[inline]
    pub(crate) const fn playing(self) -> bool {
        self.playing
    }

    /// Number of cards of a suit that are out of play.
    #[inline]
    pub(crate) const fn out_in_suit(self, suit: Suit) -> usize {
        self.out_of_play.in_suit(suit).len()
    }

    /// The name of a card in play: raised by one rank for each higher card of its suit that is out of play.
    #[inline]
    pub(crate) const fn card(self, card: Card) -> Card {
        let higher = self.out_of_play.in_suit(card.suit()).bits() >> card.index();
        Card::new(card.suit(), card.rank() + higher.count_ones() as u8)
    }

    /// The names of cards in play, in the same order.
    #[inline]
    pub(crate) fn cards(self, cards: CardSet) -> CardSet {
        if self.out_of_play.is_empty() { cards } else { cards.iter().map(|card| self.card(card)).collect() }
    }

    /// The names of the cards out of play: the lowest of each suit.
    #[inline]
    pub(crate) fn out_of_play(self) -> CardSet {
        let lowest = |suit| CardSet::of_suit(suit).iter().take(self.out_of_play.in_suit(suit).len());
        Suit::ALL.into_iter().flat_map(lowest).collect()
    }
}
