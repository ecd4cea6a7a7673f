//! Determinized multi-player PUCT search, the scheduler that plays thousands of rounds at once, and what is learned of
//! these rounds.
//!
//! [`Search`] is a plain state machine: [`Search::select`] hands out leaves, [`Search::receive`] takes their
//! evaluations, [`Search::outcome`] is its result. It knows no thread and no queue. [`Scheduler`] runs many rounds on
//! worker threads and gathers the leaves of all of them into the batches of a [`BatchQueue`].

#[cfg(feature = "bench-internals")]
pub mod bench_internals;
mod error;
mod evaluation;
mod learning;
mod replay;
mod search;
mod selfplay;

pub use error::{ConfigError, EvaluationError, RoundColumnsError, SchedulerError};
pub use evaluation::{BatchBuffer, BatchQueue, FilledBatch, MemoryBlock, NextBatch};
pub use learning::{
    ActionValues, Judged, LOSSES, OutcomeGradients, Outcomes, TRICKS, Taken, Targets, judge, outcome_gradients,
    outcome_losses,
};
pub use replay::{AfterRows, Decision, Part, PlayedRound, RoundColumns, RoundStore, Rows};
pub use search::{
    ActionPlayouts, Evaluate, EvaluateBatch, Evaluation, Interrupt, Ismcts, Leaf, LookAhead, LookAheadConfig,
    LookAheadOutcome, Outcome, Past, Rollout, RootNoise, Search, SearchConfig, Temperature, Uniform, Waiting,
    YARDSTICK_VERSION, action_playouts, choose, flat_search, puct,
};
pub use selfplay::{
    Agent, DecisionRecord, Exploration, LeafEvaluator, Plan, Progress, RoundMix, RoundRecord, RoundShape, RoundSoFar,
    Scheduler, SchedulerConfig, Seating, judge_many, play_with_null_evaluator,
};
