//! A whole game: rounds of C, C-1, … 2 cards, P rounds of 1 card, then 2 … C.

use crate::action::Action;
use crate::card::Suit;
use crate::error::RulesError;
use crate::public_state::PublicState;
use crate::rng::{Purpose, stream};
use crate::round::Round;
use crate::rules::{GameContext, RoundRules, RoundSpec};
use crate::seat::{BySeat, Seat};

/// Cards dealt to each in every round of a game: C, C-1, … 2, then 1 for each player, then 2 … C.
pub fn schedule(players: usize, cards: usize) -> Vec<usize> {
    (2..=cards).rev().chain(std::iter::repeat_n(1, players)).chain(2..=cards).collect()
}

/// Trump of round `index` of a game: spades, hearts, clubs, diamonds, none, and again.
pub fn trump_of_round(index: usize) -> Option<Suit> {
    Suit::ALL.get(index % 5).copied()
}

/// A game before its first deal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GameSpec {
    /// 3 … 8.
    pub players: usize,
    /// Cards of the largest round, 1 … 13, `players * cards <= 52`.
    pub cards: usize,
    /// The seat that deals the first round.
    pub dealer: Seat,
    /// The variants in force.
    pub rules: RoundRules,
    /// Weight of the game's result in the values of its rounds, in percent.
    pub result_share: u8,
}

impl GameSpec {
    /// A game of Blob whose rounds are valued by their scores alone.
    pub fn new(players: usize, cards: usize, dealer: Seat) -> Self {
        Self { players, cards, dealer, rules: RoundRules::default(), result_share: 0 }
    }

    /// The round with number `index`, begun with these points; `schedule` is the game's.
    fn round(&self, schedule: &[usize], index: usize, totals: BySeat<u16>) -> RoundSpec {
        let &Self { players, dealer, rules, result_share, .. } = self;
        RoundSpec {
            players,
            cards: schedule[index],
            trump: if rules.turn_up { None } else { trump_of_round(index) },
            dealer: dealer.after(index % players, players),
            rules,
            context: GameContext { totals, rounds_left: (schedule.len() - index - 1) as u8, result_share },
        }
    }
}

/// A game in progress: its rounds one after the other, each dealt when the one before it is finished.
#[derive(Clone, Debug)]
pub struct Game {
    /// What deals the rounds after the first; `None` where there is only one.
    deals: Option<(GameSpec, u64)>,
    /// Cards of each round.
    schedule: Vec<usize>,
    /// The round in progress; at the end the last one.
    round: Round,
    /// The final states of the finished rounds.
    finished: Vec<PublicState>,
}

impl Game {
    /// Deals the first round; the later deals follow from the same seed.
    ///
    /// # Errors
    /// If the largest round cannot be dealt.
    pub fn deal(spec: &GameSpec, seed: u64) -> Result<Self, RulesError> {
        let schedule = schedule(spec.players, spec.cards);
        RoundSpec { rules: spec.rules, ..RoundSpec::new(spec.players, spec.cards, None, spec.dealer) }.check()?;
        let round = deal_round(spec, seed, &schedule, 0, BySeat::default())?;
        Ok(Self { deals: Some((*spec, seed)), schedule, round, finished: Vec::new() })
    }

    /// A round that stands alone, as a game of one round.
    pub fn of_one_round(round: Round) -> Self {
        Self { deals: None, schedule: vec![round.public().cards()], round, finished: Vec::new() }
    }

    /// Cards of each round.
    pub fn schedule(&self) -> &[usize] {
        &self.schedule
    }

    /// The round in progress; the last one when the game is done.
    #[inline]
    pub const fn round(&self) -> &Round {
        &self.round
    }

    /// The final public states of the finished rounds, in order.
    pub fn finished(&self) -> &[PublicState] {
        &self.finished
    }

    /// Points of each seat in the finished rounds.
    pub fn totals(&self) -> BySeat<u16> {
        let public = self.round.public();
        public.totals_after().unwrap_or(public.context().totals)
    }

    /// Number of players, 3 … 8.
    pub const fn players(&self) -> usize {
        self.round.public().players()
    }

    /// Whether all rounds are finished.
    pub fn is_done(&self) -> bool {
        self.finished.len() == self.schedule.len()
    }

    /// Plays an action of the seat to play; the last one of a round leads into the next round.
    ///
    /// # Errors
    /// If the action is illegal, or the game is done; the game is then unchanged.
    pub fn play(&mut self, action: Action) -> Result<(), RulesError> {
        if self.is_done() {
            return Err(RulesError::Done { action: action.index().to_string(), what: "game" });
        }
        self.round.play(action)?;
        self.finish_round();
        Ok(())
    }

    /// Plays an action that is known to be legal, as [`Round::play_unchecked`].
    pub fn play_unchecked(&mut self, action: Action) {
        self.round.play_unchecked(action);
        self.finish_round();
    }

    /// Plays every forced action, up to the next decision or the end of the game.
    pub fn skip_forced(&mut self) {
        while let Some(action) = self.round.forced_action() {
            self.play_unchecked(action);
        }
    }

    /// Deals the next round if the one in progress is done and another follows.
    fn finish_round(&mut self) {
        let Some(totals) = self.round.public().totals_after() else { return };
        self.finished.push(*self.round.public());
        if let Some((spec, seed)) = &self.deals
            && !self.is_done()
        {
            self.round = deal_round(spec, *seed, &self.schedule, self.finished.len(), totals)
                .expect("every round fits where the largest does");
        }
    }
}

fn deal_round(
    spec: &GameSpec,
    seed: u64,
    schedule: &[usize],
    index: usize,
    totals: BySeat<u16>,
) -> Result<Round, RulesError> {
    Round::deal(&spec.round(schedule, index, totals), &mut stream(seed, Purpose::Game, &[index as u64]))
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
        let dealer = Seat::FIRST.after(1, 3);
        let mut game = Game::deal(&GameSpec::new(3, 2, dealer), 5).expect("a legal game");
        let mut dealers = Vec::new();
        while !game.is_done() {
            let public = *game.round().public();
            assert_eq!(public.context().totals, game.totals());
            assert_eq!(usize::from(public.context().rounds_left), 4 - game.finished().len());
            if public.tricks_played() == 0 && public.bid(public.dealer().after(1, 3)).is_none() {
                dealers.push(public.dealer().index());
            }
            game.play(game.round().legal_actions().iter().last().expect("a legal action")).expect("legal");
        }
        assert_eq!(dealers, [1, 2, 0, 1, 2]);
        let scores = game.finished().iter().map(|public| public.scores().expect("finished"));
        let sum: u16 = scores.flat_map(|scores| scores.0).map(u16::from).sum();
        assert_eq!(sum, game.totals().0.iter().sum::<u16>());
        let zero = Action::from_index(0).expect("an action");
        assert!(matches!(game.play(zero), Err(RulesError::Done { what: "game", .. })));
    }

    #[test]
    fn a_round_alone_is_a_game_of_one_round() {
        let spec = RoundSpec::new(3, 2, None, Seat::FIRST);
        let round = Round::deal(&spec, &mut stream(1, Purpose::Test, &[])).expect("a legal spec");
        let mut game = Game::of_one_round(round);
        while !game.is_done() {
            game.play_unchecked(game.round().legal_actions().first().expect("a legal action"));
            game.skip_forced();
        }
        assert_eq!((game.schedule(), game.finished().len()), (&[2][..], 1));
        assert_eq!(game.round().to_play(), None);
    }
}
