//! Many rounds at once, on worker threads that never wait for an evaluation.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::error::{ConfigError, SchedulerError};
use crate::evaluation::batch_queue::{BatchQueue, FilledBatch, GroupId, NextBatch};
use crate::evaluation::cache::MAX_ENTRIES;
use crate::selfplay::agent::Plan;
use crate::selfplay::carry_over::RoundSoFar;
use crate::selfplay::record::RoundRecord;
use crate::selfplay::round_group::{GROUP_ROUNDS, RoundGroup, RunResult};
use crate::selfplay::run_context::RunContext;
use crate::selfplay::work_queues::WorkQueues;

/// How a plan is played; results do not depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SchedulerConfig {
    /// Worker threads; `None` for one on each core.
    pub threads: Option<usize>,
    /// Rows of a batch; at least 1.
    pub batch_rows: usize,
    /// Rounds in progress at once; `None` for as many as [`Self::rounds_in_flight_of`] says.
    pub rounds_in_flight: Option<usize>,
    /// Threads that evaluate batches, at least 1: for rounds in flight alone.
    pub evaluator_threads: usize,
    /// Whether searched decisions are recorded.
    pub record: bool,
    /// Evaluations that each round in progress can remember, for equal rows to share; `None` for those of one decision, 0
    /// for none.
    pub cache_entries: Option<usize>,
}

impl Default for SchedulerConfig {
    fn default() -> Self {
        Self {
            threads: None,
            batch_rows: 1024,
            rounds_in_flight: None,
            evaluator_threads: 2,
            record: true,
            cache_entries: None,
        }
    }
}

impl SchedulerConfig {
    /// # Errors
    /// The first setting out of its range.
    pub fn check(&self) -> Result<(), ConfigError> {
        let within = |name, value: Option<usize>, most, allowed| {
            let value = value.unwrap_or(1);
            ConfigError::check((1..=most).contains(&value), name, value, allowed)
        };
        within("threads", self.threads, 1024, "a run has 1 to 1024 worker threads")?;
        within("batch_rows", Some(self.batch_rows), 1 << 20, "a batch has 1 to 1048576 rows")?;
        let cache_entries = self.cache_entries.unwrap_or_default();
        ConfigError::check(cache_entries <= MAX_ENTRIES, "cache_entries", cache_entries, "it is 0 to 32768")?;
        within("evaluator_threads", Some(self.evaluator_threads), 1024, "1 to 1024 threads evaluate")?;
        within("rounds_in_flight", self.rounds_in_flight, 1 << 20, "1 to 1048576 rounds are in progress at once")
    }

    /// Worker threads: those asked for, or one for each core.
    pub fn worker_threads(&self) -> usize {
        self.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from))
    }

    /// Rounds of a plan in progress at once, while there are so many: those asked for, or enough for a batch at each
    /// evaluator thread and three more, and for a group on every worker thread.
    pub fn rounds_in_flight_of(&self, plan: &Plan) -> usize {
        let by_default = || {
            let leaves = |agent: &crate::Agent| match agent {
                crate::Agent::Search { config, evaluator: crate::LeafEvaluator::Model(_), .. } => {
                    config.worlds_in_flight.map_or(config.worlds, |most| most.min(config.worlds))
                        * config.leaves_in_flight
                }
                crate::Agent::Policy { .. } => 1,
                _ => 0,
            };
            let leaves = plan.agents.iter().map(leaves).max().unwrap_or(0);
            let batches = self.evaluator_threads.max(2) + SPARE_BATCHES;
            let for_batches = if leaves == 0 { 0 } else { (batches * self.batch_rows).div_ceil(leaves) };
            for_batches.max(self.worker_threads() * GROUP_ROUNDS).min(1 << 20)
        };
        self.rounds_in_flight.unwrap_or_else(by_default)
    }
}

/// Batches whose rows are out by default beside those at the evaluators: one ready, two being filled, since a group runs on
/// only when all of its rows are back, which may lie in two batches. With one and two evaluators, those waited 5 % of their
/// time; with more than three nothing is gained, and the search is slower for the memory it touches (docs/LOG.md).
const SPARE_BATCHES: usize = 3;

/// Most evaluations that a round remembers by default, about 100 bytes each.
const MOST_CACHE_ENTRIES: usize = 1024;

/// How far a run is. Where whole games are played, each counts as a round here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Rounds finished.
    pub rounds_done: u64,
    /// Rounds begun or gone on with; while it is less than `rounds`, there is work for every row.
    pub rounds_begun: u64,
    /// Rounds to finish: those of the plan and those carried into it, less those that paused so far.
    pub rounds: u64,
    /// Decisions taken.
    pub decisions: u64,
    /// Simulations of finished searches.
    pub simulations: u64,
    /// Evaluations of finished searches, by the queue or at once.
    pub evaluations: u64,
    /// Leaves that shared the evaluation of an equal row of their round.
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

