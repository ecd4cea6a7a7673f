//! Play by a policy alone: the same rounds on any schedule, exploration as it is set, and rounds that can be played again.

mod hash_evaluator;

use std::time::Duration;

use blob_engine::{FEATURES, Features, RoundRules, rule_action};
use blob_mcts::{
    Agent, Exploration, NextBatch, Plan, PlayedRound, RoundMix, RoundRecord, RoundShape, RoundSoFar, Scheduler,
    SchedulerConfig, SchedulerError, Seating,
};
use hash_evaluator::hash_evaluation;
use proptest::prelude::*;

const EXPLORING: Exploration = Exploration { temperature: 1.0, random_share: 0.1 };

fn plan(mix: RoundMix, rounds: u64, exploration: Exploration) -> Plan {
    Plan {
        mix,
        rules: RoundRules::default(),
        seed: 5,
        first_round: 0,
        rounds,
        carry_over: 0,
        range_end: None,
        agents: vec![Agent::Policy { model: 0, exploration }],
        seating: Seating::One,
    }
}

/// Plays a plan to its end with a hash of each row as its policy, or with what `policy` makes of that.
fn play(
    plan: &Plan,
    carried: Vec<RoundSoFar>,
    config: &SchedulerConfig,
    policy: impl Fn(&mut [f32]),
) -> Result<(Vec<RoundRecord>, Vec<RoundSoFar>), SchedulerError> {
    let scheduler = Scheduler::resume(plan.clone(), carried, config)?;
    loop {
        match scheduler.next_batch(Duration::from_secs(60))? {
            NextBatch::Batch(batch) => {
                let rows: &[Features] = batch.inputs().0.as_chunks::<FEATURES>().0;
                let (mut policies, mut values) = (Vec::new(), Vec::new());
                for row in &rows[..batch.rows()] {
                    let (mut probabilities, value) = hash_evaluation(row);
                    policy(&mut probabilities);
                    policies.extend(probabilities);
                    values.extend(value);
                }
                scheduler.complete(batch, &policies, &values);
            }
            NextBatch::Finished => return Ok((scheduler.take_records(), scheduler.take_paused())),
            other => panic!("{other:?}"),
        }
    }
}

fn config(threads: usize, batch_rows: usize, in_flight: usize) -> SchedulerConfig {
    SchedulerConfig {
        threads: Some(threads),
        batch_rows,
        rounds_in_flight: Some(in_flight),
        ..SchedulerConfig::default()
    }
}

fn played(records: Vec<RoundRecord>) -> Vec<PlayedRound> {
    records.into_iter().map(RoundRecord::into_played).collect()
}

fn any_mix() -> impl Strategy<Value = RoundMix> {
    let shapes = [RoundShape { players: 3, cards: 4 }, RoundShape { players: 5, cards: 2 }].map(|shape| (shape, 1.0));
    prop_oneof![
        Just(RoundMix::one(4, 3)),
        Just(RoundMix::weighted(shapes)),
        Just(RoundMix::whole_games([(RoundShape { players: 3, cards: 3 }, 1.0)], 25)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(30))]
    #[test]
    fn every_schedule_plays_the_same_rounds(
        mix in any_mix(), threads in 1usize..9, batch_rows in 1usize..80, in_flight in 1usize..100, rounds in 1u64..60,
    ) {
        let plan = plan(mix, rounds, EXPLORING);
        let (one_by_one, _) = play(&plan, Vec::new(), &config(1, 1, 1), |_| {}).expect("a sound plan");
        let (records, _) = play(&plan, Vec::new(), &config(threads, batch_rows, in_flight), |_| {}).expect("a sound plan");
        prop_assert_eq!(played(records), played(one_by_one));
    }

    #[test]
    fn rounds_that_pause_end_as_if_they_had_not(mix in any_mix(), split in 1u64..30, carry_over in 0u64..30) {
        let whole = plan(mix, 30, EXPLORING);
        let (expected, _) = play(&whole, Vec::new(), &config(2, 16, 40), |_| {}).expect("a sound plan");
        let first = Plan { rounds: split, carry_over: carry_over.min(split), ..whole.clone() };
        let second = Plan { first_round: split, rounds: 30 - split, ..whole };
        let (mut records, paused) = play(&first, Vec::new(), &config(2, 16, 40), |_| {}).expect("a sound plan");
        records.extend(play(&second, paused, &config(1, 16, 40), |_| {}).expect("its own rounds").0);
        records.sort_by_key(|record| (record.index, record.game_round));
        prop_assert_eq!(played(records), played(expected));
    }
}

