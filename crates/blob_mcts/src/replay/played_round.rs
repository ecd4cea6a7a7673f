//! A finished round as its deal and the actions of its decisions.

use blob_engine::{Action, BySeat, Features, MAX_PLAYERS, Observation, Phase, Round, RulesError, Seat, encode};

/// A finished round that can be played again: about 500 bytes where its encoded rows take several thousand.
#[derive(Clone, Debug, PartialEq)]
pub struct PlayedRound {
    /// The round's number, or its game's.
    pub number: u64,
    /// Number of the round in its game, from 0; 0 where it stands alone.
    pub game_round: u8,
    /// The round before its first bid.
    pub deal: Round,
    /// The action of each decision in order. Forced actions follow from the rules.
    pub actions: Vec<Action>,
    /// Value in [-1, 1] of each seat at the end, with its share of the game's result.
    pub values: BySeat<f32>,
}

/// One decision of a played round, with what came of it.
#[derive(Clone, Copy, Debug)]
pub struct Decision {
    /// The round as it stood, all hands in view.
    pub round: Round,
    /// What the seat to play knew.
    pub observation: Observation,
    /// What it did.
    pub action: Action,
    /// Tricks that each seat won in the end.
    pub tricks: BySeat<u8>,
    /// Value of each seat in the end.
    pub values: BySeat<f32>,
}

impl PlayedRound {
    /// Plays the round to its end.
    ///
    /// # Errors
    /// If an action is illegal, or if they are too few or too many.
    pub fn replay(&self) -> Result<Round, RulesError> {
        let mut round = self.deal;
        round.skip_forced();
        for &action in &self.actions {
            round.play(action)?;
            round.skip_forced();
        }
        match round.phase() {
            Phase::Done => Ok(round),
            phase => Err(RulesError::NotDone { phase: phase.name() }),
        }
    }

    /// The seat of each decision in order, of a checked round.
    pub(crate) fn deciders(&self) -> impl Iterator<Item = Seat> {
        let mut round = self.deal;
        self.actions.iter().map(move |&action| {
            round.skip_forced();
            let seat = round.to_play().expect("a checked round has no action past its end");
            round.play_unchecked(action);
            seat
        })
    }

    /// The round at decision `k`, which is below the number of actions of a checked round.
    pub(crate) fn position(&self, k: usize) -> Round {
        let mut round = self.deal;
        round.skip_forced();
        for &action in &self.actions[..k] {
            round.play_unchecked(action);
            round.skip_forced();
        }
        round
    }
}

impl Decision {
    /// The seat that decided.
    pub fn seat(&self) -> Seat {
        self.observation.seat()
    }

    /// The bid of the seat that decided: the action itself in the bidding.
    pub fn bid(&self) -> u8 {
        let public = self.observation.public();
        match public.phase() {
            Phase::Bidding => self.action.as_bid(),
            _ => public.bid(self.seat()).unwrap_or_default(),
        }
    }

    /// Writes what the seat knew.
    pub fn encode(&self, out: &mut Features) {
        encode(&self.observation, out);
    }

    /// Entries by relative seat from the one that decided; the default past the players.
    pub fn relative<T: Copy + Default>(&self, by_seat: &BySeat<T>) -> [T; MAX_PLAYERS] {
        let players = self.observation.public().players();
        let mut relative = [T::default(); MAX_PLAYERS];
        for (k, entry) in relative[..players].iter_mut().enumerate() {
            *entry = by_seat[self.seat().after(k, players)];
        }
        relative
    }
}
