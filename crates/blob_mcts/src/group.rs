//! A group of rounds: the unit of work of the scheduler.
//!
//! A group runs on one thread at a time, whichever is free: it takes the results of all its leaves, runs each of its rounds
//! until that has leaves out again, and claims and fills the rows of these leaves. What it shares with other threads is
//! touched once a run, for about a hundred simulations.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use blob_engine::encode;

use crate::agent::Plan;
use crate::batch_buffer::RowClaim;
use crate::batch_queue::{BatchQueue, GroupId};
use crate::error::PlayError;
use crate::evaluate::Evaluation;
use crate::record::RoundRecord;
use crate::round_task::{Counts, Pause, RoundTask};
use crate::search::Leaf;

/// Rounds of a full group. With 3 worlds a run then fills about a hundred rows, a tenth of a batch.
pub(crate) const GROUP_ROUNDS: usize = 32;

/// Leaves of one model that are out.
#[derive(Debug, Default)]
struct InFlight {
    /// Task and leaf of each row, in the order of the claims' rows.
    leaves: Vec<(usize, Leaf)>,
    claims: Vec<RowClaim>,
}

/// What groups share.
#[derive(Debug)]
pub(crate) struct Work {
    pub(crate) plan: Plan,
    /// Whether decisions are recorded.
    pub(crate) record: bool,
    /// Rounds handed out so far.
    pub(crate) handed_out: AtomicU64,
    pub(crate) stop: AtomicBool,
}

/// Some rounds in progress.
#[derive(Debug)]
pub(crate) struct Group {
    id: GroupId,
    /// `None` where no round is left to play.
    tasks: Vec<Option<RoundTask>>,
    in_flight: Vec<InFlight>,
    /// Claims whose results were read, to give back.
    read: Vec<RowClaim>,
    scratch: Vec<Leaf>,
    started: bool,
}

/// What a run of a group adds to the totals.
#[derive(Debug, Default)]
pub(crate) struct RunResult {
    pub(crate) finished: Vec<RoundRecord>,
    pub(crate) counts: Counts,
}

impl Group {
    pub(crate) fn new(id: GroupId, rounds: usize, models: usize) -> Self {
        Self {
            id,
            tasks: (0..rounds).map(|_| None).collect(),
            in_flight: (0..models).map(|_| InFlight::default()).collect(),
            read: Vec::new(),
            scratch: Vec::new(),
            started: false,
        }
    }

    /// One run: results in, rounds on, leaves out.
    pub(crate) fn run(&mut self, work: &Work, queue: &BatchQueue) -> Result<RunResult, PlayError> {
        let mut result = RunResult::default();
        self.receive()?;
        if !self.started {
            self.started = true;
            for task in &mut self.tasks {
                *task = next_round(work).map(|index| RoundTask::new(&work.plan, index)).transpose()?;
            }
        }
        for task in 0..self.tasks.len() {
            self.advance(task, work, &mut result)?;
        }
        for (model, in_flight) in self.in_flight.iter_mut().enumerate() {
            if !in_flight.leaves.is_empty() {
                queue.claim(self.id, model, in_flight.leaves.len(), &mut in_flight.claims);
                fill(&self.tasks, in_flight);
            }
        }
        Ok(result)
    }

    /// Gives up all that is out, after the run as a whole was stopped.
    pub(crate) fn abandon(&mut self) {
        self.tasks.clear();
        self.in_flight.clear();
        self.read.clear();
    }

    /// Ends a run, however it went.
    pub(crate) fn end_run(&mut self, queue: &BatchQueue) {
        let filled = self.in_flight.iter().flat_map(|in_flight| &in_flight.claims);
        queue.end_run(filled, self.read.drain(..));
    }

    /// Gives each leaf its result.
    fn receive(&mut self) -> Result<(), PlayError> {
        for InFlight { leaves, claims } in &mut self.in_flight {
            let mut leaves = leaves.drain(..);
            for claim in claims.drain(..) {
                let (policies, values) = claim.outputs();
                let rows = claim.rows().zip(policies.iter().zip(values)).zip(&mut leaves);
                for ((row, (policy, values)), (task, leaf)) in rows {
                    let task = self.tasks[task].as_mut().expect("a task with leaves out is there");
                    task.receive(leaf, &Evaluation { policy, values })
                        .map_err(|error| PlayError::Evaluation { row, error })?;
                }
                self.read.push(claim);
            }
        }
        Ok(())
    }

    /// Runs a task until its leaves are out or no round is left.
    fn advance(&mut self, index: usize, work: &Work, result: &mut RunResult) -> Result<(), PlayError> {
        let slot = &mut self.tasks[index];
        while let Some(task) = slot {
            self.scratch.clear();
            let pause = task
                .run(&work.plan, work.record, &work.stop, &mut self.scratch, &mut result.counts)
                .map_err(|error| PlayError::Evaluation { row: 0, error })?;
            match pause {
                Pause::Waiting(model) => {
                    self.in_flight[model].leaves.extend(self.scratch.iter().map(|&leaf| (index, leaf)));
                    return Ok(());
                }
                Pause::Finished(record) => {
                    result.finished.push(record);
                    match next_round(work) {
                        Some(next) => task.restart(&work.plan, next)?,
                        None => *slot = None,
                    }
                }
                Pause::Stopped => *slot = None,
            }
        }
        Ok(())
    }
}

/// Encodes leaves into their rows.
fn fill(tasks: &[Option<RoundTask>], in_flight: &mut InFlight) {
    let mut leaves = in_flight.leaves.iter();
    for claim in &mut in_flight.claims {
        let (features, legal) = claim.inputs_mut();
        for ((features, legal), &(task, leaf)) in features.iter_mut().zip(legal).zip(&mut leaves) {
            let observation = tasks[task].as_ref().expect("a task with leaves out is there").observe(leaf);
            encode(&observation, features);
            observation.legal_actions().write_flags(legal);
        }
    }
}

/// The number of the next round to play, if one is left.
fn next_round(work: &Work) -> Option<u64> {
    let handed_out = work.handed_out.fetch_add(1, Ordering::Relaxed);
    (handed_out < work.plan.rounds).then(|| work.plan.first_round + handed_out)
}
