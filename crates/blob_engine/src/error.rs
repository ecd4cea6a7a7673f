//! What the rules refuse, and why.

use thiserror::Error;

use crate::card::{Card, CardSet};
use crate::seat::Seat;

/// A round, a game or an action that the rules do not allow.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum RulesError {
    /// Text that is no card.
    #[error("unknown card {text:?}; a card is a rank of 23456789TJQKA then a suit of SHCD, such as \"AS\" or \"TD\"")]
    UnknownCard {
        /// What was given.
        text: String,
    },
    /// Text that is no trump.
    #[error("unknown trump {text:?}; trump is one of \"S\" \"H\" \"C\" \"D\", or None for no trump")]
    UnknownTrump {
        /// What was given.
        text: String,
    },
    /// Too few or too many players.
    #[error("{players} players; a round has 3 to 8 players")]
    Players {
        /// What was given.
        players: i64,
    },
    /// Hands that cannot be dealt.
    #[error("{cards} cards for each of {players} players; with {players} players a hand has 1 to {most} cards{reason}")]
    Cards {
        /// Cards asked for.
        cards: i64,
        /// Players at the table.
        players: usize,
        /// Most cards that can be dealt to each.
        most: usize,
        /// Why fewer than usual, or nothing.
        reason: &'static str,
    },
    /// A seat that is not at the table.
    #[error("seat {seat}; with {players} players a seat is 0 to {}", players - 1)]
    Seat {
        /// What was given.
        seat: i64,
        /// Players at the table.
        players: usize,
    },
    /// A number of hands other than the number of players.
    #[error("{hands} hands for {players} players; each player has one hand")]
    HandCount {
        /// Hands given.
        hands: usize,
        /// Players at the table.
        players: usize,
    },
    /// A hand that holds a card twice.
    #[error("the hand of seat {seat} holds {card} twice; each card is in the pack once")]
    RepeatedCard {
        /// Number of the hand.
        seat: usize,
        /// The card.
        card: Card,
    },
    /// A card in two hands, or in a hand and turned up.
    #[error("{shared} in the hand of seat {seat} and also elsewhere; each card is in the pack once")]
    Overlap {
        /// The later of the two hands.
        seat: Seat,
        /// The shared cards.
        shared: CardSet,
    },
    /// A hand of another size than the round's.
    #[error("the hand of seat {seat} has {size} cards; in this round each hand has {cards}")]
    HandSize {
        /// The hand that differs.
        seat: Seat,
        /// Its size.
        size: usize,
        /// Cards dealt to each.
        cards: usize,
    },
    /// A card turned up that contradicts the rules or the trump.
    #[error("turned-up card: {what}")]
    TurnUp {
        /// What is wrong, and what would be right.
        what: String,
    },
    /// An action that is not legal.
    #[error("illegal action {action} of seat {seat} while {phase}; legal are {legal}")]
    IllegalAction {
        /// Who was to act.
        seat: Seat,
        /// The action with its meaning, such as `12 (AS)` in the play.
        action: String,
        /// `bidding` or `playing`.
        phase: &'static str,
        /// The legal ones.
        legal: String,
    },
    /// An action after the end.
    #[error("action {action} in a {what} that is done; no action is legal any more")]
    Done {
        /// What was given.
        action: String,
        /// `round` or `game`.
        what: &'static str,
    },
    /// Scores of a round that goes on.
    #[error("no scores while the round is {phase}; scores are known when it is done")]
    NotDone {
        /// `bidding` or `playing`.
        phase: &'static str,
    },
    /// Hands that contradict what an observer knows.
    #[error("the hands contradict the observation of seat {observer}: {what}")]
    Inconsistent {
        /// Whose observation.
        observer: Seat,
        /// What does not fit.
        what: String,
    },
}
