//! Plans that the hash evaluator plays through the scheduler.
#![allow(dead_code)] // Each test file uses some of it.

use std::time::Duration;

use blob_engine::{FEATURES, Features, RoundRules};
use blob_mcts::{
    Agent, LeafEvaluator, NextBatch, Plan, Progress, RoundMix, RoundRecord, Scheduler, SchedulerConfig, SchedulerError,
    SearchConfig, Seating, Temperature,
};

use crate::hash_evaluator::hash_evaluation;

pub fn network(worlds: usize, simulations: usize, model: usize) -> Agent {
    Agent::Search {
        config: SearchConfig { worlds, simulations, ..SearchConfig::default() },
        evaluator: LeafEvaluator::Model(model),
        temperature: Temperature { first: 1.0, then: 0.3, decisions: 6 },
    }
}

pub fn plan(players: usize, cards: usize, rounds: u64, agents: Vec<Agent>) -> Plan {
    let seating = if agents.len() == 1 { Seating::One } else { Seating::Rotate };
    Plan {
        mix: RoundMix::one(players, cards),
        rules: RoundRules::default(),
        seed: 11,
        first_round: 100,
        rounds,
        carry_over: 0,
        range_end: None,
        agents,
        seating,
    }
}

/// What the hash evaluator answers to the filled rows of a batch; every model answers differently.
pub fn answer(features: &[u8], rows: usize, model: usize) -> (Vec<f32>, Vec<f32>) {
    let features: &[Features] = features.as_chunks::<FEATURES>().0;
    let mut policies = Vec::new();
    let mut values = Vec::new();
    for row in &features[..rows] {
        let mut row = *row;
        row[FEATURES - 1] = model as u8;
        let (policy, value) = hash_evaluation(&row);
        policies.extend(policy);
        values.extend(value);
    }
    (policies, values)
}

/// Rounds left, and by how many points the seat after the observer leads it.
pub fn decode_context(features: &Features) -> (usize, i32) {
    use blob_engine::encode::{AHEAD, BEHIND, ROUNDS_LEFT};
    (features[ROUNDS_LEFT].into(), i32::from(features[AHEAD.start]) - i32::from(features[BEHIND.start]))
}

/// Evaluates until the run ends.
pub fn finish(scheduler: &Scheduler) -> Result<(), SchedulerError> {
    loop {
        match scheduler.next_batch(Duration::from_secs(60))? {
            NextBatch::Batch(batch) => {
                assert!(batch.rows() > 0 && batch.rows() <= scheduler.batch_rows());
                let (policy, values) = answer(batch.inputs().0, batch.rows(), batch.model());
                scheduler.complete(batch, &policy, &values);
            }
            NextBatch::Finished => return Ok(()),
            other => panic!("{other:?} after a minute: the run hangs"),
        }
    }
}

pub fn records(plan: &Plan, config: SchedulerConfig) -> (Vec<RoundRecord>, Progress) {
    let scheduler = Scheduler::start(plan.clone(), &config).expect("a sound plan");
    finish(&scheduler).expect("a sound evaluator");
    (scheduler.take_records(), scheduler.progress())
}

pub fn config(threads: usize, batch_rows: usize, rounds_in_flight: usize) -> SchedulerConfig {
    SchedulerConfig {
        threads: Some(threads),
        batch_rows,
        rounds_in_flight: Some(rounds_in_flight),
        ..SchedulerConfig::default()
    }
}
