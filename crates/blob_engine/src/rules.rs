//! The rule variants, and what is fixed about a round before its deal.

use crate::card::{PACK, RANKS, Suit};
use crate::error::RulesError;
use crate::seat::{BySeat, MAX_PLAYERS, MIN_PLAYERS, Seat};

/// Most cards a hand can hold.
pub const MAX_CARDS: usize = 13;

/// How a finished round is scored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Scoring {
    /// `10 + bid` for a bid made exactly, else 0.
    #[default]
    Exact,
    /// One point a trick, and 10 more for a bid made exactly.
    ExactPlusTricks,
}

impl Scoring {
    /// Points for a bid and the tricks won, 0 … 10 + n with n cards.
    #[inline]
    pub const fn score(self, bid: u8, won: u8) -> u8 {
        match self {
            Self::Exact => {
                if bid == won {
                    10 + bid
                } else {
                    0
                }
            }
            Self::ExactPlusTricks => won + if bid == won { 10 } else { 0 },
        }
    }
}

/// The rule variants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RoundRules {
    /// Whether the dealer may not make the bids sum to the number of cards dealt.
    pub hook: bool,
    /// How the round is scored.
    pub scoring: Scoring,
    /// Whether trump is the suit of a card turned up after the deal.
    pub turn_up: bool,
}

impl Default for RoundRules {
    /// The rules of Blob: hook, exact scoring, a given trump.
    fn default() -> Self {
        Self { hook: true, scoring: Scoring::Exact, turn_up: false }
    }
}

/// A score as a value in [-1, 1]: `2 * score / (10 + n) - 1` with n cards.
///
/// Terminal values, training targets and network outputs use this scale.
#[inline]
pub fn score_value(score: u8, cards: usize) -> f32 {
    2.0 * f32::from(score) / (10 + cards) as f32 - 1.0
}

/// The game around a round; all zero where the round stands alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct GameContext {
    /// Points of each seat before this round.
    pub totals: BySeat<u16>,
    /// Rounds after this one.
    pub rounds_left: u8,
    /// Weight of the game's result in the round's value, in percent; the rest is the round's score. It sets the goal of
    /// a search and is no part of an encoding.
    pub result_share: u8,
}

/// A round before its deal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RoundSpec {
    /// 3 … 8.
    pub players: usize,
    /// Cards dealt to each, 1 … 13, `players * cards <= 52`.
    pub cards: usize,
    /// The trump suit; `None` for no trump, and where a card is turned up.
    pub trump: Option<Suit>,
    /// The seat that deals and bids last.
    pub dealer: Seat,
    /// The variants in force.
    pub rules: RoundRules,
    /// The game around the round.
    pub context: GameContext,
}

impl RoundSpec {
    /// A round of Blob that stands alone.
    pub fn new(players: usize, cards: usize, trump: Option<Suit>, dealer: Seat) -> Self {
        Self { players, cards, trump, dealer, rules: RoundRules::default(), context: GameContext::default() }
    }

    /// Checks a number of players and of cards dealt to each, and returns both.
    ///
    /// # Errors
    /// If players are not 3 to 8, or the pack does not hold the cards.
    pub fn check_size(players: i64, cards: i64, rules: RoundRules) -> Result<(usize, usize), RulesError> {
        if !(MIN_PLAYERS as i64..=MAX_PLAYERS as i64).contains(&players) {
            return Err(RulesError::Players { players });
        }
        let players = players as usize;
        let most = ((PACK - usize::from(rules.turn_up)) / players).min(MAX_CARDS);
        if !(1..=most as i64).contains(&cards) {
            let reason = if rules.turn_up { " (one card is turned up)" } else { "" };
            return Err(RulesError::Cards { cards, players, most, reason });
        }
        Ok((players, cards as usize))
    }

    /// Checks that the round can be dealt.
    ///
    /// # Errors
    /// The first fault in players, cards, trump and dealer.
    pub fn check(&self) -> Result<(), RulesError> {
        Self::check_size(self.players as i64, self.cards as i64, self.rules)?;
        let &Self { players, dealer, rules, .. } = self;
        if rules.turn_up && self.trump.is_some() {
            return Err(RulesError::TurnUp {
                what: "a trump was given although the rules turn one up; leave trump at None".into(),
            });
        }
        if dealer.index() >= players {
            return Err(RulesError::Seat { seat: dealer.index() as i64, players });
        }
        Ok(())
    }
}

const _: () = assert!(MAX_CARDS == RANKS, "a hand of 13 bids 0 to 13, and every action stays below 52");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_by_variant() {
        assert_eq!([Scoring::Exact.score(3, 3), Scoring::Exact.score(3, 2), Scoring::Exact.score(0, 0)], [13, 0, 10]);
        let plus = Scoring::ExactPlusTricks;
        assert_eq!([plus.score(3, 3), plus.score(3, 2), plus.score(0, 4)], [13, 2, 4]);
        for cards in 1..=13 {
            assert_eq!(score_value(10 + cards as u8, cards), 1.0);
            assert_eq!(score_value(0, cards), -1.0);
        }
    }

    #[test]
    fn impossible_rounds_are_refused() {
        let with = |players, cards, dealer| {
            RoundSpec::new(players, cards, None, Seat::FIRST.after(dealer, MAX_PLAYERS)).check()
        };
        assert!(matches!(with(2, 5, 0), Err(RulesError::Players { players: 2 })));
        assert!(matches!(with(9, 5, 0), Err(RulesError::Players { players: 9 })));
        assert!(matches!(with(4, 0, 0), Err(RulesError::Cards { cards: 0, most: 13, .. })));
        assert!(matches!(with(8, 7, 0), Err(RulesError::Cards { cards: 7, most: 6, .. })));
        assert!(matches!(with(4, 5, 4), Err(RulesError::Seat { seat: 4, players: 4 })));
        assert!(with(4, 13, 3).is_ok());
        let mut spec = RoundSpec::new(4, 13, None, Seat::FIRST);
        spec.rules.turn_up = true;
        assert!(matches!(spec.check(), Err(RulesError::Cards { most: 12, .. })));
        spec = RoundSpec { cards: 12, trump: Some(Suit::Clubs), ..spec };
        assert!(matches!(spec.check(), Err(RulesError::TurnUp { .. })));
    }
}
