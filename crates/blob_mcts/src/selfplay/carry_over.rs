//! Rounds that pause before their end, for a later run to continue.
//!
//! Near the end of a run no new rounds replace finished ones, and batches empty. Dropping unfinished rounds would
//! favour short ones. So the last rounds of a plan pause instead, at turns spread evenly from the end of a round to its
//! beginning: about where they stand when the last one begins. The turn follows from the round's number in its range,
//! never from the clock or from how the range is split into plans. So does the run, and with it the weights, that takes each of its decisions.

use blob_engine::{Action, RulesError};

use crate::error::SchedulerError;
use crate::selfplay::agent::Plan;
use crate::selfplay::episode::Episode;
use crate::selfplay::record::DecisionRecord;

/// A round, or a game, between two decisions. It holds no random state: that of a decision comes from (seed, round,
/// decision).
#[derive(Clone, Debug, PartialEq)]
pub struct RoundSoFar {
    /// The number of the round or the game.
    pub index: u64,
    /// The actions of its decisions; forced ones follow from them.
    pub actions: Vec<Action>,
    /// The rows of its searched decisions in order, where they are recorded.
    pub decisions: Vec<DecisionRecord>,
}

impl RoundSoFar {
    /// A round before its first decision.
    pub const fn new(index: u64) -> Self {
        Self { index, actions: Vec::new(), decisions: Vec::new() }
    }

    /// Deals the round and plays it up to where it stands.
    ///
    /// # Errors
    /// If the plan deals a round in which one of the actions is illegal.
    pub(crate) fn replay(&self, plan: &Plan) -> Result<Episode, RulesError> {
        let mut episode = Episode::begin(plan, self.index)?;
        for &action in &self.actions {
            episode.try_decide(action)?;
        }
        Ok(episode)
    }

    /// # Errors
    /// If the round is one of the plan's own, if the plan cannot reach it, or if it has records that cannot be its own.
    pub(crate) fn check(&self, plan: &Plan) -> Result<(), SchedulerError> {
        let refuse = |what: String| Err(SchedulerError::Carried { index: self.index, what });
        if self.index >= plan.first_round {
            return refuse(format!("the run's own rounds begin at {}, and carried ones come before", plan.first_round));
        }
        let episode = match self.replay(plan) {
            Ok(episode) => episode,
            Err(error) => return refuse(format!("it is none of this plan: {error}")),
        };
        let reached = episode.game_round();
        if let Some(row) = self.decisions.iter().find(|row| usize::from(row.game_round) > reached) {
            return refuse(format!("it has a record of round {} and stands in round {reached}", row.game_round));
        }
        let decided = self.decisions.iter().filter(|row| !row.legal.is_empty()).count();
        let seen = self.decisions.len() - decided;
        if decided.max(seen) > self.actions.len() {
            return refuse(format!("it has {} records of {} decisions", decided.max(seen), self.actions.len()));
        }
        let players = plan.shape(self.index).players;
        if self.decisions.windows(2).any(|pair| pair[0].game_round > pair[1].game_round) {
            return refuse("the records of its decisions are not in the order of its rounds".into());
        }
        let seats = self.decisions.iter().map(|decision| decision.seat);
        match seats.max() {
            Some(seat) if seat.index() >= players => {
                refuse(format!("seat {seat} has a record; with {players} players seats are 0 to {}", players - 1))
            }
            _ => Ok(()),
        }
    }
}

/// The turn, in bids and cards, from which round `index` of a plan pauses; `None` if it is played to its end.
///
/// The round at distance e from the end of its range, 1 for the last, pauses at turn `turns * e / carry_over`.
pub(crate) fn pause_turn(plan: &Plan, index: u64) -> Option<u64> {
    let end = plan.range_end.unwrap_or(plan.first_round + plan.rounds);
    let distance = end.checked_sub(index)?;
    (distance < plan.carry_over).then(|| plan.mix.turns(plan.shape(index)) * distance / plan.carry_over)
}

#[cfg(test)]
mod tests {
    use blob_engine::RoundRules;

    use super::*;
    use crate::selfplay::agent::{Agent, Seating};
    use crate::selfplay::round_mix::RoundMix;

    fn plan(carry_over: u64) -> Plan {
        Plan {
            mix: RoundMix::one(4, 5),
            rules: RoundRules::default(),
            seed: 3,
            first_round: 1000,
            rounds: 100,
            carry_over,
            range_end: None,
            agents: vec![Agent::Rule],
            seating: Seating::One,
        }
    }

    #[test]
    fn the_last_rounds_pause_ever_earlier() {
        let turns = |carry_over| (1095..1100).map(|index| pause_turn(&plan(carry_over), index)).collect::<Vec<_>>();
        assert_eq!(turns(4), [None, None, Some(18), Some(12), Some(6)]);
        assert_eq!(turns(1), [None; 5]);
        assert_eq!(turns(0), [None; 5]);
        assert_eq!(pause_turn(&plan(100), 1001), Some(23));
        let part = Plan { first_round: 1090, rounds: 7, range_end: Some(1100), ..plan(4) };
        assert_eq!([1090, 1096, 1097].map(|index| pause_turn(&part, index)), [None, None, Some(18)]);
        // Rounds of earlier runs are played to their end.
        assert_eq!([999, 0].map(|index| pause_turn(&plan(100), index)), [None; 2]);
    }
}
