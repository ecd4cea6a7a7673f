//! What the benchmarks have in common: the reference position and plan.

use blob_engine::rng::{Purpose, stream};
use blob_engine::{Round, RoundRules, RoundSpec, Seat, Suit};
use blob_mcts::{Agent, LeafEvaluator, Plan, RoundMix, SearchConfig, Seating, Temperature};

/// A fresh round of 4 players and 5 cards with spades trump.
pub fn reference_round(seed: u64) -> Round {
    let spec = RoundSpec::new(4, 5, Some(Suit::Spades), Seat::FIRST);
    Round::deal(&spec, &mut stream(seed, Purpose::Test, &[])).expect("4 x 5 can be dealt")
}

/// Self-play of so many 4 x 5 rounds at 3 x 30.
pub fn reference_plan(rounds: u64) -> Plan {
    let agent = Agent::Search {
        config: SearchConfig::default(),
        evaluator: LeafEvaluator::Model(0),
        temperature: Temperature { first: 1.0, then: 1.0, decisions: 0 },
    };
    Plan {
        mix: RoundMix::one(4, 5),
        rules: RoundRules::default(),
        seed: 1,
        first_round: 0,
        rounds,
        carry_over: 0,
        agents: vec![agent],
        seating: Seating::One,
    }
}
