//! Records of finished rounds.

use blob_engine::{ACTIONS, Action, BySeat, EncodedActionSet, Features, MAX_PLAYERS, PublicState, Round, Seat};
use half::f16;

use crate::replay::PlayedRound;

/// One decision of a self-play round, or what another seat knows there: a row of training data.
#[derive(Clone, Debug, PartialEq)]
pub struct DecisionRecord {
    /// What the seat knew, encoded.
    pub features: Features,
    /// The legal actions; none where another seat moved, whose record comes before.
    pub legal: EncodedActionSet,
    /// The share of each action in the root's visits, by [`EncodedAction`](blob_engine::EncodedAction).
    pub policy: [f16; ACTIONS],
    /// The mean value of the search's simulations to each relative seat; 0 past the players.
    pub root_values: [f32; MAX_PLAYERS],
    /// The seat whose knowledge it is: the one that moved, unless no action is legal.
    pub seat: Seat,
    /// Number of the round in its game, from 0; 0 where it stands alone.
    pub game_round: u8,
}

/// A round as it was dealt, and the actions of its decisions.
#[derive(Clone, Debug, PartialEq)]
pub struct Moves {
    /// The round before its first bid.
    pub deal: Round,
    /// The action of each decision in order.
    pub actions: Vec<Action>,
}

/// One finished round.
#[derive(Clone, Debug, PartialEq)]
pub struct RoundRecord {
    /// The round's number, or its game's.
    pub index: u64,
    /// Number of the round in its game, from 0; 0 where it stands alone.
    pub game_round: u8,
    /// All that was played.
    pub moves: Moves,
    /// The rows of its searched decisions in order, where they are recorded.
    pub decisions: Vec<DecisionRecord>,
    /// Points of each seat.
    pub points: BySeat<u8>,
    /// Bid of each seat.
    pub bids: BySeat<u8>,
    /// Tricks of each seat.
    pub tricks: BySeat<u8>,
    /// Value in [-1, 1] of each seat, with its share of the game's result.
    pub values: BySeat<f32>,
    /// Number of players.
    pub players: usize,
    /// Cards dealt to each.
    pub cards: usize,
}

impl RoundRecord {
    /// The record of a finished round, by its last public state and what it was worth.
    pub(crate) fn new(
        index: u64,
        game_round: u8,
        moves: Moves,
        public: &PublicState,
        values: BySeat<f32>,
        decisions: Vec<DecisionRecord>,
    ) -> Self {
        let mut bids = BySeat::default();
        for seat in Seat::all(public.players()) {
            bids[seat] = public.bid(seat).unwrap_or_default();
        }
        Self {
            index,
            game_round,
            moves,
            decisions,
            points: public.scores().unwrap_or_default(),
            bids,
            tricks: *public.won(),
            values,
            players: public.players(),
            cards: public.cards(),
        }
    }

    /// The round in its shortest form.
    pub fn into_played(self) -> PlayedRound {
        let Moves { deal, actions } = self.moves;
        PlayedRound { number: self.index, game_round: self.game_round, deal, actions, values: self.values }
    }

    /// The result as a training target: the value of each relative seat from `seat`; 0 past the players.
    pub fn relative_values(&self, seat: Seat) -> [f32; MAX_PLAYERS] {
        relative_to(seat, self.players, &self.values)
    }
}

/// Values by seat as values by relative seat from `seat`; 0 past the players.
pub(crate) fn relative_to(seat: Seat, players: usize, values: &BySeat<f32>) -> [f32; MAX_PLAYERS] {
    let mut relative = [0.0; MAX_PLAYERS];
    for (k, value) in relative[..players].iter_mut().enumerate() {
        *value = values[seat.after(k, players)];
    }
    relative
}
