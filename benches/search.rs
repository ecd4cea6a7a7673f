//! One search at a time, on one core, with an evaluator that costs nothing and one that plays out.

use blob_benches::reference_round;
use blob_engine::rng::{Purpose, stream};
use blob_mcts::{Rollout, Search, SearchConfig, Uniform};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

fn search(c: &mut Criterion) {
    let mut group = c.benchmark_group("search");
    for (name, worlds, simulations) in [("light 2x20", 2, 20), ("medium 3x30", 3, 30), ("heavy 5x50", 5, 50)] {
        let config = SearchConfig { worlds, simulations, ..SearchConfig::default() };
        let round = reference_round(1);
        let observation = round.observe(round.to_play().expect("a fresh round"));
        let mut search = Search::new(&observation, config, stream(1, Purpose::Test, &[]));
        // Simulations a second.
        group.throughput(Throughput::Elements((worlds * simulations) as u64));
        group.bench_function(format!("{name}, null evaluator"), |b| {
            b.iter(|| {
                search.begin(&observation, stream(1, Purpose::Test, &[]));
                search.run(&mut Uniform).expect("the null evaluator fits").visits[0]
            });
        });
        let mut rng = stream(2, Purpose::Test, &[]);
        group.bench_function(format!("{name}, random rollouts"), |b| {
            b.iter(|| {
                search.begin(&observation, stream(1, Purpose::Test, &[]));
                search.run(&mut Rollout { rng: &mut rng }).expect("a rollout fits").visits[0]
            });
        });
    }
    group.finish();
}

criterion_group!(benches, search);
criterion_main!(benches);
