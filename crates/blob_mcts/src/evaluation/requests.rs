//! A search whose leaves are evaluated elsewhere, with a cache of the round's earlier evaluations.

use blob_engine::rng::Xoshiro;
use blob_engine::{FEATURES, Observation, Round, encode_named};

use crate::error::EvaluationError;
use crate::evaluation::batch_buffer::Row;
use crate::evaluation::cache::{EntryId, EvaluationCache, Found, Key};
use crate::search::config::SearchConfig;
use crate::search::determinized::{Leaf, Outcome, Search};
use crate::search::evaluate::Evaluation;
use crate::search::interrupt::Interrupt;
use crate::search::look_ahead::Waiting;
use crate::search::tree::LeafNames;

/// A leaf that waits for its evaluation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PendingLeaf {
    /// The task of its group that requested it.
    pub(crate) task: u32,
    leaf: Leaf,
    pub(crate) source: EvaluationSource,
}

/// A decision of a policy that waits for its evaluation: that of a round, or one in a look-ahead.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PendingDecision {
    /// The task of its group that requested it.
    pub(crate) task: u32,
    /// Its place in the look-ahead; `None` for the round's own decision.
    pub(crate) waiting: Option<Waiting>,
    /// The requested row.
    pub(crate) row: u32,
}

/// Where a leaf's evaluation comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum EvaluationSource {
    /// A requested row. The cache entry, if there is one, stores the result.
    Row { row: u32, entry: Option<EntryId> },
    /// An entry of the round's cache.
    Cached(EntryId),
}

/// What the tasks of a group request from one model in one run.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    /// The distinct rows.
    pub(crate) rows: Vec<Row>,
    /// The pending leaves, in the order in which they receive their evaluations.
    pub(crate) leaves: Vec<PendingLeaf>,
    /// The decisions that wait for rows.
    pub(crate) decisions: Vec<PendingDecision>,
    /// Leaves of the current search whose evaluations are cached and received at once.
    cached: Vec<(Leaf, EntryId)>,
}

/// A search that requests its evaluations as rows, and the cache that its round keeps.
#[derive(Debug)]
pub(crate) struct RequestingSearch {
    pub(crate) search: Search,
    cache: EvaluationCache,
    /// Leaves of the current search that needed no row of their own.
    repeats: u64,
}

impl RequestingSearch {
    /// Starts a search; `capacity` is the number of evaluations that the cache holds.
    pub(crate) fn new(observation: &Observation, config: SearchConfig, rng: Xoshiro, capacity: usize) -> Self {
        Self { search: Search::new(observation, config, rng), cache: EvaluationCache::new(capacity), repeats: 0 }
    }

    /// Starts the next search of the same round.
    pub(crate) fn begin(&mut self, observation: &Observation, rng: Xoshiro) {
        self.search.begin(observation, rng);
        self.cache.trim();
        self.repeats = 0;
    }

    /// Empties the cache, for another round.
    pub(crate) fn clear_cache(&mut self) {
        self.cache.clear();
    }

    /// Requests every leaf that can be evaluated now; returns whether any is pending. If none is, the search is done,
    /// or interrupted.
    ///
    /// A cached evaluation is received at once, as if it had just come back. With one leaf in flight for each tree the
    /// order of evaluations changes nothing. With several it does, so cached ones wait until the others are back.
    pub(crate) fn request(
        &mut self,
        task: usize,
        requests: &mut Requests,
        interrupt: &mut Interrupt<impl FnMut() -> bool>,
    ) -> Result<bool, EvaluationError> {
        let first = requests.leaves.len();
        let at_once = self.search.config().leaves_in_flight == 1;
        loop {
            let rows = requests.rows.len();
            let before = requests.leaves.len();
            let (cache, repeats) = (&mut self.cache, &mut self.repeats);
            let found = |leaf, position: &Round, names| {
                let source = source(cache, position, names, &mut requests.rows, repeats);
                match source {
                    EvaluationSource::Cached(entry) if at_once => requests.cached.push((leaf, entry)),
                    _ => requests.leaves.push(PendingLeaf { task: task as u32, leaf, source }),
                }
            };
            if !self.search.select_each(found, interrupt) {
                return Ok(false);
            }
            if !at_once && requests.rows.len() == rows {
                // No new row is on its way, so there is nothing to wait for.
                requests.cached.extend(requests.leaves.drain(before..).map(|pending| {
                    let EvaluationSource::Cached(entry) = pending.source else {
                        unreachable!("a leaf without a row is cached")
                    };
                    (pending.leaf, entry)
                }));
            }
            if requests.cached.is_empty() {
                return Ok(requests.leaves.len() > first);
            }
            for (leaf, entry) in requests.cached.drain(..) {
                self.search.receive(leaf, &self.cache.known(entry).evaluation())?;
            }
        }
    }

    /// Passes a pending leaf its evaluation; `row` is the requested row's.
    pub(crate) fn receive(&mut self, pending: &PendingLeaf, row: &Evaluation<'_>) -> Result<(), EvaluationError> {
        match pending.source {
            EvaluationSource::Row { entry, .. } => {
                self.search.receive(pending.leaf, row)?;
                if let Some(entry) = entry {
                    self.cache.learn(entry, row);
                }
                Ok(())
            }
            EvaluationSource::Cached(entry) => self.search.receive(pending.leaf, &self.cache.known(entry).evaluation()),
        }
    }

    /// What the search found; its evaluations are the requested rows.
    pub(crate) fn outcome(&self) -> Outcome {
        let outcome = self.search.outcome();
        Outcome { evaluations: outcome.evaluations - self.repeats, ..outcome }
    }

    /// Leaves that needed no row of their own.
    pub(crate) const fn repeats(&self) -> u64 {
        self.repeats
    }
}

/// Finds a leaf's row in the cache, or adds it to `rows`; counts it in `repeats` if it needs no row of its own.
fn source(
    cache: &mut EvaluationCache,
    position: &Round,
    names: LeafNames,
    rows: &mut Vec<Row>,
    repeats: &mut u64,
) -> EvaluationSource {
    let mover = position.to_play().expect("a leaf has a seat to play");
    let row = rows.len() as u32;
    // Encoded in place: most rows are new.
    rows.push(Row { features: [0; FEATURES], legal: names.legal });
    let features = &mut rows[row as usize].features;
    encode_named(&position.observe(mover), names.cards, features);
    if cache.is_off() {
        return EvaluationSource::Row { row, entry: None };
    }
    let source = match cache.find(Key::of(features), names.legal, row) {
        Found::New(entry) => return EvaluationSource::Row { row, entry },
        Found::Known(entry) => EvaluationSource::Cached(entry),
        Found::Requested { row } => EvaluationSource::Row { row, entry: None },
    };
    rows.pop();
    *repeats += 1;
    source
}
