//! The scheduler: same records whatever the threads, batches and timing.

mod hash_evaluator;
mod scheduled;

use blob_engine::ACTIONS;
use blob_engine::rng::{Purpose, stream};
use blob_mcts::{
    Agent, LeafEvaluator, Plan, RoundMix, RoundRecord, RoundShape, RoundSoFar, Scheduler, SchedulerConfig, Search,
    SearchConfig, Seating, Temperature,
};
use hash_evaluator::SeenBy;
use proptest::prelude::*;
use scheduled::{config, decode_context, finish, network, plan, records};

/// One round at a time, one thread, one row a batch, nothing remembered: no two leaves have to do with each other.
fn sequential(plan: &Plan) -> Vec<RoundRecord> {
    let (played, progress) = records(plan, SchedulerConfig { cache_entries: Some(0), ..config(1, 1, 1) });
    assert_eq!(progress.repeats, 0);
    played
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn every_schedule_plays_the_same_rounds(
        threads in 1usize..9,
        batch_rows in 1usize..80,
        in_flight in 1usize..200,
        rounds in 1u64..60,
        players in 3usize..=5,
        cards in 1usize..=4,
        leaves_in_flight in 1usize..4,
        worlds_in_flight in prop_oneof![Just(None), (1usize..4).prop_map(Some)],
        cache_entries in prop_oneof![Just(None), (0usize..40).prop_map(Some)],
        own_view in any::<bool>(),
    ) {
        let agent = |worlds_in_flight| {
            let mut agent = network(3, 8, 0);
            if let Agent::Search { config, .. } = &mut agent {
                (config.leaves_in_flight, config.worlds_in_flight) = (leaves_in_flight, worlds_in_flight);
                config.own_view = own_view;
            }
            agent
        };
        let one_by_one = plan(players, cards, rounds, vec![agent(Some(1))]);
        let plan = plan(players, cards, rounds, vec![agent(worlds_in_flight)]);
        let (played, progress) = records(&plan, SchedulerConfig { cache_entries, ..config(threads, batch_rows, in_flight) });
        prop_assert_eq!(&played, &sequential(&one_by_one));
        prop_assert_eq!(played.len() as u64, rounds);
        prop_assert_eq!(progress.rounds_done, rounds);
        prop_assert_eq!(progress.rows, progress.evaluations);
        prop_assert!(played.iter().zip(100..).all(|(record, index)| record.index == index));
    }

    #[test]
    fn two_models_meet_on_the_same_deals(threads in 1usize..5, batch_rows in 1usize..50, rounds in 1u64..40) {
        let plan = plan(4, 3, rounds, vec![network(2, 6, 0), network(1, 10, 1)]);
        let (played, _) = records(&plan, config(threads, batch_rows, 64));
        prop_assert_eq!(played, sequential(&plan));
    }
}

/// Plays a plan after rounds that were carried into it.
fn carried_on(plan: &Plan, carried: Vec<RoundSoFar>, config: SchedulerConfig) -> (Vec<RoundRecord>, Vec<RoundSoFar>) {
    let scheduler = Scheduler::resume(plan.clone(), carried, &config).expect("a sound plan");
    finish(&scheduler).expect("a sound evaluator");
    let (played, paused) = (scheduler.take_records(), scheduler.take_paused());
    let progress = scheduler.progress();
    assert_eq!((progress.rounds_done, progress.rounds), (played.len() as u64, played.len() as u64));
    (played, paused)
}

