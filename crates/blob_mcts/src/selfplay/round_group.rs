//! A group of rounds: the unit of work of the scheduler.
//!
//! A group runs on one thread at a time, whichever is free: it takes the results of all its leaves, runs each of its rounds
//! until that has leaves out again, and claims and fills the rows of these leaves. What it shares with other threads is
//! touched once a run, for about a hundred simulations.

use crate::error::SchedulerError;
use crate::evaluation::batch_buffer::RowClaim;
use crate::evaluation::batch_queue::{BatchQueue, GroupId};
use crate::evaluation::requests::{EvaluationSource, PendingDecision, PendingLeaf, Requests, Row};
use crate::search::evaluate::Evaluation;
use crate::selfplay::agent::Plan;
use crate::selfplay::carry_over::RoundSoFar;
use crate::selfplay::record::RoundRecord;
use crate::selfplay::round_task::{Counts, Pause, RoundTask};
use crate::selfplay::run_context::RunContext;

/// Rounds of a full group. With 3 worlds a run then fills about a hundred rows, a tenth of a batch.
pub(crate) const GROUP_ROUNDS: usize = 32;

/// What a run of a group asked one model.
#[derive(Debug, Default)]
struct InFlight {
    /// Leaves that wait for rows.
    leaves: Vec<PendingLeaf>,
    /// Decisions that wait for rows.
    decisions: Vec<PendingDecision>,
    /// Where the rows are, in their order.
    claims: Vec<RowClaim>,
}

/// Some rounds in progress.
#[derive(Debug)]
pub(crate) struct RoundGroup {
    id: GroupId,
    /// `None` where no round is left to play.
    tasks: Vec<Option<RoundTask>>,
    /// What is out, of each model.
    in_flight: Vec<InFlight>,
    /// What the present run asks, of each model.
    requests: Vec<Requests>,
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

impl RoundGroup {
    pub(crate) fn new(id: GroupId, rounds: usize, models: usize) -> Self {
        Self {
            id,
            tasks: (0..rounds).map(|_| None).collect(),
            in_flight: (0..models).map(|_| InFlight::default()).collect(),
            requests: (0..models).map(|_| Requests::default()).collect(),
            read: Vec::new(),
            started: false,
        }
    }

    /// One run: results in, rounds on, leaves out.
    pub(crate) fn run(&mut self, context: &RunContext, queue: &BatchQueue) -> Result<RunResult, SchedulerError> {
        let mut result = RunResult::default();
        self.receive(&context.plan)?;
        if !self.started {
            self.started = true;
            for task in &mut self.tasks {
                *task = context.next_round().map(|start| RoundTask::new(&context.plan, start)).transpose()?;
            }
        }
        for task in 0..self.tasks.len() {
            self.advance(task, context, &mut result)?;
        }
        for (model, (in_flight, asked)) in self.in_flight.iter_mut().zip(&mut self.requests).enumerate() {
            if !asked.rows.is_empty() {
                queue.claim(self.id, model, asked.rows.len(), &mut in_flight.claims);
                fill(&asked.rows, &mut in_flight.claims);
                asked.rows.clear();
            }
            std::mem::swap(&mut in_flight.leaves, &mut asked.leaves);
            std::mem::swap(&mut in_flight.decisions, &mut asked.decisions);
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

    /// Gives each leaf and each decision its result.
    fn receive(&mut self, plan: &Plan) -> Result<(), SchedulerError> {
        for InFlight { leaves, decisions, claims } in &mut self.in_flight {
            for pending in leaves.drain(..) {
                let task = self.tasks[pending.task as usize].as_mut().expect("a task with leaves out is there");
                // What is remembered needs no row; then any does.
                let row = if let EvaluationSource::Row { row, .. } = pending.source { row as usize } else { 0 };
                let (claim, place) = place_of(claims, row);
                let (policies, values) = claim.outputs();
                let evaluation = Evaluation { policy: &policies[place], values: &values[place] };
                task.receive(&pending, &evaluation)
                    .map_err(|error| SchedulerError::Evaluation { row: claim.rows().start + place, error })?;
            }
            for PendingDecision { task, row } in decisions.drain(..) {
                let task = self.tasks[task as usize].as_mut().expect("a task with a decision out is there");
                let (claim, place) = place_of(claims, row as usize);
                let (policies, values) = claim.outputs();
                let evaluation = Evaluation { policy: &policies[place], values: &values[place] };
                task.decide_by(plan, &evaluation)
                    .map_err(|error| SchedulerError::Evaluation { row: claim.rows().start + place, error })?;
            }
            self.read.append(claims);
        }
        Ok(())
    }

    /// Runs a task until its leaves are out or no round is left.
    fn advance(&mut self, index: usize, context: &RunContext, result: &mut RunResult) -> Result<(), SchedulerError> {
        let slot = &mut self.tasks[index];
        while let Some(task) = slot {
            let pause = task
                .run(index, context, &mut self.requests, &mut result.counts)
                .map_err(|error| SchedulerError::Evaluation { row: 0, error })?;
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
            match context.next_round() {
                Some(start) => task.restart(&context.plan, start)?,
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
