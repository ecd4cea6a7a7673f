//! A whole game: rounds of C, C-1, … 2 cards, P rounds of 1 card, then 2 … C.

use crate::action::Action;
use crate::card::Suit;
use crate::error::RulesError;
use crate::rng::stream;
use crate::round::Round;
use crate::rules::{GameContext, RoundRules, RoundSpec};
use crate::seat::BySeat;

/// Names the game's deals among the streams of a seed.
const DEAL: u64 = 0x6761_6d65;

/// Cards of each round of a game.
pub fn schedule(players: usize, cards: usize) -> Vec<usize> {
    (2..=cards).rev().chain(std::iter::repeat_n(1, players)).chain(2..=cards).collect()
}

/// Trump of round `index` of a game: spades, hearts, clubs, diamonds, none, and again.
pub fn trump_of_round(index: usize) -> Option<Suit> {
    Suit::ALL.get(index % 5).copied()
}

/// Deals the rounds of a game, one after the other.
#[derive(Clone, Debug)]
pub struct GameDeals {
    schedule: Vec<usize>,
    players: usize,
    rules: RoundRules,
    seed: u64,
    first_dealer: usize,
    result_share: u8,
    /// Number of the round that was dealt last.
    round: usize,
}

impl GameDeals {
    /// Begins a game of `players` from `cards` cards down and up again, whose first round `dealer` deals, and deals that round.
    ///
    /// # Errors
    /// If the largest round cannot be dealt.
    pub fn begin(
        players: usize,
        cards: usize,
        dealer: usize,
        rules: RoundRules,
        result_share: u8,
        seed: u64,
    ) -> Result<(Self, Round), RulesError> {
        RoundSpec { rules, ..RoundSpec::new(players, cards, None, dealer) }.check()?;
        let schedule = schedule(players, cards);
        let deals = Self { schedule, players, rules, seed, first_dealer: dealer, result_share, round: 0 };
        let first = deals.deal(BySeat::default())?;
        Ok((deals, first))
    }

    /// Cards of each round.
    pub fn schedule(&self) -> &[usize] {
        &self.schedule
    }

    /// Deals the round after this finished one; `None` after the last.
    pub fn after(&mut self, finished: &Round) -> Option<Round> {
        if self.round + 1 == self.schedule.len() {
            return None;
        }
        let totals = finished.public().totals_after()?;
        self.round += 1;
        Some(self.deal(totals).expect("every round fits where the largest does"))
    }

    fn deal(&self, totals: BySeat<u16>) -> Result<Round, RulesError> {
        let Self { round, players, rules, .. } = *self;
        let spec = RoundSpec {
            players,
            cards: self.schedule[round],
            trump: if rules.turn_up { None } else { trump_of_round(round) },
            dealer: (self.first_dealer + round) % players,
            rules,
            context: GameContext {
                totals,
                rounds_left: (self.schedule.len() - round - 1) as u8,
                result_share: self.result_share,
            },
        };
        Round::deal(&spec, &mut stream(self.seed, &[DEAL, round as u64]))
    }
}

/// A game in progress.
#[derive(Clone, Debug)]
pub struct Game {
    deals: GameDeals,
    round: Round,
    /// Scores of each finished round.
    history: Vec<BySeat<u8>>,
    totals: BySeat<u16>,
}

impl Game {
    /// A game of `players` from `cards` cards down and up again; `dealer` deals its first round, and `result_share`
    /// hundredths of what each round is worth are the game's result.
    ///
    /// # Errors
    /// If the largest round cannot be dealt.
    pub fn new(
        players: usize,
        cards: usize,
        dealer: usize,
        rules: RoundRules,
        result_share: u8,
        seed: u64,
    ) -> Result<Self, RulesError> {
        let (deals, round) = GameDeals::begin(players, cards, dealer, rules, result_share, seed)?;
        Ok(Self { deals, round, history: Vec::new(), totals: BySeat::default() })
    }

    /// Cards of each round.
    pub fn schedule(&self) -> &[usize] {
        self.deals.schedule()
    }

    /// The round in progress; the last one when the game is done.
    pub const fn round(&self) -> &Round {
        &self.round
    }

    /// Points of each seat in the rounds that are finished.
    pub const fn totals(&self) -> &BySeat<u16> {
        &self.totals
    }

    /// Scores of each finished round.
    pub fn history(&self) -> &[BySeat<u8>] {
        &self.history
    }

    /// Number of players.
    pub const fn players(&self) -> usize {
        self.round.public().players()
    }

    /// Whether all rounds are finished.
    pub fn is_done(&self) -> bool {
        self.history.len() == self.schedule().len()
    }

    /// The legal actions of the seat to play; none when done.
    pub fn legal_actions(&self) -> impl Iterator<Item = Action> {
        self.round.legal_actions().iter()
    }

    /// Plays an action in the current round; when that ends, scores it and deals the next.
    ///
    /// # Errors
    /// If the action is illegal, or the game is done; the game is then unchanged.
    pub fn play(&mut self, action: usize) -> Result<(), RulesError> {
        if self.is_done() {
            return Err(RulesError::Done { action: action.to_string(), what: "game" });
        }
        self.round.play(action)?;
        let public = self.round.public();
        if let (Some(scores), Some(totals)) = (public.scores(), public.totals_after()) {
            self.history.push(scores);
            self.totals = totals;
            if let Some(next) = self.deals.after(&self.round) {
                self.round = next;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_game_of_five_from_seven_cards_has_seventeen_rounds() {
        assert_eq!(schedule(5, 7), [7, 6, 5, 4, 3, 2, 1, 1, 1, 1, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(schedule(3, 1), [1, 1, 1]);
        assert_eq!(trump_of_round(4), None);
        assert_eq!(trump_of_round(5), Some(Suit::Spades));
    }

    #[test]
    fn the_deal_passes_and_totals_add_up() {
        let mut game = Game::new(3, 2, 1, RoundRules::default(), 0, 5).expect("a legal game");
        let mut dealers = vec![game.round().public().dealer().index()];
        let mut left = vec![game.round().public().context().rounds_left];
        while !game.is_done() {
            let rounds = game.history().len();
            let action = game.legal_actions().last().expect("a legal action");
            game.play(action.index()).expect("legal");
            if game.history().len() > rounds && !game.is_done() {
                dealers.push(game.round().public().dealer().index());
                left.push(game.round().public().context().rounds_left);
                assert_eq!(game.round().public().context().totals, *game.totals());
            }
        }
        assert_eq!(dealers, [1, 2, 0, 1, 2]);
        assert_eq!(left, [4, 3, 2, 1, 0]);
        let sum: u16 = game.history().iter().flat_map(|scores| scores.0).map(u16::from).sum();
        assert_eq!(sum, game.totals().0.iter().sum::<u16>());
        assert!(matches!(game.play(0), Err(RulesError::Done { what: "game", .. })));
    }
}
