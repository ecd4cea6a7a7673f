//! Finished rounds in their shortest form, and the rows that a learner draws from them.

mod columns;
mod played_round;
mod round_store;
mod rows;

pub use columns::RoundColumns;
pub use played_round::{Decision, PlayedRound};
pub use round_store::{Part, RoundStore};
pub use rows::{AfterRows, Rows};
