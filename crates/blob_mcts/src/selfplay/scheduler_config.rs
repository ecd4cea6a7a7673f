//! How a plan is played: threads, batches, rounds in flight, cache. Results do not depend on it.

use crate::error::ConfigError;
use crate::evaluation::cache::MAX_ENTRIES;
use crate::selfplay::agent::{Agent, LeafEvaluator, Plan};

/// Rounds of a full group. With 3 worlds a run then fills about a hundred rows, a tenth of a batch.
pub(crate) const GROUP_ROUNDS: usize = 32;

/// Most rounds in progress at once.
const MAX_ROUNDS_IN_FLIGHT: usize = 1 << 20;

/// Batches in flight by default beside those at the evaluators: one ready and two being filled, since a group goes on
/// only when all of its rows are back, and they may lie in two batches. With one spare batch two evaluators waited 5 %
/// of their time. More than three gain nothing and slow the search by the memory it touches (docs/LOG.md).
const SPARE_BATCHES: usize = 3;

/// Most evaluations in a round's cache by default, about 100 bytes each.
const DEFAULT_MAX_CACHE_ENTRIES: usize = 1024;

/// How a plan is played; results do not depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SchedulerConfig {
    /// Worker threads; `None` for one for each core.
    pub threads: Option<usize>,
    /// Rows of a batch; at least 1.
    pub batch_rows: usize,
    /// Rounds in progress at once; `None` for the default of [`Self::rounds_in_flight_of`].
    pub rounds_in_flight: Option<usize>,
    /// Threads that evaluate batches, at least 1. Only the default of the rounds in flight depends on it.
    pub evaluator_threads: usize,
    /// Whether searched decisions are recorded.
    pub record: bool,
    /// Evaluations in the cache of each round in progress. Equal rows of a round share one. `None` for the evaluations
    /// of one decision, 0 for no cache.
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
        within(
            "rounds_in_flight",
            self.rounds_in_flight,
            MAX_ROUNDS_IN_FLIGHT,
            "1 to 1048576 rounds are in progress at once",
        )
    }

    /// Number of worker threads.
    pub fn worker_threads(&self) -> usize {
        self.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from))
    }

    /// Rounds of a plan in progress at once, until fewer are left. By default they fill a batch for each evaluator
    /// thread, at least two, and three more, and give every worker thread a group.
    pub fn rounds_in_flight_of(&self, plan: &Plan) -> usize {
        if let Some(rounds) = self.rounds_in_flight {
            return rounds;
        }
        let rows = plan.agents.iter().map(rows_in_flight).max().unwrap_or(0);
        let batches = self.evaluator_threads.max(2) + SPARE_BATCHES;
        let for_batches = if rows == 0 { 0 } else { (batches * self.batch_rows).div_ceil(rows) };
        for_batches.max(self.worker_threads() * GROUP_ROUNDS).min(MAX_ROUNDS_IN_FLIGHT)
    }

    /// Capacity of a round's cache: by default the evaluations of the plan's largest search, up to a limit.
    pub(crate) fn cache_entries_of(&self, plan: &Plan) -> usize {
        let largest = || plan.agents.iter().map(evaluations).max().unwrap_or(0);
        self.cache_entries.unwrap_or_else(|| largest().min(DEFAULT_MAX_CACHE_ENTRIES))
    }
}

/// Rows that a round of this agent has in flight: those of a leaf in each world that grows.
fn rows_in_flight(agent: &Agent) -> usize {
    match agent {
        Agent::Search { config, evaluator: LeafEvaluator::Model(_), .. } => {
            let worlds = config.worlds_in_flight.map_or(config.worlds, |most| most.min(config.worlds));
            worlds * config.leaves_in_flight * config.rows_of_leaf()
        }
        Agent::Policy { .. } => 1,
        // About three promising actions in each world.
        Agent::LookAhead { config, .. } => 3 * config.worlds,
        _ => 0,
    }
}

/// Most evaluations of one search of this agent.
fn evaluations(agent: &Agent) -> usize {
    match agent {
        Agent::Search { config, .. } => {
            config.worlds.saturating_mul(config.simulations).saturating_mul(config.rows_of_leaf()).saturating_add(1)
        }
        _ => 0,
    }
}
