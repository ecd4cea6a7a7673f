//! What the search and the scheduler refuse.

use blob_engine::RulesError;
use thiserror::Error;

/// A setting that cannot be used.
#[derive(Clone, Debug, Error, PartialEq)]
#[error("{name} is {value}; {allowed}")]
pub struct ConfigError {
    /// The setting.
    pub name: &'static str,
    /// The value given.
    pub value: String,
    /// What is allowed.
    pub allowed: &'static str,
}

impl ConfigError {
    pub(crate) fn check(
        holds: bool,
        name: &'static str,
        value: impl ToString,
        allowed: &'static str,
    ) -> Result<(), Self> {
        if holds { Ok(()) } else { Err(Self { name, value: value.to_string(), allowed }) }
    }
}

/// Columns that hold no finished rounds.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum RoundColumnsError {
    /// A column of the wrong length.
    #[error("column {column} of rounds has {length} entries; it should have {expected}")]
    Length {
        /// Which.
        column: &'static str,
        /// Entries found.
        length: usize,
        /// Entries that the other columns ask for.
        expected: usize,
    },
    /// A number that names no action.
    #[error("round {round} has action {action}; actions are below 52")]
    Action {
        /// The round's number.
        round: u64,
        /// The number.
        action: u8,
    },
    /// A deal that the rules do not allow, or actions that do not play it to its end.
    #[error("round {round}: {error}")]
    Round {
        /// The round's number.
        round: u64,
        /// What is wrong with it.
        error: RulesError,
    },
}

/// An evaluation that breaks the evaluator's contract.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum EvaluationError {
    /// A probability that is not one.
    #[error("policy[{action}] is {value}; policies hold finite numbers of at least 0")]
    Policy {
        /// Which action.
        action: usize,
        /// What was given.
        value: f32,
    },
    /// A policy of 0 on every legal action.
    #[error("the policy has nothing on a legal action; legal are {legal:?}")]
    NothingLegal {
        /// The legal actions.
        legal: Vec<usize>,
    },
    /// A sum beyond the range of float32.
    #[error("policy[{action}] is {value}; the sum over the legal actions is beyond the range of float32")]
    Sum {
        /// The action with the largest.
        action: usize,
        /// Its number.
        value: f32,
    },
    /// A value out of range.
    #[error("values[{seat}] is {value}; the value of each relative seat in play is a number in [-1, 1]")]
    Value {
        /// Which relative seat.
        seat: usize,
        /// What was given.
        value: f32,
    },
}

/// Why a run of rounds ended early.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum SchedulerError {
    /// A setting that cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A round that cannot be dealt.
    #[error(transparent)]
    Rules(#[from] RulesError),
    /// An evaluator that broke its contract.
    #[error("row {row} of a batch: {error}")]
    Evaluation {
        /// Row of the batch.
        row: usize,
        /// What was wrong.
        error: EvaluationError,
    },
    /// A carried round that cannot go on in this run.
    #[error("round {index} cannot be carried on: {what}")]
    Carried {
        /// The round's number.
        index: u64,
        /// Why not.
        what: String,
    },
    /// A batch that was dropped without its outputs.
    #[error("a batch was dropped before it was completed, so its rounds cannot go on")]
    Abandoned,
    /// A fault of this program on a worker thread.
    #[error("a worker thread panicked: {message}")]
    Panicked {
        /// The panic's message.
        message: String,
    },
    /// Threads that could not be started.
    #[error("cannot start {threads} worker threads: {message}")]
    Threads {
        /// The number of threads.
        threads: usize,
        /// The system's message.
        message: String,
    },
}
