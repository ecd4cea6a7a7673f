//! The engine alone, on one core: dealing, playing, encoding, worlds, the rule bot.

use std::hint::black_box;
use std::time::Duration;

use blob_engine::rng::{Purpose, Xoshiro, stream};
use blob_engine::*;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// The reference setting: four players, five cards.
fn reference() -> RoundSpec {
    RoundSpec::new(4, 5, Some(Suit::Spades), Seat::FIRST)
}

fn deal(spec: &RoundSpec, rng: &mut Xoshiro) -> Round {
    Round::deal(black_box(spec), rng).expect("a legal spec")
}

/// Observations of the seat to play after `actions` random actions. A benchmark walks through all of them, since caches
/// and branch predictors learn a single position by heart.
fn observations(spec: &RoundSpec, actions: usize) -> Vec<Observation> {
    let mut rng = stream(1, Purpose::Test, &[actions as u64]);
    (0..256)
        .map(|_| {
            let mut round = deal(spec, &mut rng);
            for _ in 0..actions {
                let action = round.legal_actions().choose(&mut rng).expect("the round goes on");
                round.play_unchecked(action);
            }
            round.observe(round.to_play().expect("the round goes on"))
        })
        .collect()
}

fn rounds(c: &mut Criterion) {
    let spec = reference();
    let mut rng = stream(2, Purpose::Test, &[]);
    c.bench_function("deal/4x5", |b| b.iter(|| deal(&spec, &mut rng)));

    // Every state of a random round, each with the action that was chosen there.
    let mut steps = Vec::new();
    for _ in 0..64 {
        let mut round = deal(&spec, &mut rng);
        while let Some(action) = round.legal_actions().choose(&mut rng) {
            steps.push((round, action));
            round.play_unchecked(action);
        }
    }
    let mut next = steps.iter().cycle();
    c.bench_function("legal and play/4x5", |b| {
        b.iter(|| {
            let &(mut round, action) = next.next().expect("endless");
            black_box(round.legal_actions());
            round.play_unchecked(action);
            round
        });
    });

    let mut group = c.benchmark_group("random round");
    group.throughput(Throughput::Elements(1));
    group.bench_function("4x5 checked", |b| {
        b.iter(|| {
            let mut round = deal(&spec, &mut rng);
            while let Some(action) = round.legal_actions().choose(&mut rng) {
                round.play(action).expect("legal");
            }
            round.public().scores()
        });
    });
    group.bench_function("4x5 unchecked", |b| {
        b.iter(|| {
            let mut round = deal(&spec, &mut rng);
            while let Some(action) = round.legal_actions().choose(&mut rng) {
                round.play_unchecked(action);
            }
            round.public().scores()
        });
    });
}

fn encoding(c: &mut Criterion) {
    let positions = observations(&reference(), 13);
    let mut next = positions.iter().cycle();
    let mut features = [0; FEATURES];
    c.bench_function("encode/4x5", |b| {
        b.iter(|| {
            encode(next.next().expect("endless"), &mut features);
            black_box(&features);
        });
    });
}

fn worlds(c: &mut Criterion) {
    let positions = [
        ("4x5 no void", reference(), 2),
        ("4x5 mid-round", reference(), 13),
        ("4x13 no void", RoundSpec::new(4, 13, None, Seat::FIRST), 2),
        ("4x13 mid-round", RoundSpec::new(4, 13, None, Seat::FIRST), 36),
        ("8x6 mid-round", RoundSpec::new(8, 6, Some(Suit::Hearts), Seat::FIRST), 32),
    ];
    let mut group = c.benchmark_group("worlds");
    let mut rng = stream(3, Purpose::Test, &[]);
    for (name, spec, actions) in positions {
        let observations = observations(&spec, actions);
        let mut next = observations.iter().cycle();
        group.bench_function(format!("set-up/{name}"), |b| {
            b.iter(|| WorldSampler::new(next.next().expect("endless")));
        });
        let samplers: Vec<_> = observations.iter().map(WorldSampler::new).collect();
        let mut next = samplers.iter().cycle();
        group.bench_function(format!("draw/{name}"), |b| b.iter(|| next.next().expect("endless").sample(&mut rng)));
    }
}

fn rule_bot(c: &mut Criterion) {
    for (name, actions) in [("bid", 1), ("play", 9)] {
        let positions = observations(&reference(), actions);
        let mut next = positions.iter().cycle();
        c.bench_function(&format!("rule action/4x5 {name}"), |b| b.iter(|| rule_action(next.next().expect("endless"))));
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    targets = rounds, encoding, worlds, rule_bot
}
criterion_main!(benches);
