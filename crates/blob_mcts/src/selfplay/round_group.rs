//! A group of rounds: the unit of work of the scheduler.
//!
//! A group runs on one thread at a time, whichever is free: it takes the results of all its leaves, runs each of its rounds
//! until that has leaves out again, and claims and fills the rows of these leaves. What it shares with other threads is
//! touched once a run, for about a hundred simulations.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::error::PlayError;
use crate::evaluation::batch_buffer::RowClaim;
use crate::evaluation::batch_queue::{BatchQueue, GroupId};
use crate::evaluation::requests::{Answer, Questions, Row, WaitingLeaf};
use crate::search::evaluate::Evaluation;
use crate::selfplay::agent::Plan;
use crate::selfplay::carry_over::RoundSoFar;
use crate::selfplay::record::RoundRecord;
use crate::selfplay::round_task::{Counts, Pause, RoundTask};

/// Rounds of a full group. With 3 worlds a run then fills about a hundred rows, a tenth of a batch.
pub(crate) const GROUP_ROUNDS: usize = 32;

/// What a run of a group asked one model.
#[derive(Debug, Default)]
struct InFlight {
    /// Leaves that wait for rows.
    leaves: Vec<WaitingLeaf>,
    /// Where the rows are, in their order.
    claims: Vec<RowClaim>,
}

/// What groups share.
#[derive(Debug)]
pub(crate) struct Work {
    pub(crate) plan: Plan,
    /// Rounds of an earlier run that are played to their end, before new ones begin.
    pub(crate) carried: Vec<RoundSoFar>,
    /// Whether decisions are recorded.
    pub(crate) record: bool,
    /// Evaluations that each search of a round can remember.
    pub(crate) cache_entries: usize,
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
    /// What is out, of each model.
    in_flight: Vec<InFlight>,
    /// What the present run asks, of each model.
    questions: Vec<Questions>,
    /// Claims whose results were read, to give back.
    read: Vec<RowClaim>,
    started: bool,
}

/// What a run of a group adds to the totals.
#[derive(Debug, Default)]
pub(crate) struct RunResult {
    /// Rounds, or games, that ended.
    pub(crate) done: u64,
    /// The records of their rounds.
    pub(crate) finished: Vec<RoundRecord>,
    /// Rounds that paused for a later run.
    pub(crate) paused: Vec<RoundSoFar>,
    pub(crate) counts: Counts,
}

impl Group {
    pub(crate) fn new(id: GroupId, rounds: usize, models: usize) -> Self {
        Self {
            id,
            tasks: (0..rounds).map(|_| None).collect(),
            in_flight: (0..models).map(|_| InFlight::default()).collect(),
            questions: (0..models).map(|_| Questions::default()).collect(),
            read: Vec::new(),
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
                *task = next_round(work).map(|start| RoundTask::new(&work.plan, start)).transpose()?;
            }
        }
        for task in 0..self.tasks.len() {
            self.advance(task, work, &mut result)?;
        }
        for (model, (in_flight, asked)) in self.in_flight.iter_mut().zip(&mut self.questions).enumerate() {
            if !asked.rows.is_empty() {
                queue.claim(self.id, model, asked.rows.len(), &mut in_flight.claims);
                fill(&asked.rows, &mut in_flight.claims);
                asked.rows.clear();
            }
            std::mem::swap(&mut in_flight.leaves, &mut asked.leaves);
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
            for waiting in leaves.drain(..) {
                let task = self.tasks[waiting.task as usize].as_mut().expect("a task with leaves out is there");
                // What is remembered needs no row; then any does.
                let row = if let Answer::Row { row, .. } = waiting.answer { row as usize } else { 0 };
                let (claim, place) = place_of(claims, row);
                let (policies, values) = claim.outputs();
                let evaluation = Evaluation { policy: &policies[place], values: &values[place] };
                task.receive(&waiting, &evaluation)
                    .map_err(|error| PlayError::Evaluation { row: claim.rows().start + place, error })?;
            }
            self.read.append(claims);
        }
        Ok(())
    }

    /// Runs a task until its leaves are out or no round is left.
    fn advance(&mut self, index: usize, work: &Work, result: &mut RunResult) -> Result<(), PlayError> {
        let slot = &mut self.tasks[index];
        while let Some(task) = slot {
            let pause = task
                .run(index, work, &mut self.questions, &mut result.counts)
                .map_err(|error| PlayError::Evaluation { row: 0, error })?;
            match pause {
                Pause::Waiting => return Ok(()),
                Pause::Finished(records) => {
                    result.done += 1;
                    result.finished.extend(records);
                }
                Pause::CarriedOver(round) => result.paused.push(round),
                Pause::Stopped => {
                    *slot = None;
                    continue;
                }
            }
            match next_round(work) {
                Some(start) => task.restart(&work.plan, start)?,
                None => *slot = None,
            }
        }
        Ok(())
    }
}

/// The claim that holds a row, and the row's place in it.
fn place_of(claims: &[RowClaim], row: usize) -> (&RowClaim, usize) {
    let mut place = row;
    for claim in claims {
        let rows = claim.rows().len();
        if place < rows {
            return (claim, place);
        }
        place -= rows;
    }
    unreachable!("row {row} was claimed")
}

/// Writes rows into their claims.
pub(crate) fn fill(rows: &[Row], claims: &mut [RowClaim]) {
    let mut rows = rows.iter();
    for claim in claims {
        let (features, legal) = claim.inputs_mut();
        for ((features, legal), row) in features.iter_mut().zip(legal).zip(&mut rows) {
            *features = row.features;
            row.legal.write_flags(legal);
        }
    }
}

/// The next round to play, if one is left.
fn next_round(work: &Work) -> Option<RoundSoFar> {
    let handed_out = work.handed_out.fetch_add(1, Ordering::Relaxed);
    let carried = work.carried.len() as u64;
    if handed_out < carried {
        return Some(work.carried[handed_out as usize].clone());
    }
    let new = handed_out - carried;
    (new < work.plan.rounds).then(|| RoundSoFar::new(work.plan.first_round + new))
}
