//! Names of cards by their standing.
//!
//! In trick-taking only the order of the cards that can still win counts: once the ace and king of a suit are gone, its queen
//! does what an ace did before. So the encoding names a card by its standing: the card that it would be if the cards out of
//! play, those of the running trick that are beaten among them, were the lowest of their suits. Positions that the game cannot tell apart are then equal rows, which a search
//! evaluates once and a network learns once.

use crate::action::{Action, ActionSet};
use crate::card::{Card, CardSet, Suit};
use crate::table::{Phase, Table};

/// The naming of cards at one moment of a round. It follows from what everybody sees, so it is the same for all seats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Cards of finished tricks, the card turned up, and those of the running trick that are beaten.
    out: CardSet,
    /// Whether actions are cards; bids keep their numbers.
    playing: bool,
}

impl Table {
    /// The naming of cards by their standing, now.
    #[inline]
    pub fn standing(&self) -> Standing {
        let out = self.trick().winning_card().map_or(self.gone(), |card| self.gone().without(card));
        Standing { out, playing: self.phase() == Phase::Playing }
    }
}

impl Standing {
    /// The name of a card in play: as many ranks higher as cards above it are out.
    #[inline]
    pub const fn card(self, card: Card) -> Card {
        Card::new(card.suit(), card.rank() + self.out_above(card))
    }

    /// The names of a set of cards in play; their order is that of the cards.
    #[inline]
    pub fn cards(self, cards: CardSet) -> CardSet {
        if self.out.is_empty() { cards } else { cards.iter().map(|card| self.card(card)).collect() }
    }

    /// The names of the cards out of play: the lowest of each suit.
    #[inline]
    pub fn out_of_play(self) -> CardSet {
        let lowest = |suit| CardSet::of_suit(suit).iter().take(self.out.in_suit(suit).len());
        Suit::ALL.into_iter().flat_map(lowest).collect()
    }

    /// The name of a legal action.
    #[inline]
    pub fn action(self, action: Action) -> Action {
        if self.playing { Action::play(self.card(action.as_card())) } else { action }
    }

    /// The names of the legal actions; their order is that of the actions.
    #[inline]
    pub fn actions(self, actions: ActionSet) -> ActionSet {
        if !self.playing || self.out.is_empty() {
            return actions;
        }
        ActionSet::cards(actions.iter().map(|action| self.card(action.as_card())).collect())
    }

    /// How many cards above this one, of its suit, are out of play.
    #[inline]
    const fn out_above(self, card: Card) -> u8 {
        (self.out.in_suit(card.suit()).bits() >> card.index()).count_ones() as u8
    }
}
