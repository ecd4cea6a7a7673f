//! One search: determinized multi-player PUCT, and the yardsticks. It knows no thread, no queue and no Python.

pub(crate) mod config;
pub(crate) mod determinized;
mod dirichlet;
pub(crate) mod evaluate;
pub(crate) mod exploration;
pub(crate) mod flat;
pub(crate) mod interrupt;
pub(crate) mod ismcts;
pub(crate) mod look_ahead;
mod node;
pub(crate) mod own_view;
pub(crate) mod past;
pub(crate) mod playouts;
pub mod puct;
mod run;
pub(crate) mod tree;
mod weighing;

pub use config::{RootNoise, SearchConfig, Temperature};
pub use determinized::{Leaf, Outcome, Search};
pub use evaluate::{Evaluate, Evaluation, Rollout, Uniform};
pub use exploration::choose;
pub use flat::flat_search;
pub use interrupt::Interrupt;
pub use ismcts::Ismcts;
pub use look_ahead::{LookAhead, LookAheadConfig, LookAheadOutcome, Waiting};
pub use past::Past;

pub use playouts::{ActionPlayouts, action_playouts};
pub use run::EvaluateBatch;

/// Version of the yardsticks `ismcts:N` and `flat:W`, which stay as they are: a change of any of their decisions makes a new
/// one. docs/strength.md says which results belong to which.
pub const YARDSTICK_VERSION: u32 = 1;
