//! Determinized multi-player PUCT search, and the scheduler that plays thousands of rounds at once.
//!
//! [`Search`] is a plain state machine: [`Search::select`] hands out leaves, [`Search::receive`] takes their evaluations,
//! [`Search::outcome`] ends it. It knows no thread and no queue. [`Play`] runs many rounds on worker threads and gathers the
//! leaves of all of them into the batches of a [`BatchQueue`].

mod agent;
mod asking_search;
mod batch_buffer;
mod batch_queue;
mod cache;
mod carry_over;
mod config;
mod course;
mod error;
mod evaluate;
mod exploration;
mod group;
mod null_evaluator;
mod play;
pub mod puct;
mod record;
mod round_task;
mod search;
mod shapes;
mod tree;
mod work_queues;

pub use agent::{Agent, LeafEvaluator, Plan, Seating};
pub use batch_buffer::BatchBuffer;
pub use batch_queue::{BatchQueue, FilledBatch, NextBatch};
pub use cache::{CacheUse, time_cache};
pub use carry_over::RoundSoFar;
pub use config::{RootNoise, SearchConfig, Temperature};
pub use error::{ConfigError, EvaluationError, PlayError};
pub use evaluate::{Evaluate, Evaluation, Rollout, Uniform};
pub use exploration::{choose, dirichlet};
pub use null_evaluator::{play_with_null_evaluator, time_hand_over};
pub use play::{Play, PlayConfig, Progress};
pub use record::{DecisionRecord, RoundRecord};
pub use search::{Leaf, Outcome, Search};
pub use shapes::{Shape, Shapes};