/// A plan being played.
///
/// Workers start at once. Whoever evaluates calls [`Self::next_batch`] and [`Self::complete`] until the former says
/// [`NextBatch::Finished`]; several threads may do so.
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
    /// Starts to play a plan.
    ///
    /// # Errors
    /// If the plan or a setting is out of range, or threads cannot be started.
    pub fn start(plan: Plan, config: &SchedulerConfig) -> Result<Self, SchedulerError> {
        Self::resume(plan, Vec::new(), config)
    }

    /// Goes on with the rounds that an earlier run of the same plan, with earlier round numbers, carried over; then plays the plan.
    ///
    /// # Errors
    /// As [`Self::start`], and if a carried round cannot be one of such a plan.
    pub fn resume(plan: Plan, carried: Vec<RoundSoFar>, config: &SchedulerConfig) -> Result<Self, SchedulerError> {
        plan.check()?;
        config.check()?;
        carried.iter().try_for_each(|round| round.check(&plan))?;
        if let Some(pair) = carried.windows(2).find(|pair| pair[0].index >= pair[1].index) {
            let what =
                format!("it comes after round {}; carried rounds stand in their order, each once", pair[0].index);
            return Err(SchedulerError::Carried { index: pair[1].index, what });
        }
        let threads = config.worker_threads();
        let in_flight = config.rounds_in_flight_of(&plan);
        let in_flight = in_flight.min(usize::try_from(plan.rounds).unwrap_or(usize::MAX).saturating_add(carried.len()));
        // Small runs are spread over the threads all the same.
        let group_rounds = GROUP_ROUNDS.min(in_flight.div_ceil(threads)).max(1);
        let sizes: Vec<usize> =
            (0..in_flight).step_by(group_rounds).map(|start| group_rounds.min(in_flight - start)).collect();
        let pool = ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|k| format!("blob-worker-{k}"))
            .build()
            .map_err(|error| SchedulerError::Threads { threads, message: error.to_string() })?;
        let models = plan.models();
        let groups =
            sizes.iter().enumerate().map(|(id, &size)| Mutex::new(RoundGroup::new(id, size, models))).collect();
        let shared = Arc::new(Shared {
            queue: BatchQueue::new(config.batch_rows, models, sizes.len()),
            context: RunContext {
                record: config.record,
                cache_entries: config.cache_entries.unwrap_or_else(|| default_cache_entries(&plan)),
                plan,
                carried,
                handed_out: AtomicU64::new(0),
                stop: AtomicBool::new(false),
                trees: Mutex::default(),
            },
            groups,
            runnable: WorkQueues::new(threads, sizes.len()),
            finished: Mutex::default(),
            paused: Mutex::default(),
            rounds_paused: AtomicU64::new(0),
            rounds_done: AtomicU64::new(0),
            decisions: AtomicU64::new(0),
            simulations: AtomicU64::new(0),
            evaluations: AtomicU64::new(0),
            repeats: AtomicU64::new(0),
        });
        let scheduler = Self { shared, pool };
        scheduler.spawn(0..sizes.len());
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

    /// Waits, at most so long, for a batch to evaluate.
    ///
    /// # Errors
    /// What stopped the run, if something did.
    pub fn next_batch(&self, timeout: Duration) -> Result<NextBatch, SchedulerError> {
        self.shared.queue.next_batch(timeout)
    }

    /// Hands in the outputs of a batch: 52 policy numbers and 8 values for each filled row; further rows are ignored.
    ///
    /// # Panics
    /// If there are fewer outputs than filled rows.
    pub fn complete(&self, batch: FilledBatch, policy: &[f32], values: &[f32]) {
        let woken = self.shared.queue.complete(batch, policy, values);
        self.spawn(woken.into_iter());
    }

    /// Gives up a batch without its outputs, which ends the run: every wait then says so.
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

    /// Stops the run and waits until no worker runs: at most as long as one search, or the steps of a group.
    pub fn close(&self) {
        self.shared.stop(Ok(()));
        self.shared.queue.wait_idle();
    }

    fn spawn(&self, groups: impl Iterator<Item = GroupId>) {
        for group in groups {
            self.shared.runnable.push(group);
            let shared = Arc::clone(&self.shared);
            // One job for each group, but which of the groups that wait it runs depends on who takes it.
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
    fn stop(&self, reason: Result<(), SchedulerError>) {
        self.context.stop.store(true, Ordering::Relaxed);
        self.queue.stop(reason);
    }

    /// Runs a group. An error or a panic stops the run of the scheduler; it must not reach the thread pool, which aborts.
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

fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".into())
}

/// As many evaluations as the largest search of a plan asks for, within reason.
fn default_cache_entries(plan: &Plan) -> usize {
    let simulations = |agent: &crate::Agent| match agent {
        crate::Agent::Search { config, .. } => config.worlds.saturating_mul(config.simulations).saturating_add(1),
        _ => 0,
    };
    plan.agents.iter().map(simulations).max().unwrap_or(0).min(MOST_CACHE_ENTRIES)
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
