//! Finished rounds in their shortest form, and the rows that a learner draws from them.

mod played_round;
mod round_store;

pub use played_round::{Decision, PlayedRound};
pub use round_store::RoundStore;
