//! A group of rounds: the unit of work of the scheduler.
//!
//! A group runs on one thread at a time, whichever is free. It takes the evaluations of all its leaves, runs each of
//! its rounds until that has leaves in flight again, and claims and fills the rows of these leaves. It touches what it
//! shares with other threads once a run, for about a hundred simulations.

use crate::error::SchedulerError;
use crate::evaluation::batch_buffer::{EmptyRows, FilledRows, RequestedRows};
use crate::evaluation::batch_queue::{BatchQueue, GroupId};
use crate::evaluation::requests::{EvaluationSource, PendingDecision, PendingLeaf, Requests};
use crate::search::evaluate::Evaluation;
use crate::selfplay::agent::Plan;
use crate::selfplay::carry_over::RoundSoFar;
use crate::selfplay::record::RoundRecord;
use crate::selfplay::round_task::{Counts, Pause, RoundTask, TaskRun};
use crate::selfplay::run_context::RunContext;

/// What a group has requested from one model, and how far it has taken the evaluations.
#[derive(Debug, Default)]
struct InFlight {
    /// In the order of their tasks.
    leaves: Vec<PendingLeaf>,
    /// In the order of their tasks.
    decisions: Vec<PendingDecision>,
    leaves_taken: usize,
    decisions_taken: usize,
    /// Where the rows are, in their order.
    rows: Vec<RequestedRows>,
}

impl InFlight {
    /// The next leaf, if it is a leaf of this task.
    fn next_leaf(&mut self, task: usize) -> Option<PendingLeaf> {
        let leaf = *self.leaves.get(self.leaves_taken).filter(|leaf| leaf.task as usize == task)?;
        self.leaves_taken += 1;
        Some(leaf)
    }

    /// The next decision, if it is a decision of this task.
    fn next_decision(&mut self, task: usize) -> Option<PendingDecision> {
        let decision = *self.decisions.get(self.decisions_taken).filter(|decision| decision.task as usize == task)?;
        self.decisions_taken += 1;
        Some(decision)
    }

    /// Clears it once all evaluations are taken; moves the rows to `read`.
    fn reset(&mut self, read: &mut Vec<RequestedRows>) {
        self.leaves.clear();
        self.decisions.clear();
        (self.leaves_taken, self.decisions_taken) = (0, 0);
        read.append(&mut self.rows);
    }
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
        if !self.started {
            self.started = true;
            for task in &mut self.tasks {
                *task = context.next_round().map(|start| RoundTask::new(&context.plan, start)).transpose()?;
            }
        }
        // One pass over the group: a round's trees are still in the cache when it goes on.
        for task in 0..self.tasks.len() {
            self.receive(task, &context.plan)?;
            self.advance(task, context, &mut result)?;
        }
        for in_flight in &mut self.in_flight {
            in_flight.reset(&mut self.read);
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

    /// Passes a task its evaluations.
    fn receive(&mut self, index: usize, plan: &Plan) -> Result<(), SchedulerError> {
        for in_flight in &mut self.in_flight {
            while let Some(pending) = in_flight.next_leaf(index) {
                let task = self.tasks[index].as_mut().expect("a task with leaves in flight is there");
                // A cached evaluation needs no row; then any does.
                let row = if let EvaluationSource::Row { row, .. } = pending.source { row as usize } else { 0 };
                let (row, evaluation) = evaluation_of(&in_flight.rows, row);
                task.receive(&pending, &evaluation).map_err(|error| SchedulerError::Evaluation { row, error })?;
            }
            while let Some(PendingDecision { row, .. }) = in_flight.next_decision(index) {
                let task = self.tasks[index].as_mut().expect("a task with a decision in flight is there");
                let (row, evaluation) = evaluation_of(&in_flight.rows, row as usize);
                task.decide_by(plan, &evaluation).map_err(|error| SchedulerError::Evaluation { row, error })?;
            }
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
