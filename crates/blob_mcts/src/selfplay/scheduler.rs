//! Many rounds at once, on worker threads that never wait for an evaluation.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::error::SchedulerError;
use crate::evaluation::batch_queue::{BatchQueue, FilledBatch, GroupId, NextBatch};
use crate::selfplay::agent::Plan;
use crate::selfplay::carry_over::RoundSoFar;
use crate::selfplay::record::RoundRecord;
use crate::selfplay::round_group::{RoundGroup, RunResult};
use crate::selfplay::run_context::RunContext;
use crate::selfplay::scheduler_config::{GROUP_ROUNDS, SchedulerConfig};
use crate::selfplay::work_queues::WorkQueues;

/// How far a run is. Where whole games are played, each counts as a round here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Rounds finished.
    pub rounds_done: u64,
    /// Rounds begun or continued. While it is less than `rounds`, every finished round is replaced by another.
    pub rounds_begun: u64,
    /// Rounds to finish: the plan's and the carried ones, without those that paused so far.
    pub rounds: u64,
    /// Decisions taken.
    pub decisions: u64,
    /// Simulations of finished searches.
    pub simulations: u64,
    /// Evaluations of finished searches, by the queue or at once.
    pub evaluations: u64,
    /// Evaluations that an equal row of the round had already.
    pub repeats: u64,
    /// Batches sent to evaluators.
    pub batches: u64,
    /// Filled rows of these batches.
    pub rows: u64,
}

/// What the workers share.
struct Shared {
    context: RunContext,
    queue: BatchQueue,
    groups: Vec<Mutex<RoundGroup>>,
    runnable: WorkQueues,
    finished: Mutex<Vec<RoundRecord>>,
    paused: Mutex<Vec<RoundSoFar>>,
    rounds_paused: AtomicU64,
    rounds_done: AtomicU64,
    decisions: AtomicU64,
    simulations: AtomicU64,
    evaluations: AtomicU64,
    repeats: AtomicU64,
}

/// A plan being played on worker threads, which start at once.
///
/// An evaluator calls [`Self::next_batch`] and [`Self::complete`] until it gets [`NextBatch::Finished`]; several
/// threads may do so.
pub struct Scheduler {
    shared: Arc<Shared>,
    pool: ThreadPool,
}

impl std::fmt::Debug for Scheduler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scheduler").field("progress", &self.progress()).finish_non_exhaustive()
    }
}

impl Scheduler {
    /// Starts a plan.
    ///
    /// # Errors
    /// If the plan or a setting is out of range, or threads cannot be started.
    pub fn start(plan: Plan, config: &SchedulerConfig) -> Result<Self, SchedulerError> {
        Self::resume(plan, Vec::new(), config)
    }

