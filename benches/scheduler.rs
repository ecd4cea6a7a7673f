//! Many rounds through the scheduler and the batch queue, with an evaluator that does nothing; the queue alone.

use std::time::Duration;

use blob_benches::reference_plan;
use blob_mcts::bench_internals::time_hand_over;
use blob_mcts::{SchedulerConfig, play_with_null_evaluator};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

fn scheduler(c: &mut Criterion) {
    let mut group = c.benchmark_group("scheduler");
    group.sample_size(10);
    let plan = reference_plan(1000);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    for threads in (0..).map(|k| 1 << k).take_while(|&threads| threads <= cores) {
        for batch_rows in [256, 1024, 4096] {
            let config = SchedulerConfig { threads: Some(threads), batch_rows, ..SchedulerConfig::default() };
            let play = || play_with_null_evaluator(plan.clone(), &config, || true).expect("a sound plan");
            let simulations = play().simulations;
            group.throughput(Throughput::Elements(simulations));
            let name = format!("4x5 3x30, {threads} threads, batches of {batch_rows}");
            group.bench_function(name, |b| b.iter(play));
        }
    }
    group.finish();
}

/// The cost of finding equal rows. The null evaluator answers for nothing, so no gain shows here.
fn cache(c: &mut Criterion) {
    let mut group = c.benchmark_group("cache");
    group.sample_size(10);
    let plan = reference_plan(500);
    for (name, cache_entries) in [("off", Some(0)), ("8 entries", Some(8)), ("default", None)] {
        let config = SchedulerConfig { threads: Some(1), cache_entries, ..SchedulerConfig::default() };
        let play = || play_with_null_evaluator(plan.clone(), &config, || true).expect("a sound plan");
        group.throughput(Throughput::Elements(play().simulations));
        group.bench_function(format!("4x5 3x30, 1 thread, {name}"), |b| b.iter(play));
    }
    group.finish();
}

/// Time of one full batch through the queue and back, with nothing to search.
fn hand_over(c: &mut Criterion) {
    let mut group = c.benchmark_group("hand-over of a batch");
    // About the rows that a group of 32 rounds requests at once.
    const ROWS_OF_A_RUN: usize = 96;
    for batch_rows in [256, 1024, 4096] {
        group.throughput(Throughput::Elements(batch_rows as u64));
        group.bench_function(format!("{batch_rows} rows"), |b| {
            b.iter_custom(|batches| time_hand_over(batch_rows, ROWS_OF_A_RUN, batches));
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    targets = hand_over, cache, scheduler
}
criterion_main!(benches);
