//! A run whose evaluator does nothing: what the search, the scheduler and the hand-over cost without a network.

use std::time::{Duration, Instant};

use blob_engine::{ACTIONS, MAX_PLAYERS};

use crate::error::SchedulerError;
use crate::evaluation::batch_queue::NextBatch;
use crate::selfplay::agent::Plan;
use crate::selfplay::scheduler::{Progress, Scheduler};
use crate::selfplay::scheduler_config::SchedulerConfig;

/// How often `keep_going` is called.
const ASK_EVERY: Duration = Duration::from_millis(50);

/// Plays a plan with equal priors and values of 0 for every row, completed batch by batch on the calling thread. Drops
/// the records; returns the progress at the end.
///
/// `keep_going` is called about 20 times a second. When it returns false, the run is closed; searches in progress do
/// not count.
///
/// # Errors
/// If the plan or a setting is out of range, or threads cannot be started.
pub fn play_with_null_evaluator(
    plan: Plan,
    config: &SchedulerConfig,
    mut keep_going: impl FnMut() -> bool,
) -> Result<Progress, SchedulerError> {
    let scheduler = Scheduler::start(plan, config)?;
    let policy = vec![1.0; config.batch_rows * ACTIONS];
    let values = vec![0.0; config.batch_rows * MAX_PLAYERS];
    let mut ask_at = Instant::now() + ASK_EVERY;
    loop {
        match scheduler.next_batch(ASK_EVERY)? {
            NextBatch::Batch(batch) => scheduler.complete(batch, &policy, &values),
            NextBatch::Finished => break,
            NextBatch::TimedOut | NextBatch::HeldUp => {}
        }
        if Instant::now() >= ask_at {
            if !keep_going() {
                scheduler.close();
                break;
            }
            // Records of a long run would fill the memory.
            drop(scheduler.take_records());
            ask_at = Instant::now() + ASK_EVERY;
        }
    }
    Ok(scheduler.progress())
}

#[cfg(test)]
mod tests {
    use blob_engine::RoundRules;

    use super::*;
    use crate::{Agent, LeafEvaluator, SearchConfig, Seating, Temperature};

    fn plan(rounds: u64) -> Plan {
        let agent = Agent::Search {
            config: SearchConfig { worlds: 2, simulations: 5, ..SearchConfig::default() },
            evaluator: LeafEvaluator::Model(0),
            temperature: Temperature::GREEDY,
        };
        let rules = RoundRules::default();
        Plan {
            mix: crate::selfplay::round_mix::RoundMix::one(3, 3),
            rules,
            seed: 1,
            first_round: 0,
            rounds,
            agents: vec![agent],
            seating: Seating::One,
            carry_over: 0,
            range_end: None,
        }
    }

    #[test]
    fn it_plays_to_the_end_or_until_it_is_stopped() {
        let config = SchedulerConfig { threads: Some(1), batch_rows: 16, ..SchedulerConfig::default() };
        let progress = play_with_null_evaluator(plan(40), &config, || true).expect("sound");
        assert_eq!((progress.rounds_done, progress.simulations), (40, progress.decisions * 10));
        let mut asked = 0;
        let stop = || {
            asked += 1;
            asked < 3
        };
        let progress = play_with_null_evaluator(plan(1 << 40), &config, stop).expect("sound");
        assert!(asked == 3 && progress.rounds_done < 1 << 40, "{asked} {progress:?}");
    }
}
