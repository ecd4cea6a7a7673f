//! The running trick.

use std::hint::select_unpredictable;

use crate::card::{Card, Suit};
use crate::seat::{MAX_PLAYERS, Seat};

/// The cards played to a trick so far, in order from its leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Trick {
    leader: Seat,
    len: u8,
    /// Place of the winning card so far, counted from the leader.
    winning: u8,
    /// Entries from `len` on hold the first card of the pack, so that equal tricks compare equal.
    cards: [Card; MAX_PLAYERS],
}

const NO_CARD: Card = Card::new(Suit::Spades, 0);

impl Trick {
    /// A trick before its lead.
    pub const fn new(leader: Seat) -> Self {
        Self { leader, len: 0, winning: 0, cards: [NO_CARD; MAX_PLAYERS] }
    }

    /// The seat that leads.
    #[inline]
    pub const fn leader(&self) -> Seat {
        self.leader
    }

    /// Number of cards played so far.
    #[inline]
    pub const fn len(&self) -> usize {
        self.len as usize
    }

    /// Whether nobody has played yet.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The suit led, which must be followed; `None` before the lead.
    #[inline]
    pub const fn suit_led(&self) -> Option<Suit> {
        if self.len == 0 { None } else { Some(self.cards[0].suit()) }
    }

    /// The cards in order from the leader.
    #[inline]
    pub fn cards(&self) -> &[Card] {
        &self.cards[..self.len()]
    }

    /// Each card with the seat that played it, in order.
    pub fn plays(&self, players: usize) -> impl Iterator<Item = (Seat, Card)> {
        self.cards().iter().enumerate().map(move |(place, &card)| (self.leader.after(place, players), card))
    }

    /// The card that a seat has played to this trick, if any.
    #[inline]
    pub fn card_of(&self, seat: Seat, players: usize) -> Option<Card> {
        self.cards().get(seat.relative_to(self.leader, players)).copied()
    }

    /// The winning card so far; `None` before the lead.
    #[inline]
    pub fn winning_card(&self) -> Option<Card> {
        self.cards().get(self.winning as usize).copied()
    }

    /// The winning seat so far; `None` before the lead.
    #[inline]
    pub fn winner(&self, players: usize) -> Option<Seat> {
        (self.len > 0).then(|| self.leader.after(self.winning as usize, players))
    }

    /// Adds the next card. The caller keeps `len` below the number of players.
    #[inline]
    pub(crate) fn push(&mut self, card: Card, trump: Option<Suit>) {
        let place = self.len as usize & (MAX_PLAYERS - 1);
        let wins = beats(card, self.cards[self.winning as usize & (MAX_PLAYERS - 1)], trump);
        // The leader's card wins at first: `winning` is 0 then, as `place` is.
        self.winning = select_unpredictable(wins, place as u8, self.winning);
        self.cards[place] = card;
        self.len += 1;
    }
}

/// Whether `card` takes over from `best`, the winning card so far: by rank in the same suit, otherwise as a trump.
#[inline]
pub fn beats(card: Card, best: Card, trump: Option<Suit>) -> bool {
    let same = card.suit() == best.suit();
    // No branch, since the winner is hard to predict. Within a suit the card index orders by rank.
    same & (card > best) | !same & (trump == Some(card.suit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn winner(cards: &[&str], trump: Option<Suit>) -> usize {
        let mut trick = Trick::new(Seat::new(2, 4).expect("a seat"));
        for card in cards {
            trick.push(card.parse().expect("a card"), trump);
        }
        trick.winner(4).expect("not empty").index()
    }

    #[test]
    fn the_highest_trump_wins_else_the_highest_of_the_suit_led() {
        assert_eq!(winner(&["5H", "9H", "AS", "TH"], None), 1);
        assert_eq!(winner(&["5H", "9H", "2S", "TH"], Some(Suit::Spades)), 0);
        assert_eq!(winner(&["5H", "2S", "3S", "AH"], Some(Suit::Spades)), 0);
        assert_eq!(winner(&["5S", "2H", "3C", "AD"], Some(Suit::Spades)), 2);
        assert_eq!(winner(&["5H"], Some(Suit::Spades)), 2);
    }
}
