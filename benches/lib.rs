//! What the benchmarks share: the reference setting, 4 x 5 at 3 x 30, and the allocator.

use std::time::Duration;

use blob_engine::RoundRules;
use blob_mcts::{
    Agent, LeafEvaluator, Plan, RoundMix, RoundSoFar, Scheduler, SchedulerConfig, SearchConfig, Seating, Temperature,
};

/// The extension's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A search of 3 x 30 that plays in proportion to its visits.
pub fn reference_agent(evaluator: LeafEvaluator) -> Agent {
    Agent::Search {
        config: SearchConfig::default(),
        evaluator,
        temperature: Temperature { first: 1.0, then: 1.0, decisions: 0 },
    }
}

/// Self-play of `rounds` 4 x 5 rounds at 3 x 30.
pub fn reference_plan(rounds: u64) -> Plan {
    Plan {
        mix: RoundMix::one(4, 5),
        rules: RoundRules::default(),
        seed: 1,
        first_round: 0,
        rounds,
        carry_over: 0,
        range_end: None,
        agents: vec![reference_agent(LeafEvaluator::Model(0))],
        seating: Seating::One,
    }
}

/// Rounds 0 to `rounds` of the reference plan, played by chance up to turns spread over a whole round. Those that ended
/// are left out.
pub fn rounds_at_every_stage(rounds: u64) -> Vec<RoundSoFar> {
    let plan = Plan { carry_over: rounds, agents: vec![Agent::Random], ..reference_plan(rounds) };
    let scheduler = Scheduler::start(plan, &SchedulerConfig::default()).expect("a sound plan");
    scheduler.next_batch(Duration::from_secs(60)).expect("random play needs no batch");
    scheduler.take_paused()
}
