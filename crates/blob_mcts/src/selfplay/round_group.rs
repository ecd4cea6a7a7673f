//! A group of rounds: the unit of work of the scheduler.
//!
//! A group runs on one thread at a time, whichever is free. It takes the evaluations of all its leaves, runs each of
//! its rounds until that has leaves in flight again, and claims and fills the rows of these leaves. It touches what it
//! shares with other threads once a run, for about a hundred simulations.

use crate::error::SchedulerError;
use crate::evaluation::batch_buffer::{EmptyRows, FilledRows, RequestedRows};
use crate::evaluation::batch_queue::{BatchQueue, GroupId};
use crate::evaluation::requests::{BadRow, PendingDecision, PendingLeaf, Requests};
use crate::search::evaluate::Evaluation;
use crate::selfplay::agent::Plan;
use crate::selfplay::carry_over::RoundSoFar;
use crate::selfplay::record::RoundRecord;
use crate::selfplay::round_task::{Counts, Pause, RoundTask, TaskRun};
use crate::selfplay::run_context::RunContext;

/// What a group has requested from one model.
#[derive(Debug, Default)]
struct InFlight {
    leaves: Vec<PendingLeaf>,
    decisions: Vec<PendingDecision>,
    /// Where the rows are, in their order.
    rows: Vec<RequestedRows>,
}

/// Some rounds in progress.
#[derive(Debug)]
pub(crate) struct RoundGroup {
    id: GroupId,
    /// `None` where no round is left to play.
    tasks: Vec<Option<RoundTask>>,
    /// What the last run requested, from each model.
    in_flight: Vec<InFlight>,
    /// What the current run requests, from each model.
    requests: Vec<Requests>,
    /// Rows that the current run claimed and has not filled.
    claims: Vec<EmptyRows>,
    /// Rows that the current run filled, each with its model.
    filled: Vec<(usize, FilledRows)>,
    /// Rows whose results were read.
    read: Vec<RequestedRows>,
    started: bool,
}

/// What a run of a group adds to the run of the scheduler.
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
            claims: Vec::new(),
            filled: Vec::new(),
            read: Vec::new(),
            started: false,
        }
    }

    /// One run: evaluations in, rounds on, requests out.
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
        self.hand_in(queue);
        Ok(result)
    }

    /// Drops all rounds and requests, after the run was stopped.
    pub(crate) fn abandon(&mut self) {
        self.tasks.clear();
        self.in_flight.clear();
        self.claims.clear();
        self.filled.clear();
        self.read.clear();
    }

    /// Ends a run, also one that failed.
    pub(crate) fn end_run(&mut self, queue: &BatchQueue) {
        let in_flight = &mut self.in_flight;
        queue.end_run(self.filled.drain(..), self.read.drain(..), |model, rows| in_flight[model].rows.push(rows));
    }

    /// Passes each leaf and each decision its evaluation.
    fn receive(&mut self, plan: &Plan) -> Result<(), SchedulerError> {
        for InFlight { leaves, decisions, rows } in &mut self.in_flight {
            for pending in leaves.drain(..) {
                let task = self.tasks[pending.task as usize].as_mut().expect("a task with leaves in flight is there");
                task.receive(&pending, |row| evaluation_of(rows, row as usize).1).map_err(
                    |BadRow { row, error }| {
                        let row = row.map_or(0, |row| evaluation_of(rows, row as usize).0);
                        SchedulerError::Evaluation { row, error }
                    },
                )?;
            }
            for PendingDecision { task, waiting, row } in decisions.drain(..) {
                let task = self.tasks[task as usize].as_mut().expect("a task with a decision in flight is there");
                let (row, evaluation) = evaluation_of(rows, row as usize);
                task.decide_by(plan, waiting, &evaluation)
                    .map_err(|error| SchedulerError::Evaluation { row, error })?;
            }
            self.read.append(rows);
        }
        Ok(())
    }

    /// Claims and fills the rows that the run requested.
    fn hand_in(&mut self, queue: &BatchQueue) {
        for (model, (in_flight, requests)) in self.in_flight.iter_mut().zip(&mut self.requests).enumerate() {
            std::mem::swap(&mut in_flight.leaves, &mut requests.leaves);
            std::mem::swap(&mut in_flight.decisions, &mut requests.decisions);
            if requests.rows.is_empty() {
                continue;
            }
            queue.claim(self.id, model, requests.rows.len(), &mut self.claims);
            let mut rows = &requests.rows[..];
            for claim in self.claims.drain(..) {
                let (own, rest) = rows.split_at(claim.len());
                self.filled.push((model, claim.fill(own)));
                rows = rest;
            }
            requests.rows.clear();
        }
    }

    /// Runs a task, on to further rounds, until it waits or no round is left.
    fn advance(&mut self, index: usize, context: &RunContext, result: &mut RunResult) -> Result<(), SchedulerError> {
        let slot = &mut self.tasks[index];
        while let Some(task) = slot {
            let mut run = TaskRun { task: index, context, requests: &mut self.requests, counts: &mut result.counts };
            let pause = task.run(&mut run).map_err(|error| SchedulerError::Evaluation { row: 0, error })?;
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

/// The evaluation of row number `row` of a run, and its number in the batch.
fn evaluation_of(claims: &[RequestedRows], row: usize) -> (usize, Evaluation<'_>) {
    let mut place = row;
    for claim in claims {
        let rows = claim.rows();
        if place < rows.len() {
            let (policies, values) = claim.outputs();
            return (rows.start + place, Evaluation { policy: &policies[place], values: &values[place] });
        }
        place -= rows.len();
    }
    unreachable!("row {row} was claimed")
}