#[test]
fn played_rounds_replay_to_their_results() {
    let mix = RoundMix::whole_games([(RoundShape { players: 3, cards: 4 }, 1.0)], 25);
    let (records, _) = play(&plan(mix, 5, EXPLORING), Vec::new(), &config(2, 16, 8), |_| {}).expect("a sound plan");
    assert_eq!(records.len(), 5 * 9);
    for record in records {
        let (tricks, points, players) = (record.tricks, record.points, record.players);
        let end = record.into_played().replay().expect("legal actions");
        assert_eq!((*end.public().won(), end.public().scores()), (tricks, Some(points)), "{players} players");
    }
}

#[test]
fn without_exploration_the_likeliest_action_is_played() {
    // The policy puts most on the lowest place, which is the lowest bid and the lowest card of the first suit.
    let falling = |policy: &mut [f32]| {
        for (place, probability) in policy.iter_mut().enumerate() {
            *probability = 1.0 / (place + 1) as f32;
        }
    };
    let plan = plan(RoundMix::one(4, 5), 40, Exploration::NONE);
    let (records, _) = play(&plan, Vec::new(), &config(2, 16, 40), falling).expect("a sound plan");
    for round in played(records) {
        let bids: Vec<_> = round.actions[..4].iter().map(|bid| bid.as_bid()).collect();
        assert_eq!(bids[..3], [0; 3]);
    }
}

#[test]
fn a_random_share_of_1_ignores_the_policy() {
    let plan = plan(RoundMix::one(4, 5), 400, Exploration { temperature: 0.0, random_share: 1.0 });
    let (records, _) = play(&plan, Vec::new(), &config(2, 64, 100), |_| {}).expect("a sound plan");
    let mut bids = [0; 6];
    for round in played(records) {
        bids[usize::from(round.actions[0].as_bid())] += 1;
    }
    // 400 draws of 6 bids: 67 each, with a standard deviation of 7.5.
    assert!(bids.iter().all(|&count| (35..100).contains(&count)), "{bids:?}");
}

#[test]
fn it_meets_other_agents_in_a_match() {
    let agents = vec![Agent::Policy { model: 0, exploration: Exploration::NONE }, Agent::Rule];
    let plan = Plan { agents, seating: Seating::Rotate, ..plan(RoundMix::one(3, 3), 30, Exploration::NONE) };
    let (records, _) = play(&plan, Vec::new(), &config(2, 16, 30), |_| {}).expect("a sound plan");
    for round in played(records) {
        let mut position = round.deal;
        for &action in &round.actions {
            position.skip_forced();
            let seat = position.to_play().expect("a decision");
            if seat.index() as u64 != round.number % 3 {
                assert_eq!(rule_action(&position.observe(seat)), Some(action));
            }
            position.play_unchecked(action);
        }
    }
}

#[test]
fn what_cannot_be_used_is_refused() {
    for (temperature, random_share) in [(-1.0, 0.0), (f32::NAN, 0.0), (1.0, -0.1), (1.0, 1.1), (1.0, f32::NAN)] {
        let plan = plan(RoundMix::one(4, 5), 1, Exploration { temperature, random_share });
        assert!(plan.check().is_err(), "{temperature} {random_share}");
    }
    let plan = plan(RoundMix::one(4, 5), 10, EXPLORING);
    let refused = play(&plan, Vec::new(), &config(1, 4, 4), |policy| policy.fill(0.0));
    assert!(matches!(refused, Err(SchedulerError::Evaluation { .. })), "{refused:?}");
}
