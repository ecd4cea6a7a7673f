//! A search whose leaves are evaluated elsewhere, with what its round remembers of earlier evaluations.

use blob_engine::rng::Xoshiro;
use blob_engine::{ActionSet, FEATURES, Features, Observation, Round, encode};

use crate::error::EvaluationError;
use crate::evaluation::cache::{EntryId, EvaluationCache, Found, Key};
use crate::search::config::SearchConfig;
use crate::search::determinized::{Leaf, Outcome, Search};
use crate::search::evaluate::Evaluation;

/// One row for an evaluator: an encoded observation and the names of its legal actions.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) features: Features,
    pub(crate) legal: ActionSet,
}

/// A leaf that waits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WaitingLeaf {
    /// Which task of its group it belongs to.
    pub(crate) task: u32,
    leaf: Leaf,
    pub(crate) answer: Answer,
}

/// Where a leaf's evaluation will come from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Answer {
    /// A row of the run. The entry, if there is one, is to be told.
    Row { row: u32, entry: Option<EntryId> },
    /// What the round remembers.
    Known(EntryId),
}

/// What the tasks of a group ask one model in a run.
#[derive(Debug, Default)]
pub(crate) struct Questions {
    /// The distinct rows.
    pub(crate) rows: Vec<Row>,
    /// The leaves, in the order in which they are to be answered.
    pub(crate) leaves: Vec<WaitingLeaf>,
    /// Leaves of the present search whose answers are remembered and taken at once.
    known: Vec<(Leaf, EntryId)>,
}

/// A search and the memory that its round keeps for it.
#[derive(Debug)]
pub(crate) struct AskingSearch {
    pub(crate) search: Search,
    cache: EvaluationCache,
    /// Leaves of the present search that needed no row of their own.
    repeats: u64,
}

impl AskingSearch {
    /// Starts a search; `capacity` is the number of evaluations that are remembered.
    pub(crate) fn new(observation: &Observation, config: SearchConfig, rng: Xoshiro, capacity: usize) -> Self {
        Self { search: Search::new(observation, config, rng), cache: EvaluationCache::new(capacity), repeats: 0 }
    }

    /// Starts the next search of the same round.
    pub(crate) fn begin(&mut self, observation: &Observation, rng: Xoshiro) {
        self.search.begin(observation, rng);
        self.cache.trim();
        self.repeats = 0;
    }

    /// Forgets the round.
    pub(crate) fn forget(&mut self) {
        self.cache.clear();
    }

    /// Asks for every leaf that can be evaluated now; returns whether any waits. If none does, the search is done.
    ///
    /// Answers that are remembered are taken at once, as if they had come back that moment. With one leaf in flight for each
    /// tree the order of answers changes nothing; with several it would, so there they wait until the others are back.
    pub(crate) fn ask(&mut self, task: usize, questions: &mut Questions) -> Result<bool, EvaluationError> {
        let first = questions.leaves.len();
        let at_once = self.search.config().leaves_in_flight == 1;
        loop {
            let rows = questions.rows.len();
            let before = questions.leaves.len();
            let (cache, repeats) = (&mut self.cache, &mut self.repeats);
            self.search.select_each(|leaf, position, names| {
                let answer = answer(cache, position, names, &mut questions.rows, repeats);
                match answer {
                    Answer::Known(entry) if at_once => questions.known.push((leaf, entry)),
                    _ => questions.leaves.push(WaitingLeaf { task: task as u32, leaf, answer }),
                }
            });
            if !at_once && questions.rows.len() == rows {
                // Nothing new is on its way, so there is nothing to wait for.
                questions.known.extend(questions.leaves.drain(before..).map(|waiting| {
                    let Answer::Known(entry) = waiting.answer else { unreachable!("a leaf without a row is known") };
                    (waiting.leaf, entry)
                }));
            }
            if questions.known.is_empty() {
                return Ok(questions.leaves.len() > first);
            }
            for (leaf, entry) in questions.known.drain(..) {
                self.search.receive(leaf, &self.cache.known(entry).evaluation())?;
            }
        }
    }

    /// Gives a leaf what it asked for; `policy` and `values` are those of its row.
    pub(crate) fn receive(&mut self, waiting: &WaitingLeaf, row: &Evaluation<'_>) -> Result<(), EvaluationError> {
        match waiting.answer {
            Answer::Row { entry, .. } => {
                self.search.receive(waiting.leaf, row)?;
                if let Some(entry) = entry {
                    self.cache.learn(entry, row);
                }
                Ok(())
            }
            Answer::Known(entry) => self.search.receive(waiting.leaf, &self.cache.known(entry).evaluation()),
        }
    }

    /// What the search found; its evaluations are the rows that were asked for.
    pub(crate) fn outcome(&self) -> Outcome {
        let outcome = self.search.outcome();
        Outcome { evaluations: outcome.evaluations - self.repeats, ..outcome }
    }

    /// Leaves that needed no row of their own.
    pub(crate) const fn repeats(&self) -> u64 {
        self.repeats
    }
}

/// Finds the answer of a leaf, or adds a row for it; counts it in `repeats` if it needs none of its own.
fn answer(
    cache: &mut EvaluationCache,
    position: &Round,
    names: ActionSet,
    rows: &mut Vec<Row>,
    repeats: &mut u64,
) -> Answer {
    let mover = position.to_play().expect("somebody is to play at a leaf");
    let row = rows.len() as u32;
    // Encoded where it will stay: most rows are new.
    rows.push(Row { features: [0; FEATURES], legal: names });
    let features = &mut rows[row as usize].features;
    encode(&position.observe(mover), features);
    if cache.is_off() {
        return Answer::Row { row, entry: None };
    }
    let answer = match cache.find(Key::of(features), names, row) {
        Found::New(entry) => return Answer::Row { row, entry },
        Found::Known(entry) => Answer::Known(entry),
        Found::Asked { row } => Answer::Row { row, entry: None },
    };
    rows.pop();
    *repeats += 1;
    answer
}
