//! Rules, observations, encoding and determinization of Blob, an Oh Hell variant.
//!
//! Data flows one way: a [`Round`] holds every hand, an [`Observation`] is what one seat knows of it, the encoder and
//! the [`WorldSampler`] take observations alone, so hidden cards cannot leak by construction.

#![forbid(unsafe_code)]

mod action;
mod card;
mod card_names;
pub mod encode;
mod encoded_action;
mod error;
mod game;
mod game_value;
mod observation;
mod public_state;
mod relative_ranks;
pub mod rng;
mod round;
mod rule_bot;
mod rule_rollout;
mod rules;
mod seat;
mod trick;
mod worlds;

pub use action::{ACTIONS, Action, ActionSet};
pub use card::{Card, CardIter, CardSet, PACK, RANKS, SUITS, Suit};
pub use card_names::CardNames;
pub use encode::{
    ENCODING_VERSION, FEATURE_SCALE, FEATURES, Features, OPEN_FEATURES, encode, encode_named, encode_open,
};
pub use encoded_action::{EncodedAction, EncodedActionSet};
pub use error::RulesError;
pub use game::{Game, GameSpec, schedule, trump_of_round};
pub use game_value::game_values;
pub use observation::Observation;
pub use public_state::{Phase, PublicState, Voids};
pub use round::Round;
pub use rule_bot::rule_action;
pub use rule_rollout::RuleRollout;
pub use rules::{GameContext, MAX_CARDS, RoundRules, RoundSpec, Scoring, score_value};
pub use seat::{BySeat, MAX_PLAYERS, MIN_PLAYERS, Seat};
pub use trick::{Trick, beats};
pub use worlds::WorldSampler;
