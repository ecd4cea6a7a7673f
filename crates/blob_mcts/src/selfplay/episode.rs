//! One episode of self-play: a round that stands alone, or a whole game.

use blob_engine::{Action, Game, PublicState, Round, RulesError, Seat, game_values};

use crate::search::past::Past;
use crate::selfplay::agent::Plan;
use crate::selfplay::record::{DecisionRecord, Moves, RoundRecord};

/// An episode in progress. It stands at a decision or at its end: forced actions are played at once.
#[derive(Debug)]
pub(crate) struct Episode {
    game: Game,
    /// Decisions taken in the round in progress.
    decisions: u32,
    /// Deal and actions of each round begun.
    moves: Vec<Moves>,
}

impl Episode {
    /// Deals round or game `index` of a plan.
    pub(crate) fn begin(plan: &Plan, index: u64) -> Result<Self, RulesError> {
        let mut game = plan.deal(index)?;
        game.skip_forced();
        Ok(Self { game, decisions: 0, moves: Vec::new() })
    }

    /// The seat that decides; `None` at the end.
    pub(crate) fn to_decide(&self) -> Option<Seat> {
        self.game.round().to_play()
    }

    /// The round in progress; at the end the last one.
    pub(crate) const fn round(&self) -> &Round {
        self.game.round()
    }

    /// The number in the game of that round, from 0.
    pub(crate) fn game_round(&self) -> usize {
        self.game.finished().len().min(self.game.schedule().len() - 1)
    }

    /// Decisions taken in that round.
    pub(crate) const fn decisions(&self) -> u32 {
        self.decisions
    }

    /// Plays a legal action of the seat that decides; returns whether the round ended with it.
    pub(crate) fn decide(&mut self, action: Action) -> bool {
        let finished = self.game.finished().len();
        self.note(action);
        self.game.play_unchecked(action);
        self.go_on(finished)
    }

    /// Plays an action that may be illegal; the episode is of no use after an error.
    pub(crate) fn try_decide(&mut self, action: Action) -> Result<(), RulesError> {
        let finished = self.game.finished().len();
        self.note(action);
        self.game.play(action)?;
        self.go_on(finished);
        Ok(())
    }

    /// Goes on to the next decision; returns whether more rounds are finished than before.
    fn go_on(&mut self, finished: usize) -> bool {
        self.game.skip_forced();
        let ended = self.game.finished().len() > finished;
        self.decisions = if ended { 0 } else { self.decisions + 1 };
        ended
    }

    /// Notes the next decision. The first one of a round is its first bid, which is never forced.
    fn note(&mut self, action: Action) {
        if self.decisions == 0 {
            self.moves.push(Moves { deal: *self.game.round(), actions: Vec::new() });
        }
        self.moves.last_mut().expect("the round has begun").actions.push(action);
    }

    /// What everybody saw of the round in progress.
    pub(crate) fn past(&self) -> Past {
        match self.moves.last() {
            Some(moves) if self.decisions > 0 => Past::new(&moves.deal, &moves.actions),
            _ => Past::new(self.round(), &[]),
        }
    }

    /// Bids made and cards played.
    pub(crate) fn turns_done(&self) -> u64 {
        let running = if self.game.is_done() { 0 } else { self.round().public().turns() };
        let finished: usize = self.game.finished().iter().map(PublicState::turns).sum();
        (finished + running) as u64
    }

    /// The records of all rounds at the end, each with its decisions; values hold the game's result.
    pub(crate) fn records(&mut self, index: u64, decisions: Vec<DecisionRecord>) -> Vec<RoundRecord> {
        let results = game_values(&self.game.totals(), self.game.players(), 0);
        let mut moves = std::mem::take(&mut self.moves).into_iter();
        let mut decisions = decisions.into_iter().peekable();
        let record = |(game_round, public): (usize, &PublicState)| {
            let own = std::iter::from_fn(|| decisions.next_if(|row| usize::from(row.game_round) == game_round));
            let values = public.values_with(&results).unwrap_or_default();
            let moves = moves.next().expect("each round has a decision");
            RoundRecord::new(index, game_round as u8, moves, public, values, own.collect())
        };
        self.game.finished().iter().enumerate().map(record).collect()
    }
}

#[cfg(test)]
mod tests {
    use blob_engine::rng::{Purpose, stream};
    use blob_engine::{Phase, RoundRules};

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
            range_end: None,
            agents: vec![Agent::Rule],
            seating: Seating::One,
        }
    }

    #[test]
    fn turns_count_bids_and_cards() {
        let mut episode = Episode::begin(&plan(RoundMix::one(4, 5)), 0).expect("a sound plan");
        let mut rng = stream(1, Purpose::Test, &[]);
        let mut turns = 0;
        while let Some(action) = episode.round().legal_actions().choose(&mut rng) {
            assert_eq!(episode.turns_done(), turns);
            let held = |round: &Round| round.hands().0.iter().map(|hand| hand.len() as u64).sum::<u64>();
            let bidding = episode.round().phase() == Phase::Bidding;
            let before = held(episode.round());
            episode.decide(action);
            // The dealer's last bid may be followed by forced cards.
            turns += before - held(episode.round()) + u64::from(bidding);
        }
        assert_eq!((turns, episode.turns_done(), episode.to_decide()), (24, 24, None));
        assert_eq!(episode.records(7, Vec::new()).len(), 1);
    }

    #[test]
    fn a_game_goes_through_its_rounds_and_ends_with_its_result() {
        let plan = plan(RoundMix::whole_games([(RoundShape { players: 3, cards: 4 }, 1.0)], 25));
        let mut episode = Episode::begin(&plan, 5).expect("a sound plan");
        let mut rng = stream(1, Purpose::Test, &[]);
        let mut rounds = 0;
        while episode.to_decide().is_some() {
            rounds = rounds.max(episode.game_round());
            episode.decide(episode.round().legal_actions().choose(&mut rng).expect("a seat decides"));
        }
        let shape = plan.shape(5);
        assert_eq!((rounds, episode.to_decide()), (8, None));
        assert_eq!(episode.turns_done(), plan.mix.turns(shape));
        let records = episode.records(5, Vec::new());
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
