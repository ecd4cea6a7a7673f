//! Many rounds through the scheduler and the batch queue, with an evaluator that does nothing.

use blob_benches::reference_plan;
use blob_mcts::{PlayConfig, play_with_null_evaluator};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

fn scheduler(c: &mut Criterion) {
    let mut group = c.benchmark_group("scheduler");
    group.sample_size(10);
    let plan = reference_plan(1000);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    for threads in (0..).map(|k| 1 << k).take_while(|&threads| threads <= cores) {
        for batch_rows in [256, 1024, 4096] {
            let config = PlayConfig { threads: Some(threads), batch_rows, ..PlayConfig::default() };
            let play = || play_with_null_evaluator(plan.clone(), &config, || true).expect("a sound plan");
            let simulations = play().simulations;
            group.throughput(Throughput::Elements(simulations));
            let name = format!("4x5 3x30, {threads} threads, batches of {batch_rows}");
            group.bench_function(name, |b| b.iter(play));
        }
    }
    group.finish();
}

criterion_group!(benches, scheduler);
criterion_main!(benches);
