//! Whole rounds searched on one core, from the bids to the last card: without a queue, then through it.
//!
//! A search alone stays in the fastest cache. With a thousand rounds in flight each waits for its memory. Both play
//! whole rounds, since a tree of a fresh bidding position never plays a card. Rounds in flight begin at every stage, as
//! in a long run. `cargo bench --bench search` prints a table; arguments after `--`: the seconds of each run (1.5 by
//! default), then the numbers of rounds in flight.
#![allow(clippy::print_stdout)] // The table is what this program is for.

use std::time::{Duration, Instant};

use blob_benches::{reference_agent, reference_plan, rounds_at_every_stage};
use blob_engine::{ACTIONS, MAX_PLAYERS};
use blob_mcts::{LeafEvaluator, NextBatch, Plan, Scheduler, SchedulerConfig};

/// Runs of each line, alternately; the median counts.
const PASSES: usize = 3;
const BATCH_ROWS: usize = 1024;
/// Rounds of a run without a queue.
const ROUNDS_ALONE: u64 = 200;

const CONFIG: SchedulerConfig = SchedulerConfig {
    threads: Some(1),
    batch_rows: BATCH_ROWS,
    rounds_in_flight: Some(1),
    evaluator_threads: 1,
    record: false,
    cache_entries: None,
};

/// Simulations a second of rounds one after another whose leaves are evaluated at once.
fn alone(evaluator: LeafEvaluator, seconds: f64) -> f64 {
    let (start, mut simulations) = (Instant::now(), 0);
    while start.elapsed().as_secs_f64() < seconds {
        let plan = Plan { agents: vec![reference_agent(evaluator)], ..reference_plan(ROUNDS_ALONE) };
        let scheduler = Scheduler::start(plan, &CONFIG).expect("a sound plan");
        while !matches!(scheduler.next_batch(Duration::from_secs(1)).expect("it plays"), NextBatch::Finished) {}
        simulations += scheduler.progress().simulations;
    }
    simulations as f64 / start.elapsed().as_secs_f64()
}

/// Simulations a second through the queue, with an evaluator that answers at once, on the calling thread.
fn in_flight(rounds: usize, seconds: f64) -> f64 {
    let carried = rounds_at_every_stage(rounds as u64);
    let plan = Plan { first_round: rounds as u64, ..reference_plan(1 << 40) };
    let config = SchedulerConfig { rounds_in_flight: Some(rounds), ..CONFIG };
    // A batch larger than all that can wait would never be full.
    let config = SchedulerConfig { batch_rows: BATCH_ROWS.min(rounds), ..config };
    let policy = vec![1.0; BATCH_ROWS * ACTIONS];
    let values = vec![0.0; BATCH_ROWS * MAX_PLAYERS];
    let scheduler = Scheduler::resume(plan, carried, &config).expect("a sound plan");
    let run_for = |seconds: f64| {
        let (start, before) = (Instant::now(), scheduler.progress().simulations);
        while start.elapsed().as_secs_f64() < seconds {
            match scheduler.next_batch(Duration::from_millis(50)).expect("it plays") {
                NextBatch::Batch(batch) => scheduler.complete(batch, &policy, &values),
                other => assert!(matches!(other, NextBatch::TimedOut), "{other:?} of endless rounds"),
            }
            drop(scheduler.take_records());
        }
        (scheduler.progress().simulations - before) as f64 / start.elapsed().as_secs_f64()
    };
    // The first searches count when they end, so the rate is that of the time after.
    run_for(seconds / 2.0);
    run_for(seconds)
}

fn main() {
    // Cargo adds `--bench`.
    let numbers: Vec<f64> = std::env::args().skip(1).filter_map(|argument| argument.parse().ok()).collect();
    let seconds = numbers.first().copied().unwrap_or(1.5);
    let mut sizes: Vec<usize> = numbers.iter().skip(1).map(|&count| count as usize).collect();
    if sizes.is_empty() {
        sizes = vec![32, 128, 512, 1707, 4096];
    }
    let mut lines: Vec<(String, Vec<f64>)> = ["no queue, equal priors", "no queue, random playouts"]
        .map(|name| (name.to_string(), Vec::new()))
        .into_iter()
        .chain(sizes.iter().map(|rounds| (format!("through the queue, {rounds} rounds in flight"), Vec::new())))
        .collect();
    for _ in 0..PASSES {
        lines[0].1.push(alone(LeafEvaluator::Uniform, seconds));
        lines[1].1.push(alone(LeafEvaluator::Rollout, seconds));
        for (line, &rounds) in lines[2..].iter_mut().zip(&sizes) {
            line.1.push(in_flight(rounds, seconds));
        }
    }
    println!("whole rounds, 4x5 3x30, one worker; M simulations/s, median of {PASSES} runs");
    for (name, mut rates) in lines {
        rates.sort_by(f64::total_cmp);
        println!("{name:<45} {:>6.2}", rates[PASSES / 2] / 1e6);
    }
}