    /// Starts with rounds that an earlier run of the same plan carried over, with lower numbers; then plays the plan.
    ///
    /// # Errors
    /// As [`Self::start`], and if a carried round cannot be one of such a plan.
    pub fn resume(plan: Plan, carried: Vec<RoundSoFar>, config: &SchedulerConfig) -> Result<Self, SchedulerError> {
        plan.check()?;
        config.check()?;
        check_carried(&plan, &carried)?;
        let threads = config.worker_threads();
        let pool = ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|k| format!("blob-worker-{k}"))
            .build()
            .map_err(|error| SchedulerError::Threads { threads, message: error.to_string() })?;
        let shared = Arc::new(Shared::new(plan, carried, config));
        let groups = shared.groups.len();
        let scheduler = Self { shared, pool };
        scheduler.spawn(0..groups);
        Ok(scheduler)
    }

    /// The plan being played.
    pub fn plan(&self) -> &Plan {
        &self.shared.context.plan
    }

    /// Rows of every batch.
    pub fn batch_rows(&self) -> usize {
        self.shared.queue.batch_rows()
    }

    /// Waits up to `timeout` for a batch to evaluate.
    ///
    /// # Errors
    /// What stopped the run, if something did.
    pub fn next_batch(&self, timeout: Duration) -> Result<NextBatch, SchedulerError> {
        self.shared.queue.next_batch(timeout)
    }

    /// Takes the outputs of a batch: 52 policy numbers and 8 values for each filled row; further rows are ignored.
    ///
    /// # Panics
    /// If there are fewer outputs than filled rows.
    pub fn complete(&self, mut batch: FilledBatch, policy: &[f32], values: &[f32]) {
        batch.write(policy, values);
        self.complete_in_place(batch);
    }

    /// Takes a batch whose outputs stand in its own memory, where [`FilledBatch::outputs`] says.
    pub fn complete_in_place(&self, batch: FilledBatch) {
        let woken = self.shared.queue.complete(batch);
        self.spawn(woken.into_iter());
    }

    /// Gives up a batch without its outputs. This ends the run with an error.
    pub fn abandon(&self, batch: FilledBatch) {
        drop(batch);
        self.shared.stop(Err(SchedulerError::Abandoned));
    }

    /// How far the run is.
    pub fn progress(&self) -> Progress {
        let shared = &self.shared;
        let (batches, rows) = shared.queue.sent();
        let rounds = shared.context.plan.rounds + shared.context.carried.len() as u64;
        Progress {
            rounds_done: shared.rounds_done.load(Ordering::Relaxed),
            rounds_begun: shared.context.handed_out.load(Ordering::Relaxed).min(rounds),
            rounds: rounds - shared.rounds_paused.load(Ordering::Relaxed),
            decisions: shared.decisions.load(Ordering::Relaxed),
            simulations: shared.simulations.load(Ordering::Relaxed),
            evaluations: shared.evaluations.load(Ordering::Relaxed),
            repeats: shared.repeats.load(Ordering::Relaxed),
            batches,
            rows,
        }
    }

    /// Takes the rounds finished so far, in the order of their numbers.
    pub fn take_records(&self) -> Vec<RoundRecord> {
        let mut records = std::mem::take(&mut *self.shared.finished.lock().unwrap_or_else(PoisonError::into_inner));
        records.sort_unstable_by_key(|record| (record.index, record.game_round));
        records
    }

    /// Takes the rounds that paused so far for a later run, in the order of their numbers.
    pub fn take_paused(&self) -> Vec<RoundSoFar> {
        let mut paused = std::mem::take(&mut *self.shared.paused.lock().unwrap_or_else(PoisonError::into_inner));
        paused.sort_unstable_by_key(|round| round.index);
        paused
    }

    /// Stops the run and waits until no worker runs, which takes milliseconds.
    pub fn close(&self) {
        self.shared.stop(Ok(()));
        self.shared.queue.wait_idle();
    }

    fn spawn(&self, groups: impl Iterator<Item = GroupId>) {
        for group in groups {
            self.shared.runnable.push(group);
            let shared = Arc::clone(&self.shared);
            // There is a job for each group, but a job runs whichever group its worker takes.
            self.pool.spawn(move || shared.run_group(shared.runnable.take(rayon::current_thread_index().unwrap_or(0))));
        }
    }
}

impl Drop for Scheduler {
    fn drop(&mut self) {
        // Workers hold the shared state themselves, so there is nothing to wait for.
        self.shared.stop(Ok(()));
    }
}

impl Shared {
    fn new(plan: Plan, carried: Vec<RoundSoFar>, config: &SchedulerConfig) -> Self {
        let (threads, models) = (config.worker_threads(), plan.models());
        let rounds = usize::try_from(plan.rounds).unwrap_or(usize::MAX).saturating_add(carried.len());
        let in_flight = config.rounds_in_flight_of(&plan).min(rounds);
        // Small runs too are spread over the threads.
        let group_rounds = GROUP_ROUNDS.min(in_flight.div_ceil(threads)).max(1);
        let sizes = (0..in_flight).step_by(group_rounds).map(|start| group_rounds.min(in_flight - start));
        let groups: Vec<_> =
            sizes.enumerate().map(|(id, size)| Mutex::new(RoundGroup::new(id, size, models))).collect();
        Self {
            queue: BatchQueue::new(config.batch_rows, models, groups.len()),
            runnable: WorkQueues::new(threads, groups.len()),
            groups,
            context: RunContext {
                record: config.record,
                cache_entries: config.cache_entries_of(&plan),
                plan,
                carried,
                handed_out: AtomicU64::new(0),
                stop: AtomicBool::new(false),
                trees: Mutex::default(),
            },
            finished: Mutex::default(),
            paused: Mutex::default(),
            rounds_paused: AtomicU64::new(0),
            rounds_done: AtomicU64::new(0),
            decisions: AtomicU64::new(0),
            simulations: AtomicU64::new(0),
            evaluations: AtomicU64::new(0),
            repeats: AtomicU64::new(0),
        }
    }

