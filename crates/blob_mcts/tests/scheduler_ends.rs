//! The ends of runs: closing, errors and plans that cannot be played. Every wait ends.

mod hash_evaluator;
mod scheduled;

use std::sync::mpsc;
use std::time::Duration;

use blob_mcts::{
    Agent, LeafEvaluator, NextBatch, Plan, RoundMix, RoundShape, Scheduler, SchedulerConfig, SchedulerError,
    SearchConfig, Seating, Temperature,
};
use scheduled::{answer, config, network, plan};

#[test]
fn a_long_search_stops_with_its_run() {
    for agent in [Agent::Ismcts { simulations: 1 << 22 }, Agent::Flat { worlds: 1 << 22 }] {
        within_a_minute(move || {
            let scheduler = Scheduler::start(plan(4, 13, 100, vec![agent]), &config(2, 16, 64)).expect("sound");
            assert!(matches!(scheduler.next_batch(Duration::from_millis(200)), Ok(NextBatch::TimedOut)));
            scheduler.close();
        });
    }
}

/// Runs something that must end, on a thread of its own.
fn within_a_minute<T: Send + 'static>(what: impl FnOnce() -> T + Send + 'static) -> T {
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || send.send(what()));
    receive.recv_timeout(Duration::from_secs(60)).expect("it ends within a minute")
}

#[test]
fn a_broken_evaluation_ends_the_run() {
    let error = within_a_minute(|| {
        let scheduler = Scheduler::start(plan(4, 5, 500, vec![network(3, 30, 0)]), &config(4, 64, 128)).expect("sound");
        let mut batches = 0;
        loop {
            match scheduler.next_batch(Duration::from_secs(30)) {
                Ok(NextBatch::Batch(batch)) => {
                    let (mut policy, values) = answer(batch.inputs().0, batch.rows(), 0);
                    batches += 1;
                    if batches == 20 {
                        policy[..52].fill(f32::NAN);
                    }
                    scheduler.complete(batch, &policy, &values);
                }
                Ok(other) => panic!("{other:?} instead of an error"),
                Err(error) => {
                    scheduler.close();
                    return error;
                }
            }
        }
    });
    assert!(matches!(error, SchedulerError::Evaluation { row: 0, .. }), "{error:?}");
}

#[test]
fn closing_in_the_middle_ends_every_wait() {
    within_a_minute(|| {
        for batches in [0, 1, 7] {
            let scheduler =
                Scheduler::start(plan(4, 5, 5000, vec![network(3, 30, 0)]), &config(4, 64, 512)).expect("sound");
            let mut held = Vec::new();
            for _ in 0..batches {
                match scheduler.next_batch(Duration::from_secs(30)) {
                    Ok(NextBatch::Batch(batch)) => held.push(batch),
                    other => panic!("{other:?} instead of a batch"),
                }
            }
            scheduler.close();
            assert!(matches!(scheduler.next_batch(Duration::ZERO), Ok(NextBatch::Finished)));
            // An evaluator that comes too late does no harm.
            for batch in held {
                let (policy, values) = answer(batch.inputs().0, batch.rows(), 0);
                scheduler.complete(batch, &policy, &values);
            }
        }
    });
}

/// A search whose walks soon all end in finished rounds, millions of them without a single evaluation.
#[test]
fn closing_ends_searches_that_need_no_evaluation() {
    for evaluator in [LeafEvaluator::Uniform, LeafEvaluator::Rollout] {
        within_a_minute(move || {
            let agent = Agent::Search {
                config: SearchConfig { worlds: 4096, simulations: 1 << 16, ..SearchConfig::default() },
                evaluator,
                temperature: Temperature::GREEDY,
            };
            let scheduler = Scheduler::start(plan(3, 2, 100, vec![agent]), &config(2, 8, 8)).expect("sound");
            std::thread::sleep(Duration::from_millis(500));
            scheduler.close();
            assert_eq!(scheduler.progress().rounds_done, 0, "the test needs a search that goes on");
        });
    }
}

#[test]
fn each_evaluator_has_a_batch_and_three_more_are_on_their_way() {
    let plan = plan(4, 5, 10, vec![network(3, 30, 0), Agent::Rule]);
    let of = |evaluator_threads, threads, batch_rows| {
        SchedulerConfig { evaluator_threads, threads: Some(threads), batch_rows, ..SchedulerConfig::default() }
            .rounds_in_flight_of(&plan)
    };
    // Of each round three leaves wait, one in each world.
    assert_eq!(of(2, 2, 1024), (5 * 1024usize).div_ceil(3));
    assert_eq!(of(1, 2, 1024), of(2, 2, 1024));
    assert_eq!(of(16, 2, 1024), (19 * 1024usize).div_ceil(3));
    assert_eq!(of(2, 16, 8), 16 * 32, "each worker thread has a group of 32 rounds");
    let mut one_by_one = network(3, 30, 0);
    if let Agent::Search { config, .. } = &mut one_by_one {
        config.worlds_in_flight = Some(1);
    }
    let one_by_one = Plan { agents: vec![one_by_one, Agent::Rule], ..plan.clone() };
    let settings = SchedulerConfig { threads: Some(2), ..SchedulerConfig::default() };
    assert_eq!(settings.rounds_in_flight_of(&one_by_one), 5 * 1024, "one leaf of each round waits");
    assert_eq!(config(2, 1024, 7).rounds_in_flight_of(&plan), 7);
}

#[test]
fn impossible_plans_are_refused() {
    let refuse =
        |plan: Plan, config: SchedulerConfig| Scheduler::start(plan, &config).expect_err("refused").to_string();
    let sound = || plan(4, 5, 10, vec![network(3, 30, 0)]);
    let fits = config(1, 8, 8);
    assert!(refuse(Plan { mix: RoundMix::one(9, 5), ..sound() }, fits).contains("9 players"));
    assert!(refuse(Plan { mix: RoundMix::one(4, 14), ..sound() }, fits).contains("14 cards"));
    assert!(refuse(Plan { rounds: 0, ..sound() }, fits).contains("rounds is 0"));
    assert!(refuse(plan(4, 5, 10, vec![network(0, 30, 0)]), fits).contains("worlds is 0"));
    assert!(refuse(plan(4, 5, 10, vec![network(3, 0, 0)]), fits).contains("simulations is 0"));
    assert!(refuse(sound(), config(0, 8, 8)).contains("threads is 0"));
    assert!(refuse(sound(), config(1, 0, 8)).contains("batch_rows is 0"));
    assert!(refuse(sound(), config(1, 8, 0)).contains("rounds_in_flight is 0"));
    let many = SchedulerConfig { cache_entries: Some(40_000), ..fits };
    assert!(refuse(sound(), many).contains("cache_entries is 40000; it is 0 to 32768"));
    assert!(refuse(sound(), SchedulerConfig { evaluator_threads: 0, ..fits }).contains("evaluator_threads is 0"));
    let mixed =
        RoundMix::weighted([(RoundShape { players: 4, cards: 5 }, 1.0), (RoundShape { players: 3, cards: 5 }, 1.0)]);
    let two = plan(4, 5, 10, vec![Agent::Rule, Agent::Random]);
    assert!(refuse(Plan { mix: mixed, ..two }, fits).contains("seats rotate have one shape"));
    assert!(refuse(Plan { seating: Seating::Rotate, ..sound() }, fits).contains("agents is 1"));
}
