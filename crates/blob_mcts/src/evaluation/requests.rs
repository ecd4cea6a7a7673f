//! A search whose leaves are evaluated elsewhere, with a cache of the round's earlier evaluations.

use blob_engine::rng::Xoshiro;
use blob_engine::{FEATURES, Observation, Round, encode_named};

use crate::error::EvaluationError;
use crate::evaluation::batch_buffer::Row;
use crate::evaluation::cache::{EntryId, EvaluationCache, Found, Key, Known};
use crate::search::config::SearchConfig;
use crate::search::determinized::{Leaf, Outcome, Search};
use crate::search::evaluate::Evaluation;
use crate::search::interrupt::Interrupt;
use crate::search::look_ahead::Waiting;
use crate::search::own_view::{OwnView, with_own_value};
use crate::search::tree::LeafNames;

/// A leaf that waits for its evaluation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PendingLeaf {
    /// The task of its group that requested it.
    pub(crate) task: u32,
    leaf: Leaf,
    source: EvaluationSource,
    /// The searcher's own view of it, if that is judged too: where its evaluation comes from, and the searcher's
    /// relative seat from the one that moves.
    own: Option<(EvaluationSource, u8)>,
}

impl PendingLeaf {
    /// Whether it waits for no row.
    const fn is_cached(&self) -> bool {
        matches!((self.source, self.own), (EvaluationSource::Cached(_), None | Some((EvaluationSource::Cached(_), _))))
    }
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
    cached: Vec<PendingLeaf>,
}

/// A search that requests its evaluations as rows, and the cache that its round keeps.
#[derive(Debug)]
pub(crate) struct RequestingSearch {
    pub(crate) search: Search,
    cache: EvaluationCache,
    /// Evaluations of the current search that needed no row of their own.
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
            let viewer = self.search.viewer();
            let mut views = 0;
            let found = |leaf, position: &Round, names: LeafNames| {
                let mover = position.to_play().expect("a leaf has a seat to play");
                let mut source_of =
                    |observation: &Observation, names| source(cache, observation, names, &mut requests.rows, repeats);
                let source = source_of(&position.observe(mover), names);
                let own = viewer.and_then(|searcher| OwnView::of(position, searcher)).map(|view| {
                    views += 1;
                    (source_of(&view.observation, view.names()), view.place as u8)
                });
                let pending = PendingLeaf { task: task as u32, leaf, source, own };
                if at_once && pending.is_cached() {
                    requests.cached.push(pending);
                } else {
                    requests.leaves.push(pending);
                }
            };
            let goes_on = self.search.select_each(found, interrupt);
            self.search.count_views(views);
            if !goes_on {
                return Ok(false);
            }
            if !at_once && requests.rows.len() == rows {
                // No new row is on its way, so there is nothing to wait for.
                requests.cached.extend(requests.leaves.drain(before..));
            }
            if requests.cached.is_empty() {
                return Ok(requests.leaves.len() > first);
            }
            for pending in requests.cached.drain(..) {
                let no_row = |row| unreachable!("row {row} of a leaf that is cached");
                self.receive(&pending, no_row).map_err(|bad| bad.error)?;
            }
        }
    }

    /// Passes a pending leaf its evaluation; `rows` are the requested rows by number.
    pub(crate) fn receive<'a>(
        &mut self,
        pending: &PendingLeaf,
        rows: impl Fn(u32) -> Evaluation<'a>,
    ) -> Result<(), BadRow> {
        let (mut known, mut known_own) = (None, None);
        let of = |source| move |error| BadRow { row: row_of(source), error };
        let row = evaluation(&self.cache, pending.source, &rows, &mut known);
        if let Some((source, place)) = pending.own {
            let own = evaluation(&self.cache, source, &rows, &mut known_own);
            row.value(place.into()).map_err(of(pending.source))?;
            let values = with_own_value(&row, place.into(), &own).map_err(of(source))?;
            let seen = Evaluation { policy: row.policy, values: &values };
            self.search.receive(pending.leaf, &seen).map_err(of(pending.source))?;
            learn(&mut self.cache, source, &own);
        } else {
            self.search.receive(pending.leaf, &row).map_err(of(pending.source))?;
        }
        learn(&mut self.cache, pending.source, &row);
        Ok(())
    }

    /// What the search found; its evaluations are the requested rows.
    pub(crate) fn outcome(&self) -> Outcome {
        let outcome = self.search.outcome();
        Outcome { evaluations: outcome.evaluations - self.repeats, ..outcome }
    }

    /// Evaluations that needed no row of their own.
    pub(crate) const fn repeats(&self) -> u64 {
        self.repeats
    }
}

/// A row that breaks the contract of an evaluation; `None` where it comes from the cache.
#[derive(Debug)]
pub(crate) struct BadRow {
    pub(crate) row: Option<u32>,
    pub(crate) error: EvaluationError,
}

const fn row_of(source: EvaluationSource) -> Option<u32> {
    match source {
        EvaluationSource::Row { row, .. } => Some(row),
        EvaluationSource::Cached(_) => None,
    }
}

/// The evaluation that comes from `source`; one of the cache is kept in `known`.
fn evaluation<'k, 'a: 'k>(
    cache: &EvaluationCache,
    source: EvaluationSource,
    rows: &impl Fn(u32) -> Evaluation<'a>,
    known: &'k mut Option<Known>,
) -> Evaluation<'k> {
    match source {
        EvaluationSource::Row { row, .. } => rows(row),
        EvaluationSource::Cached(entry) => known.insert(cache.known(entry)).evaluation(),
    }
}

/// Stores a requested row where the cache has room for it.
fn learn(cache: &mut EvaluationCache, source: EvaluationSource, row: &Evaluation<'_>) {
    if let EvaluationSource::Row { entry: Some(entry), .. } = source {
        cache.learn(entry, row);
    }
}

/// Finds the row of an observation in the cache, or adds it to `rows`; counts it in `repeats` if it needs no row of its
/// own. The names are the observation's.
fn source(
    cache: &mut EvaluationCache,
    observation: &Observation,
    names: LeafNames,
    rows: &mut Vec<Row>,
    repeats: &mut u64,
) -> EvaluationSource {
    let LeafNames { cards, legal } = names;
    let row = rows.len() as u32;
    // Encoded in place: most rows are new.
    rows.push(Row { features: [0; FEATURES], legal });
    let features = &mut rows[row as usize].features;
    encode_named(observation, cards, features);
    if cache.is_off() {
        return EvaluationSource::Row { row, entry: None };
    }
    let source = match cache.find(Key::of(features), legal, row) {
        Found::New(entry) => return EvaluationSource::Row { row, entry },
        Found::Known(entry) => EvaluationSource::Cached(entry),
        Found::Requested { row } => EvaluationSource::Row { row, entry: None },
    };
    rows.pop();
    *repeats += 1;
    source
}