/// Three ranges of rounds one after another, the first two carrying over, range `k` asking model `models[k]`.
fn three_ranges(rounds: u64, carry_over: u64, models: [usize; 3], config: SchedulerConfig) -> [Vec<RoundRecord>; 3] {
    let mut carried = Vec::new();
    let mut first_round = 100;
    models.map(|model| {
        let last = first_round == 100 + 2 * rounds;
        let plan = Plan {
            first_round,
            carry_over: if last { 0 } else { carry_over },
            ..plan(4, 3, rounds, vec![network(2, 6, model)])
        };
        let (played, paused) = carried_on(&plan, std::mem::take(&mut carried), config);
        carried = paused;
        first_round += rounds;
        played
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(30))]
    #[test]
    fn carried_rounds_do_not_depend_on_the_schedule(
        threads in 1usize..9,
        batch_rows in 1usize..80,
        in_flight in 1usize..100,
        (rounds, carry_over) in (1u64..40).prop_flat_map(|rounds| (Just(rounds), 0..=rounds)),
    ) {
        let config = config(threads, batch_rows, in_flight);
        // With one model in all ranges, what is carried over ends as if it had never paused.
        let mut played = three_ranges(rounds, carry_over, [0; 3], config).concat();
        played.sort_by_key(|record| record.index);
        prop_assert_eq!(played, sequential(&plan(4, 3, 3 * rounds, vec![network(2, 6, 0)])));
        // With other models, which of them takes which decision does not depend on timing.
        let played = three_ranges(rounds, carry_over, [0, 1, 2], config);
        prop_assert_eq!(played, three_ranges(rounds, carry_over, [0, 1, 2], self::config(1, 1, 1)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn whole_games_do_not_depend_on_the_schedule(
        threads in 1usize..5,
        batch_rows in 1usize..40,
        in_flight in 1usize..12,
        carry_over in 0u64..=6,
        share in 0u8..=100,
    ) {
        let shapes = [(3, 3), (4, 2)].map(|(players, cards)| (RoundShape { players, cards }, 1.0));
        let plan = Plan { mix: RoundMix::whole_games(shapes, share), ..plan(4, 3, 12, vec![network(2, 4, 0)]) };
        let play = |config| {
            let scheduler = Scheduler::start(plan.clone(), &config).expect("a sound plan");
            finish(&scheduler).expect("a sound evaluator");
            (scheduler.take_records(), scheduler.progress().rounds_done)
        };
        let (played, done) = play(config(1, 1, 1));
        prop_assert_eq!(done, 12);
        prop_assert_eq!(&play(config(threads, batch_rows, in_flight)).0, &played);
        // Carried over in the middle of a game, each ends as if it had not paused.
        let first = Plan { rounds: 6, carry_over, ..plan.clone() };
        let halves = |config: SchedulerConfig| {
            let start = Scheduler::start(first.clone(), &config).expect("a sound plan");
            finish(&start).expect("a sound evaluator");
            let second = Plan { first_round: first.first_round + 6, rounds: 6, ..plan.clone() };
            let rest = Scheduler::resume(second, start.take_paused(), &config).expect("a sound plan");
            finish(&rest).expect("a sound evaluator");
            let mut records = [start.take_records(), rest.take_records()].concat();
            records.sort_by_key(|record| (record.index, record.game_round));
            records
        };
        prop_assert_eq!(&halves(config(threads, batch_rows, in_flight)), &played);
        for game in played.chunk_by(|a, b| a.index == b.index) {
            let totals = |seat: usize, rounds: &[RoundRecord]| -> u16 {
                rounds.iter().map(|record| u16::from(record.points.0[seat])).sum()
            };
            prop_assert_eq!(game.len(), blob_engine::schedule(game[0].players, game[0].cards).len());
            for (k, record) in game.iter().enumerate() {
                prop_assert_eq!(usize::from(record.game_round), k);
                for row in &record.decisions {
                    prop_assert_eq!(usize::from(row.game_round), k);
                    // The encoding tells the rounds left, and the observer's lead over the seat after it.
                    let (seat, next) = (row.seat.index(), (row.seat.index() + 1) % record.players);
                    let decoded = decode_context(&row.features);
                    prop_assert_eq!(decoded.0, game.len() - 1 - k);
                    let lead = i32::from(totals(next, &game[..k])) - i32::from(totals(seat, &game[..k]));
                    prop_assert_eq!(decoded.1, lead);
                }
            }
        }
    }
}

#[test]
fn rounds_of_several_shapes_share_batches() {
    let shapes = RoundMix::weighted(
        [(3, 1), (4, 5), (8, 2), (5, 3)].map(|(players, cards)| (RoundShape { players, cards }, 1.0)),
    );
    let plan = Plan { mix: shapes, ..plan(4, 5, 80, vec![network(2, 6, 0)]) };
    let (played, _) = records(&plan, config(4, 64, 32));
    assert_eq!(played, sequential(&plan));
    for record in &played {
        assert_eq!(RoundShape { players: record.players, cards: record.cards }, plan.shape(record.index));
        assert_eq!(usize::from(record.tricks.0.iter().sum::<u8>()), record.cards);
        assert!(record.points.0[record.players..].iter().all(|&points| points == 0));
        for row in &record.decisions {
            assert_eq!(row.root_values[record.players..], [0.0; 8][record.players..]);
            assert_eq!(record.relative_values(row.seat)[0], record.values[row.seat]);
        }
    }
    let most = played.iter().filter(|record| record.players == 3).count();
    assert!(most > 30, "rounds of one card have few decisions, so they are many: {most}");
    // Carried over, each ends as it would have without a pause.
    let first = Plan { carry_over: 30, rounds: 40, ..plan.clone() };
    let (mut ended, paused) = carried_on(&first, Vec::new(), config(3, 16, 8));
    assert!(paused.len() > 15);
    let second = Plan { first_round: 140, rounds: 40, ..plan };
    ended.extend(carried_on(&second, paused, config(3, 16, 8)).0);
    ended.sort_by_key(|record| record.index);
    assert_eq!(ended, played);
}

#[test]
fn carried_rounds_end_with_the_next_model() {
    let first = Plan { carry_over: 16, ..plan(4, 5, 40, vec![network(2, 6, 0)]) };
    let (played, paused) = carried_on(&first, Vec::new(), config(2, 16, 16));
    assert_eq!(paused.iter().map(|round| round.index).max(), Some(139));
    assert!(paused.iter().all(|round| round.index > 140 - 16));
    assert_eq!(played.len() + paused.len(), 40);
    // The last round pauses after its first bid.
    assert_eq!(paused.last().map(|round| round.actions.len()), Some(1));
    let second = Plan { first_round: 140, rounds: 1, ..plan(4, 5, 1, vec![network(2, 6, 1)]) };
    let (played, _) = carried_on(&second, paused.clone(), config(2, 16, 16));
    assert_eq!(played.len(), paused.len() + 1);
    let plain = sequential(&Plan { first_round: 124, ..plan(4, 5, 16, vec![network(2, 6, 0)]) });
    let mut others = 0;
    for (round, record) in paused.iter().zip(&played) {
        assert_eq!(record.index, round.index);
        // What was decided before stands; what comes after is the new model's.
        assert_eq!(record.decisions[..round.decisions.len()], round.decisions);
        let alone = &plain[(round.index - 124) as usize];
        others += usize::from(record.decisions != alone.decisions);
    }
    assert!(others > 10, "{others} rounds went on otherwise than with the first model");
}

#[test]
fn rounds_that_cannot_be_carried_on_are_refused() {
    let first = Plan { carry_over: 8, ..plan(4, 5, 10, vec![network(2, 6, 0)]) };
    let (_, paused) = carried_on(&first, Vec::new(), config(1, 8, 8));
    let next = Plan { first_round: 110, ..first.clone() };
    let refuse = |plan: &Plan, carried: Vec<RoundSoFar>| {
        Scheduler::resume(plan.clone(), carried, &config(1, 8, 8)).expect_err("refused").to_string()
    };
    assert!(refuse(&first, paused.clone()).contains("own rounds begin at 100"));
    assert!(refuse(&Plan { seed: 12, ..next.clone() }, paused.clone()).contains("none of this plan"));
    assert!(refuse(&next, paused.iter().rev().cloned().collect()).contains("comes after round 109"));
    assert!(refuse(&next, [&paused[..], &paused[..]].concat()).contains("each once"));
    let mut records = paused[0].clone();
    records.actions.pop();
    assert!(refuse(&next, vec![records]).contains("records of"));
    assert!(refuse(&Plan { carry_over: 11, ..first }, Vec::new()).contains("carry_over is 11"));
}

#[test]
fn eight_threads_fill_batches() {
    let plan = plan(4, 5, 600, vec![network(3, 30, 0)]);
    let (played, progress) = records(&plan, config(8, 256, 512));
    assert_eq!(played, records(&plan, config(2, 256, 512)).0);
    let fill = progress.rows as f64 / (progress.batches * 256) as f64;
    assert!(fill > 0.9, "batches are {fill} full");
    assert_eq!(progress.simulations, progress.decisions * 90);
}

/// Rows repeat: at the least, the last cards of a hand can be played in orders that come to the same.
#[test]
fn equal_rows_are_evaluated_once() {
    let plan = plan(4, 5, 60, vec![network(3, 30, 0)]);
    let of = |cache_entries| records(&plan, SchedulerConfig { cache_entries, ..config(2, 64, 32) }).1;
    let (without, with, tight) = (of(Some(0)), of(None), of(Some(8)));
    assert_eq!(without.repeats, 0);
    for progress in [with, tight] {
        assert_eq!(progress.evaluations + progress.repeats, without.evaluations);
        assert_eq!(progress.rows, progress.evaluations);
    }
    assert!(with.repeats > tight.repeats && tight.repeats > 0, "{with:?} {tight:?}");
    assert!(with.evaluations * 10 < without.evaluations * 9, "{with:?}");
}

#[test]
fn records_hold_what_was_played() {
    let plan = plan(4, 4, 50, vec![network(3, 10, 0)]);
    for record in sequential(&plan) {
        let searched = record.decisions.len();
        assert!((4..=4 * 5).contains(&searched), "every bid is a decision, and at most every card: {searched}");
        for row in &record.decisions {
            let sum: f32 = row.policy.iter().map(|share| share.to_f32()).sum();
            assert!((sum - 1.0).abs() < 1e-2, "{sum}");
            assert!((0..ACTIONS).all(|k| row.legal.bits() >> k & 1 == 1 || row.policy[k].to_f32() == 0.0));
            let values = record.relative_values(row.seat);
            assert_eq!(values[0], record.values[row.seat]);
            assert_eq!(values[4..], [0.0; 4]);
            assert!(row.root_values.iter().all(|value| value.abs() <= 1.0));
            assert_eq!(row.root_values[4..], [0.0; 4]);
        }
    }
}

/// An agent whose searcher sees every leaf.
fn seeing(worlds: usize, simulations: usize) -> Agent {
    let mut agent = network(worlds, simulations, 0);
    if let Agent::Search { config, .. } = &mut agent {
        config.own_view = true;
    }
    agent
}

#[test]
fn a_searcher_that_sees_leaves_records_what_another_seat_knew() {
    let plan = plan(4, 3, 60, vec![seeing(2, 6)]);
    let mut seen = [[0; 4]; 4];
    for record in sequential(&plan) {
        for pair in record.decisions.as_chunks::<2>().0 {
            let [decided, view] = pair;
            assert!(!decided.legal.is_empty() && view.legal.is_empty());
            assert!(view.policy.iter().all(|share| share.to_f32() == 0.0));
            assert_eq!(record.relative_values(view.seat)[0], record.values[view.seat]);
            let place = decided.seat.relative_to(view.seat, 4);
            assert_eq!(usize::from(view.features[blob_engine::encode::TO_PLAY]), place);
            assert_eq!(decided.root_values[0], view.root_values[place]);
            seen[decided.seat.index()][view.seat.index()] += 1;
        }
        assert_eq!(record.decisions.len() % 2, 0);
    }
    for (mover, views) in seen.iter().enumerate() {
        assert!(views.iter().enumerate().all(|(seat, &count)| (count > 0) == (seat != mover)), "{seen:?}");
    }
}

#[test]
fn the_searchers_view_of_leaves_decides() {
    let plan = plan(4, 3, 30, vec![seeing(2, 20)]);
    let Agent::Search { config, .. } = plan.agents[0] else { unreachable!("it searches") };
    for record in sequential(&plan) {
        let deal = record.moves.deal;
        let observation = deal.observe(deal.to_play().expect("the bidding"));
        let rng = stream(plan.seed, Purpose::Search, &[record.index, 0]);
        let alone = Search::new(&observation, config, rng).run(&mut SeenBy(observation.seat())).expect("sound");
        assert_eq!(record.decisions[0].root_values[0], alone.values[observation.seat()]);
    }
}

#[test]
fn agents_that_need_no_network_need_no_evaluator() {
    let rollout = Agent::Search {
        config: SearchConfig { worlds: 2, simulations: 8, ..SearchConfig::default() },
        evaluator: LeafEvaluator::Rollout,
        temperature: Temperature::GREEDY,
    };
    let yardsticks = [Agent::Ismcts { simulations: 30 }, Agent::Flat { worlds: 3 }];
    for agent in [Agent::Random, Agent::Rule, rollout].into_iter().chain(yardsticks) {
        let plan = plan(4, 3, 80, vec![agent, Agent::Rule]);
        let (played, progress) = records(&plan, config(3, 16, 64));
        assert_eq!(played, sequential(&plan));
        assert_eq!((played.len(), progress.batches), (80, 0));
        // The four rotations of a deal bid in the same order from the same dealer, so their sizes agree.
        assert!(played.iter().all(|record| record.tricks.0.iter().sum::<u8>() == 3));
    }
}

#[test]
fn in_a_field_rounds_differ_only_from_where_the_agents_do() {
    let field = Agent::Ismcts { simulations: 20 };
    let everywhere = sequential(&plan(4, 4, 50, vec![field]));
    let with = |agent| {
        let mut plan = plan(4, 4, 4 * 50, vec![agent, field]);
        (plan.seating, plan.first_round) = (Seating::Field, 4 * plan.first_round);
        sequential(&plan)
    };
    let outcome = |record: &RoundRecord| (record.bids, record.tricks, record.points);
    for (k, record) in with(field).iter().enumerate() {
        assert_eq!(outcome(record), outcome(&everywhere[k / 4]), "the agent is the field's own");
    }
    let guests = with(Agent::Rule);
    let differ = (0..200).filter(|&k| outcome(&guests[k]) != outcome(&everywhere[k / 4])).count();
    assert!(differ > 100, "only {differ} of 200 rounds differ from the field's own");
}
