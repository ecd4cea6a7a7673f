//! The yardsticks against plain programs, and against the decisions that make their version.

use std::collections::HashMap;

use blob_engine::rng::{Purpose, Xoshiro, stream};
use blob_engine::*;
use blob_mcts::{Interrupt, Ismcts, YARDSTICK_VERSION, choose, flat_search};
use proptest::prelude::*;

/// A position of a round of any size, after some random actions, at a decision.
fn positions() -> impl Strategy<Value = (Round, u64)> {
    (3usize..=8, 1usize..=13, 0..5usize, any::<u64>(), 0usize..60, any::<bool>(), any::<bool>()).prop_map(
        |(players, cards, trump, seed, turns, turn_up, whole_game)| {
            let cards = cards.min((PACK - 1) / players);
            let trump = if turn_up { None } else { trump_of_round(trump) };
            let dealer = Seat::new(seed as usize % players, players).expect("a seat");
            let mut spec = RoundSpec::new(players, cards, trump, dealer);
            spec.rules.turn_up = turn_up;
            spec.context.result_share = if whole_game { 40 } else { 0 };
            let mut rng = stream(seed, Purpose::Test, &[]);
            let mut round = Round::deal(&spec, &mut rng).expect("a legal spec");
            let mut decision = round;
            for _ in 0..turns {
                let Some(action) = round.legal_actions().choose(&mut rng) else { break };
                round.play_unchecked(action);
                round.skip_forced();
                if round.to_play().is_some() {
                    decision = round;
                }
            }
            (decision, seed)
        },
    )
}

fn observe(round: &Round) -> Observation {
    round.observe(round.to_play().expect("a decision"))
}

/// Plays out by the rule bot; the values of the end by seat.
fn roll_out(mut world: Round) -> BySeat<f32> {
    while let Some(seat) = world.to_play() {
        world.play_unchecked(rule_action(&world.observe(seat)).expect("to play"));
    }
    world.public().values().expect("done")
}

#[derive(Default)]
struct Statistics {
    visits: u32,
    available: u32,
    sum: f64,
}

/// The paper's algorithm with a map from sequences of actions, no nodes and no edges; returns the visits of the root.
fn naive_ismcts(observation: &Observation, simulations: usize, rng: &mut Xoshiro) -> ([u32; ACTIONS], BySeat<f32>) {
    let mut tree: HashMap<Vec<Action>, Statistics> = HashMap::new();
    let after = |history: &[Action], action: Action| [history, &[action]].concat();
    let sampler = WorldSampler::new(observation);
    let mut totals = [0.0; MAX_PLAYERS];
    for _ in 0..simulations {
        let mut world = sampler.sample(rng);
        let (mut history, mut seats) = (Vec::new(), Vec::new());
        while let Some(seat) = world.to_play() {
            let legal: Vec<Action> = world.legal_actions().iter().collect();
            let untried = (legal.iter().filter(|&&action| !tree.contains_key(&after(&history, action))))
                .fold(ActionSet::EMPTY, |set, &action| set.with(action));
            let action = untried.choose(rng);
            if let Some(action) = action {
                tree.insert(after(&history, action), Statistics::default());
            }
            for &action in &legal {
                if let Some(statistics) = tree.get_mut(&after(&history, action)) {
                    statistics.available += 1;
                }
            }
            let score = |action: &Action| {
                let Statistics { visits, available, sum } = tree[&after(&history, *action)];
                sum as f32 / visits as f32 + EXPLORATION * (libm::logf(available as f32) / visits as f32).sqrt()
            };
            let best = action.unwrap_or_else(|| {
                // The first of several equals.
                *legal.iter().rev().max_by(|a, b| score(a).total_cmp(&score(b))).expect("an action is legal")
            });
            seats.push(seat);
            history.push(best);
            world.play_unchecked(best);
            if action.is_some() && legal.len() > 1 {
                break;
            }
        }
        let values = roll_out(world);
        for (length, &seat) in seats.iter().enumerate() {
            let statistics = tree.get_mut(&history[..=length]).expect("it was added");
            statistics.visits += 1;
            statistics.sum += f64::from(values[seat]);
        }
        for (total, value) in totals.iter_mut().zip(values.0) {
            *total += f64::from(value);
        }
    }
    let mut visits = [0; ACTIONS];
    for action in observation.legal_actions().iter() {
        visits[action.index()] = tree.get(&vec![action]).map_or(0, |statistics| statistics.visits);
    }
    (visits, BySeat(totals.map(|total| (total / simulations as f64) as f32)))
}

