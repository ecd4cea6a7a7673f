//! One search: determinized multi-player PUCT. It knows no thread, no queue and no Python.

pub(crate) mod config;
pub(crate) mod determinized;
mod dirichlet;
pub(crate) mod evaluate;
pub(crate) mod exploration;
pub(crate) mod interrupt;
pub mod puct;
mod run;
mod tree;

pub use config::{RootNoise, SearchConfig, Temperature};
pub use determinized::{Leaf, Outcome, Search};
pub use evaluate::{Evaluate, Evaluation, Rollout, Uniform};
pub use exploration::choose;
pub use interrupt::Interrupt;
pub use run::EvaluateBatch;
