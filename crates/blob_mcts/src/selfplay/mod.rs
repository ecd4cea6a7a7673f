//! Many rounds at once: what is played, rounds in progress, and the worker threads that run them.

mod agent;
mod carry_over;
mod episode;
mod judge_many;
mod null_evaluator;
mod policy_play;
mod record;
mod round_group;
mod round_mix;
mod round_task;
mod run_context;
mod scheduler;
mod scheduler_config;
mod work_queues;

pub use agent::{Agent, LeafEvaluator, Plan, Seating};
pub use carry_over::RoundSoFar;
pub use judge_many::judge_many;
pub use null_evaluator::play_with_null_evaluator;
pub use policy_play::Exploration;
pub use record::{DecisionRecord, RoundRecord};
pub use round_mix::{RoundMix, RoundShape};
pub use scheduler::{Progress, Scheduler};
pub use scheduler_config::SchedulerConfig;