const EXPLORATION: f32 = 1.4;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn ismcts_is_the_algorithm_of_its_paper((round, seed) in positions(), simulations in 1usize..200) {
        let observation = observe(&round);
        let mut tree = Ismcts::default();
        // The memory of another search leaves no trace.
        tree.search(&observation, 50, &mut stream(seed, Purpose::Test, &[9]), &mut Interrupt::new(|| true));
        let found = tree.search(&observation, simulations, &mut stream(seed, Purpose::Test, &[1]), &mut Interrupt::new(|| true)).expect("not stopped");
        let (visits, values) = naive_ismcts(&observation, simulations, &mut stream(seed, Purpose::Test, &[1]));
        prop_assert_eq!(found.visits, visits);
        prop_assert_eq!(found.values, values);
        prop_assert_eq!(found.simulations, simulations as u64);
    }

    #[test]
    fn flat_search_takes_the_best_mean((round, seed) in positions(), worlds in 1usize..20) {
        let observation = observe(&round);
        let sampler = WorldSampler::new(&observation);
        let mut rng = stream(seed, Purpose::Test, &[1]);
        let worlds_drawn: Vec<Round> = (0..worlds).map(|_| sampler.sample(&mut rng)).collect();
        let score = |action: &Action| -> f64 {
            let end = |world: &Round| {
                let mut world = *world;
                world.play_unchecked(*action);
                f64::from(roll_out(world)[observation.seat()])
            };
            worlds_drawn.iter().map(end).sum()
        };
        let legal: Vec<Action> = observation.legal_actions().iter().collect();
        let best = legal.into_iter().rev().max_by(|a, b| score(a).total_cmp(&score(b)));
        prop_assert_eq!(flat_search(&observation, worlds, &mut stream(seed, Purpose::Test, &[1]), &mut Interrupt::new(|| true)), best);
    }
}

#[test]
fn a_stopped_search_finds_nothing() {
    let round =
        Round::deal(&RoundSpec::new(4, 5, None, Seat::new(0, 4).expect("a seat")), &mut stream(1, Purpose::Test, &[]))
            .expect("a legal spec");
    let mut rng = stream(2, Purpose::Test, &[]);
    let mut stop = Interrupt::new(|| false);
    assert_eq!(Ismcts::default().search(&observe(&round), 10_000, &mut rng, &mut stop), None);
    assert_eq!(flat_search(&observe(&round), 10_000, &mut rng, &mut stop), None);
}

/// A change of these numbers makes another yardstick: it needs another `YARDSTICK_VERSION`, and docs/strength.md new results.
#[test]
fn yardsticks_stay_as_they_are() {
    assert_eq!(YARDSTICK_VERSION, 1);
    let decisions = |players, cards, choose: &mut dyn FnMut(&Observation, Xoshiro) -> Action| -> Vec<usize> {
        let dealer = Seat::new(1, players).expect("a seat");
        let spec = RoundSpec::new(players, cards, trump_of_round(cards), dealer);
        let mut round = Round::deal(&spec, &mut stream(20, Purpose::Test, &[])).expect("a legal spec");
        let mut taken = Vec::new();
        loop {
            round.skip_forced();
            if round.to_play().is_none() {
                return taken;
            }
            let action = choose(&observe(&round), stream(21, Purpose::Test, &[taken.len() as u64]));
            taken.push(action.index());
            round.play_unchecked(action);
        }
    };
    let mut tree = Ismcts::default();
    let mut ismcts = |observation: &Observation, mut rng: Xoshiro| {
        let found = tree.search(observation, 200, &mut rng, &mut Interrupt::new(|| true)).expect("not interrupted");
        choose(&found.visits, found.legal, 0.0, &mut rng)
    };
    let mut flat = |observation: &Observation, mut rng: Xoshiro| {
        flat_search(observation, 16, &mut rng, &mut Interrupt::new(|| true)).expect("not interrupted")
    };
    assert_eq!(decisions(4, 5, &mut ismcts), [0, 2, 2, 2, 15, 23, 1, 8, 3, 33, 11, 38, 44, 26, 34]);
    assert_eq!(decisions(3, 7, &mut ismcts), [3, 2, 5, 28, 22, 29, 33, 44, 24, 23, 3, 26, 37, 1, 8, 34, 4, 11]);
    assert_eq!(decisions(4, 5, &mut flat), [0, 3, 2, 1, 33, 1, 8, 37, 11, 3, 15, 18, 34, 23, 24, 48, 0, 29]);
    assert_eq!(decisions(6, 3, &mut flat), [0, 0, 0, 0, 1, 0, 26, 29, 34, 1, 11, 8, 15, 23, 48, 33]);
}