    fn stop(&self, reason: Result<(), SchedulerError>) {
        self.context.stop.store(true, Ordering::Relaxed);
        self.queue.stop(reason);
    }

    /// Runs a group. An error or a panic stops the run of the scheduler; it must not reach the thread pool, which
    /// aborts.
    fn run_group(&self, id: GroupId) {
        // A group runs once at a time, so this lock is never waited for; it makes that safe.
        let mut group = self.groups[id].lock().unwrap_or_else(PoisonError::into_inner);
        let has_run = !self.context.is_stopped()
            && self.guard(|| group.run(&self.context, &self.queue).map(|result| self.count(result)));
        if !has_run {
            group.abandon();
        }
        self.guard(|| {
            group.end_run(&self.queue);
            Ok(())
        });
    }

    /// Does some work; an error or a panic in it stops the run. Returns whether it went well.
    fn guard(&self, work: impl FnOnce() -> Result<(), SchedulerError>) -> bool {
        let error = match catch_unwind(AssertUnwindSafe(work)) {
            Ok(Ok(())) => return true,
            Ok(Err(error)) => error,
            Err(panic) => SchedulerError::Panicked { message: panic_message(&*panic) },
        };
        self.stop(Err(error));
        false
    }

    /// Adds the result of a group's run to the totals.
    fn count(&self, result: RunResult) {
        let RunResult { done, finished, paused, counts } = result;
        self.decisions.fetch_add(counts.decisions, Ordering::Relaxed);
        self.simulations.fetch_add(counts.simulations, Ordering::Relaxed);
        self.evaluations.fetch_add(counts.evaluations, Ordering::Relaxed);
        self.repeats.fetch_add(counts.repeats, Ordering::Relaxed);
        if !finished.is_empty() {
            self.rounds_done.fetch_add(done, Ordering::Relaxed);
            self.finished.lock().unwrap_or_else(PoisonError::into_inner).extend(finished);
        }
        if !paused.is_empty() {
            self.rounds_paused.fetch_add(paused.len() as u64, Ordering::Relaxed);
            self.paused.lock().unwrap_or_else(PoisonError::into_inner).extend(paused);
        }
    }
}

/// Carried rounds come before the plan's own and stand in their order, each once.
fn check_carried(plan: &Plan, carried: &[RoundSoFar]) -> Result<(), SchedulerError> {
    carried.iter().try_for_each(|round| round.check(plan))?;
    match carried.windows(2).find(|pair| pair[0].index >= pair[1].index) {
        None => Ok(()),
        Some(pair) => {
            let what =
                format!("it comes after round {}; carried rounds stand in their order, each once", pair[0].index);
            Err(SchedulerError::Carried { index: pair[1].index, what })
        }
    }
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".into())
}

#[cfg(test)]
mod tests {
    use blob_engine::RoundRules;

    use super::*;
    use crate::{Agent, LeafEvaluator, RoundMix, SearchConfig, Seating, Temperature};

    #[test]
    fn a_fault_in_ending_a_run_is_an_error() {
        let agent = Agent::Search {
            config: SearchConfig::default(),
            evaluator: LeafEvaluator::Model(0),
            temperature: Temperature::GREEDY,
        };
        let plan = Plan {
            mix: RoundMix::one(4, 5),
            rules: RoundRules::default(),
            seed: 1,
            first_round: 0,
            rounds: 1 << 20,
            carry_over: 0,
            range_end: None,
            agents: vec![agent],
            seating: Seating::One,
        };
        let config = SchedulerConfig { threads: Some(2), batch_rows: 64, ..SchedulerConfig::default() };
        let scheduler = Scheduler::start(plan, &config).expect("a sound plan");
        let (policy, values) = (vec![1.0; 64 * 52], vec![0.0; 64 * 8]);
        let error = loop {
            scheduler.shared.queue.lose_count_of_runs();
            match scheduler.next_batch(Duration::from_millis(1)) {
                Ok(NextBatch::Batch(batch)) => scheduler.complete(batch, &policy, &values),
                Ok(_) => {}
                Err(error) => break error,
            }
        };
        assert!(matches!(error, SchedulerError::Panicked { .. }), "{error:?}");
        scheduler.close();
    }
}
