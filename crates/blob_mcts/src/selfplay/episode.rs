//! Where a round stands, or a whole game: the round in progress, and the tables of those before it.

use blob_engine::{GameDeals, PublicState, Round, RulesError, Seat, game_values};

use crate::selfplay::agent::Plan;
use crate::selfplay::record::{DecisionRecord, Moves, RoundRecord};

/// A round that stands alone, or the rounds of a game one after the other.
#[derive(Debug)]
pub(crate) struct Course {
    /// The round in progress; at the end the last one.
    round: Round,
    /// Deals the rounds of a game; `None` where the round stands alone.
    deals: Option<GameDeals>,
    /// The tables of a game's earlier rounds.
    before: Vec<PublicState>,
    /// Decisions taken in the round in progress.
    decisions: u32,
    /// Deal and actions of each round begun.
    moves: Vec<Moves>,
}

impl Course {
    /// Deals round or game `index` of a plan.
    pub(crate) fn begin(plan: &Plan, index: u64) -> Result<Self, RulesError> {
        let (round, deals) = plan.begin(index)?;
        Ok(Self { round, deals, before: Vec::new(), decisions: 0, moves: Vec::new() })
    }

    /// Walks through forced moves, into the next round of a game where one ends; then the seat that decides, `None` at the end.
    pub(crate) fn next_decision(&mut self) -> Option<Seat> {
        loop {
            self.round.skip_forced();
            if let Some(seat) = self.round.to_play() {
                return Some(seat);
            }
            let next = self.deals.as_mut()?.after(&self.round)?;
            self.before.push(*self.round.public());
            self.round = next;
            self.decisions = 0;
        }
    }

    /// The round in progress.
    pub(crate) const fn round(&self) -> &Round {
        &self.round
    }

    /// Its number in the game, from 0.
    pub(crate) const fn game_round(&self) -> usize {
        self.before.len()
    }

    /// Decisions taken in it.
    pub(crate) const fn decisions(&self) -> u32 {
        self.decisions
    }

    /// Plays a legal action of the seat that decides.
    pub(crate) fn decide(&mut self, action: blob_engine::Action) {
        self.note(action);
        self.round.play_unchecked(action);
    }

    /// Plays an action that may be illegal.
    pub(crate) fn try_decide(&mut self, action: blob_engine::Action) -> Result<(), RulesError> {
        self.next_decision();
        self.note(action);
        self.round.play(action.index())
    }

    /// Notes the next decision. The first one of a round is its first bid, which is never forced.
    fn note(&mut self, action: blob_engine::Action) {
        if self.decisions == 0 {
            self.moves.push(Moves { deal: self.round, actions: Vec::new() });
        }
        self.decisions += 1;
        self.moves.last_mut().expect("the round has begun").actions.push(action);
    }

    /// Bids made and cards played.
    pub(crate) fn turns_done(&self) -> u64 {
        let turns = |public: &PublicState| public.players() * (public.cards() + 1);
        let before: usize = self.before.iter().map(turns).sum();
        before as u64 + turns_done(&self.round)
    }

    /// The records of all rounds at the end, each with its decisions; values hold the game's result.
    pub(crate) fn records(&mut self, index: u64, decisions: Vec<DecisionRecord>) -> Vec<RoundRecord> {
        let last = self.round.public();
        let mut moves = std::mem::take(&mut self.moves).into_iter();
        let mut next_moves = || moves.next().expect("each round has a decision");
        if self.deals.is_none() {
            let values = last.values().unwrap_or_default();
            return vec![RoundRecord::new(index, 0, next_moves(), last, values, decisions)];
        }
        let results = game_values(&last.totals_after().unwrap_or_default(), last.players(), 0);
        let mut decisions = decisions.into_iter().peekable();
        let mut records = Vec::with_capacity(self.before.len() + 1);
        for (game_round, public) in self.before.iter().chain([last]).enumerate() {
            let own = std::iter::from_fn(|| decisions.next_if(|row| usize::from(row.game_round) == game_round));
            let values = public.values_with(&results).unwrap_or_default();
            records.push(RoundRecord::new(index, game_round as u8, next_moves(), public, values, own.collect()));
        }
        records
    }
}

/// Bids made and cards played in a round.
fn turns_done(round: &Round) -> u64 {
    let (public, players) = (round.public(), round.public().players());
    let bids = Seat::all(players).filter(|&seat| public.bid(seat).is_some()).count();
    let held: usize = round.hands().first(players).iter().map(|hand| hand.len()).sum();
    (bids + players * public.cards() - held) as u64
}

#[cfg(test)]
mod tests {
    use blob_engine::{RoundRules, rng::stream};

    use super::*;
    use crate::selfplay::agent::{Agent, Seating};
    use crate::selfplay::round_mix::{RoundMix, RoundShape};

    fn plan(mix: RoundMix) -> Plan {
        Plan {
            mix,
            rules: RoundRules::default(),
            seed: 3,
            first_round: 0,
            rounds: 1,
            carry_over: 0,
            agents: vec![Agent::Rule],
            seating: Seating::One,
        }
    }

    #[test]
    fn turns_count_bids_and_cards() {
        let mut course = Course::begin(&plan(RoundMix::one(4, 5)), 0).expect("a sound plan");
        let mut rng = stream(1, &[]);
        for turn in 0..24 {
            assert_eq!(course.turns_done(), turn);
            let action = course.round.legal_actions().choose(&mut rng).expect("24 turns in a round of 4 x 5");
            course.decide(action);
        }
        assert_eq!((course.turns_done(), course.next_decision()), (24, None));
        assert_eq!(course.records(7, Vec::new()).len(), 1);
    }

    #[test]
    fn a_game_goes_through_its_rounds_and_ends_with_its_result() {
        let plan = plan(RoundMix::whole_games([(RoundShape { players: 3, cards: 4 }, 1.0)], 25));
        let mut course = Course::begin(&plan, 5).expect("a sound plan");
        let mut rng = stream(1, &[]);
        let mut rounds = 0;
        while course.next_decision().is_some() {
            rounds = rounds.max(course.game_round());
            course.decide(course.round.legal_actions().choose(&mut rng).expect("a seat decides"));
        }
        let shape = plan.shape(5);
        assert_eq!((rounds, course.next_decision()), (8, None));
        assert_eq!(course.turns_done(), plan.mix.turns(shape));
        let records = course.records(5, Vec::new());
        assert_eq!(records.iter().map(|record| record.cards).collect::<Vec<_>>(), [4, 3, 2, 1, 1, 1, 2, 3, 4]);
        let totals: Vec<u32> =
            (0..3).map(|k| records.iter().map(|record| u32::from(record.points.0[k])).sum()).collect();
        for (k, record) in records.iter().enumerate() {
            assert_eq!((record.index, usize::from(record.game_round)), (5, k));
            for seat in 0..3 {
                let score = blob_engine::score_value(record.points.0[seat], record.cards);
                // Places above and below, one each for both others, half for equals.
                let ahead: f32 =
                    (0..3).map(|other| (totals[seat] as f32 - totals[other] as f32).clamp(-1.0, 1.0)).sum();
                assert!((record.values.0[seat] - (0.75 * score + 0.25 * ahead / 2.0)).abs() < 1e-6);
            }
        }
    }
}
