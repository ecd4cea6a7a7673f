//! The search against a naive recursive one, on positions with known answers, and its own promises.

mod hash_evaluator;
mod naive_search;

use blob_engine::rng::{Purpose, below, stream};
use blob_engine::*;
use blob_mcts::{
    Evaluate, EvaluateBatch, Evaluation, EvaluationError, Interrupt, Rollout, RootNoise, Search, SearchConfig, Uniform,
};
use hash_evaluator::{Policy, SeenBy, Values, hash_evaluation};
use naive_search::{Credit, HashEvaluator, naive_visits};
use proptest::prelude::*;

/// A position with a decision, reached by random play from a random deal.
fn decisions() -> impl Strategy<Value = (Round, u64)> {
    (3usize..=6, 1usize..=5, 0usize..5, any::<u64>()).prop_filter_map("a decision", |(players, cards, trump, seed)| {
        let mut rng = stream(seed, Purpose::Test, &[0]);
        let spec = RoundSpec::new(
            players,
            cards,
            trump_of_round(trump),
            Seat::FIRST.after(below(&mut rng, players as u32) as usize, players),
        );
        let mut round = Round::deal(&spec, &mut rng).expect("a legal spec");
        for _ in 0..below(&mut rng, (players * (cards + 1)) as u32) {
            let legal: Vec<_> = round.legal_actions().iter().collect();
            if legal.is_empty() {
                return None;
            }
            round.play_unchecked(legal[below(&mut rng, legal.len() as u32) as usize]);
        }
        (round.legal_actions().len() > 1).then_some((round, seed))
    })
}

fn observe(round: &Round) -> Observation {
    round.observe(round.to_play().expect("a decision"))
}

proptest! {
    #[test]
    fn visits_equal_those_of_the_naive_search(
        (round, seed) in decisions(),
        worlds in 1usize..4,
        simulations in 1usize..60,
        c_puct in prop::sample::select(vec![0.0f32, 0.5, 1.5, 4.0]),
        fpu_reduction in prop::sample::select(vec![0.0f32, 0.25, 1.0]),
    ) {
        let config = SearchConfig { worlds, simulations, c_puct, fpu_reduction, ..SearchConfig::default() };
        let observation = observe(&round);
        let outcome = Search::new(&observation, config, stream(seed, Purpose::Test, &[])).run(&mut HashEvaluator).expect("evaluations fit");
        prop_assert_eq!(outcome.visits, naive_visits(&observation, &config, seed, Credit::OwnValue));
        prop_assert_eq!(outcome.visits.iter().sum::<u32>() as usize, worlds * simulations);
        prop_assert_eq!(outcome.simulations as usize, worlds * simulations);
        prop_assert!(outcome.evaluations as usize <= worlds * simulations + 1);
        prop_assert!(outcome.values.0.iter().all(|value| value.abs() <= 1.0));
    }

    #[test]
    fn the_searcher_sees_every_leaf((round, seed) in decisions(), worlds in 1usize..4, leaves_in_flight in 1usize..4) {
        let config = SearchConfig { worlds, simulations: 20, leaves_in_flight, ..SearchConfig::default() };
        let observation = observe(&round);
        let search = |own_view| {
            Search::new(&observation, SearchConfig { own_view, ..config }, stream(seed, Purpose::Test, &[]))
        };
        let of_world = search(false).run(&mut SeenBy(observation.seat())).expect("evaluations fit");
        let (mut by_rows, mut rows) = (search(true), Rows::default());
        by_rows.run_in_batches(&mut rows, &mut Interrupt::new(|| true)).expect("evaluations fit");
        let found = by_rows.outcome();
        prop_assert_eq!((found.visits, found.values), (of_world.visits, of_world.values));
        prop_assert_eq!(found.evaluations, rows.asked);
        prop_assert_eq!(found.evaluations - rows.without_action, of_world.evaluations);
    }

    #[test]
    fn leaves_may_be_received_in_any_order((round, seed) in decisions(), worlds in 2usize..5) {
        let config = SearchConfig { worlds, simulations: 20, ..SearchConfig::default() };
        let observation = observe(&round);
        let expected = Search::new(&observation, config, stream(seed, Purpose::Test, &[])).run(&mut HashEvaluator).expect("fits");
        let mut search = Search::new(&observation, config, stream(seed, Purpose::Test, &[]));
        let mut order = stream(seed, Purpose::Test, &[1]);
        let mut leaves = Vec::new();
        loop {
            search.select(&mut leaves);
            if leaves.is_empty() {
                prop_assert!(search.is_done(), "a search that is not done has leaves out");
                break;
            }
            // One leaf at a time, a random one, with the others still out.
            let leaf = leaves.swap_remove(below(&mut order, leaves.len() as u32) as usize);
            receive(&mut search, leaf);
        }
        prop_assert_eq!(search.outcome(), expected);
    }

    #[test]
    fn virtual_loss_keeps_several_leaves_in_flight(
        (round, seed) in decisions(),
        leaves_in_flight in 2usize..20,
        virtual_loss in 1u32..4,
    ) {
        let config = SearchConfig { worlds: 2, simulations: 50, leaves_in_flight, virtual_loss, ..SearchConfig::default() };
        let mut search = Search::new(&observe(&round), config, stream(seed, Purpose::Test, &[]));
        let mut leaves = Vec::new();
        let mut most = 0;
        loop {
            search.select(&mut leaves);
            if leaves.is_empty() {
                prop_assert!(search.is_done(), "a search that is not done has leaves out");
                break;
            }
            let mut distinct = leaves.clone();
            distinct.sort_by_key(|leaf| format!("{leaf:?}"));
            distinct.dedup();
            prop_assert_eq!(distinct.len(), leaves.len(), "no leaf is handed out twice");
            most = most.max(leaves.len());
            leaves.drain(..).for_each(|leaf| receive(&mut search, leaf));
        }
        prop_assert!(most <= 2 * leaves_in_flight);
        prop_assert_eq!(search.outcome().visits.iter().sum::<u32>(), 100);
    }
}

/// The hash evaluator for rows; counts them, and those in which nobody acts.
#[derive(Default)]
struct Rows {
    asked: u64,
    without_action: u64,
}

impl EvaluateBatch for Rows {
    type Error = EvaluationError;

    fn evaluate(
        &mut self,
        features: &[Features],
        legal: &[EncodedActionSet],
        policies: &mut [Policy],
        values: &mut [Values],
    ) -> Result<(), EvaluationError> {
        self.asked += features.len() as u64;
        self.without_action += legal.iter().filter(|legal| legal.is_empty()).count() as u64;
        for ((row, policy), values) in features.iter().zip(policies).zip(values) {
            (*policy, *values) = hash_evaluation(row);
        }
        Ok(())
    }
}

fn receive(search: &mut Search, leaf: blob_mcts::Leaf) {
    let (mut policy, mut values) = ([0.0; 52], [0.0; 8]);
    HashEvaluator.evaluate(&search.position(leaf), 0, &mut policy, &mut values);
    search.receive(leaf, &Evaluation { policy: &policy, values: &values }).expect("fits");
}

fn hands(texts: &[&str]) -> Vec<CardSet> {
    texts.iter().map(|hand| hand.split(' ').map(|card| card.parse::<Card>().expect("a card")).collect()).collect()
}

fn round(trump: &str, dealer: usize, texts: &[&str], actions: &[&str]) -> Round {
    let hands = hands(texts);
    let trump = trump.chars().next().and_then(Suit::from_letter);
    let spec = RoundSpec::new(hands.len(), hands[0].len(), trump, Seat::FIRST.after(dealer, hands.len()));
    let mut round = Round::from_hands(&spec, &hands, None).expect("a legal round");
    for action in actions {
        let action = action.parse().map_or_else(|_| Action::bid(action.parse().expect("a bid")), Action::play);
        round.play(action).expect("legal");
    }
    round
}

fn most_visited(round: &Round, config: SearchConfig) -> (usize, f32) {
    let outcome = Search::new(&observe(round), config, stream(1, Purpose::Test, &[])).run(&mut Uniform).expect("fits");
    let policy = outcome.policy();
    let best = (0..ACTIONS).max_by(|&a, &b| policy[a].total_cmp(&policy[b])).expect("52 actions");
    (best, policy[best])
}

const DEEP: SearchConfig = SearchConfig {
    worlds: 20,
    simulations: 400,
    c_puct: 1.0,
    fpu_reduction: 0.0,
    worlds_in_flight: None,
    leaves_in_flight: 1,
    virtual_loss: 1,
    own_view: false,
    root_noise: None,
};

#[test]
fn the_highest_trump_bids_one() {
    let round = round("S", 2, &["AS", "KD", "QC"], &[]);
    let (bid, share) = most_visited(&round, DEEP);
    assert_eq!(bid, 1);
    assert!(share > 0.9, "{share}");
}

#[test]
fn the_lowest_card_bids_none() {
    // Leads a two of no trump: every other card of the suit beats it, and every trump does.
    let round = round("S", 2, &["2C", "KC", "QC"], &[]);
    assert_eq!(most_visited(&round, DEEP).0, 0);
}

#[test]
fn one_legal_action_is_not_searched() {
    // One card is left to each, so every action to the end is forced.
    let round = round("S", 2, &["KS 2S", "AS QS", "3D 4D"], &["1", "2", "0", "2S", "QS", "3D"]);
    let mut search = Search::new(&observe(&round), DEEP, stream(1, Purpose::Test, &[]));
    let outcome = search.run(&mut Uniform).expect("fits");
    assert!(search.is_done());
    assert_eq!((outcome.evaluations, outcome.simulations, outcome.visits), (0, 0, [0; ACTIONS]));
    let ace: Card = "AS".parse().expect("a card");
    assert_eq!(outcome.policy()[usize::from(ace.index())], 1.0);
    // In every world seat 1 wins both tricks, as it bid.
    let values = search.playout_values();
    let expected = [score_value(0, 2), score_value(12, 2), score_value(10, 2)];
    assert!(values.0.iter().zip(expected).all(|(value, expected)| (value - expected).abs() < 1e-5), "{values:?}");
}

#[test]
fn a_seat_that_needs_no_trick_ducks() {
    // Seat 1 bid 0 and must follow clubs to the jack with the queen or the three.
    let round = round("N", 2, &["JC KD", "QC 3C", "2H 3H"], &["1", "0", "0", "JC"]);
    let three: Card = "3C".parse().expect("a card");
    assert_eq!(most_visited(&round, DEEP).0, usize::from(three.index()));
}

#[test]
fn a_seat_that_needs_a_trick_takes_it() {
    let round = round("N", 2, &["JC KD", "QC 3C", "2H 3H"], &["1", "1", "1", "JC"]);
    let queen: Card = "QC".parse().expect("a card");
    assert_eq!(most_visited(&round, DEEP).0, usize::from(queen.index()));
}

/// The counts of a search that credits one scalar to all seats differ from ours; so the comparison above would see it.
#[test]
fn crediting_one_scalar_to_all_seats_would_show() {
    let mut differing = 0;
    for seed in 0..20 {
        let spec = RoundSpec::new(4, 5, Some(Suit::Spades), Seat::FIRST);
        let round = Round::deal(&spec, &mut stream(seed, Purpose::Test, &[0])).expect("a legal spec");
        let config = SearchConfig::default();
        let observation = observe(&round);
        let outcome =
            Search::new(&observation, config, stream(seed, Purpose::Test, &[])).run(&mut HashEvaluator).expect("fits");
        assert_eq!(outcome.visits, naive_visits(&observation, &config, seed, Credit::OwnValue));
        differing += usize::from(outcome.visits != naive_visits(&observation, &config, seed, Credit::RootValue));
    }
    assert!(differing >= 15, "only {differing} of 20 searches tell the two apart");
}

#[test]
fn noise_changes_the_priors_of_the_root_alone() {
    let round = round("S", 2, &["AS KD 3C", "QS JD 4C", "TS 9D 5C"], &[]);
    let visits = |root_noise, simulations| {
        let config = SearchConfig { worlds: 1, simulations, root_noise, ..SearchConfig::default() };
        Search::new(&observe(&round), config, stream(5, Purpose::Test, &[])).run(&mut Uniform).expect("fits").visits
    };
    let noise = Some(RootNoise { fraction: 0.5, alpha: 0.1 });
    assert_ne!(visits(None, 200), visits(noise, 200));
    // A fraction of 0 is the same search, although it draws the noise.
    assert_eq!(visits(None, 200), visits(Some(RootNoise { fraction: 0.0, alpha: 0.1 }), 200));
}

#[test]
fn evaluations_that_break_the_contract_are_refused() {
    let round = round("S", 2, &["AS KD", "QS JD", "TS 9D"], &[]);
    let refuse = |policy: Policy, values: Values| {
        let mut search = Search::new(&observe(&round), SearchConfig::default(), stream(1, Purpose::Test, &[]));
        let mut leaves = Vec::new();
        search.select(&mut leaves);
        let error = search.receive(leaves[0], &Evaluation { policy: &policy, values: &values }).expect_err("refused");
        // The leaf still waits, and takes a sound evaluation.
        search.receive(leaves[0], &Evaluation { policy: &[1.0; 52], values: &[0.0; 8] }).expect("sound");
        error
    };
    let with = |k: usize, value: f32| {
        let mut policy = [1.0; 52];
        policy[k] = value;
        policy
    };
    let value = |k: usize, value: f32| {
        let mut values = [0.0; 8];
        values[k] = value;
        values
    };
    assert!(matches!(refuse(with(1, f32::NAN), [0.0; 8]), EvaluationError::Policy { action: 1, .. }));
    assert!(matches!(refuse(with(2, -0.1), [0.0; 8]), EvaluationError::Policy { action: 2, .. }));
    assert!(matches!(refuse(with(0, f32::INFINITY), [0.0; 8]), EvaluationError::Policy { action: 0, .. }));
    let mut illegal = [1.0; 52];
    illegal[..3].fill(0.0);
    assert_eq!(refuse(illegal, [0.0; 8]), EvaluationError::NothingLegal { legal: vec![0, 1, 2] });
    let mut huge = [2e38; 52];
    huge[1] = 3e38;
    assert_eq!(refuse(huge, [0.0; 8]), EvaluationError::Sum { action: 1, value: 3e38 });
    assert!(matches!(refuse([1.0; 52], value(2, f32::NAN)), EvaluationError::Value { seat: 2, .. }));
    assert!(matches!(refuse([1.0; 52], value(1, -1.5)), EvaluationError::Value { seat: 1, .. }));
    // Past the players in play anything goes.
    let mut search = Search::new(&observe(&round), SearchConfig::default(), stream(1, Purpose::Test, &[]));
    let mut leaves = Vec::new();
    search.select(&mut leaves);
    search.receive(leaves[0], &Evaluation { policy: &[1.0; 52], values: &value(3, f32::NAN) }).expect("ignored");
}

/// Two cards each, one played: a world has a handful of positions, so nearly every walk ends in a finished round.
fn near_the_end() -> Round {
    round("N", 2, &["JC KD", "QC 3C", "2H 3H"], &["1", "0", "0", "JC"])
}

#[test]
fn walks_that_end_in_finished_rounds_can_be_interrupted() {
    let config = SearchConfig { worlds: 4096, simulations: 1 << 16, ..SearchConfig::default() };
    let mut search = Search::new(&observe(&near_the_end()), config, stream(1, Purpose::Test, &[]));
    let mut looks = 0;
    let keep_going = || {
        looks += 1;
        looks < 3
    };
    let done = search.run_while(&mut Uniform, &mut Interrupt::new(keep_going)).expect("fits");
    let simulations = search.outcome().simulations;
    assert!(!done && simulations < 100_000, "{simulations} simulations until the third look");
}

/// Values that float32 cannot hold exactly, the same for every position.
struct Constant;

impl Evaluate for Constant {
    fn evaluate(&mut self, _: &Round, _: usize, policy: &mut Policy, values: &mut Values) {
        policy.fill(1.0);
        values.fill(0.3);
    }
}

#[test]
fn means_stay_accurate_up_to_the_most_simulations() {
    let spec = RoundSpec::new(8, 6, Some(Suit::Spades), Seat::FIRST);
    let observation = observe(&Round::deal(&spec, &mut stream(1, Purpose::Test, &[])).expect("a legal spec"));
    let config = |simulations| SearchConfig { worlds: 1, simulations, ..SearchConfig::default() };
    let mut most = 1;
    while config(2 * most).check().is_ok() {
        most *= 2;
    }
    let outcome =
        Search::new(&observation, config(most), stream(1, Purpose::Test, &[])).run(&mut Constant).expect("fits");
    // Nearly all leaves are decisions of a long round, worth 0.3 to everybody.
    assert!(outcome.values.0.iter().all(|value| (value - 0.3).abs() < 0.004), "{:?}", outcome.values);
    // The visits of all worlds together fit their counters.
    let visits = (most as u64).checked_mul(4096).expect("a product");
    assert!(visits <= u64::from(u32::MAX), "{visits} visits");
}

#[test]
fn playouts_do_not_depend_on_the_worlds_in_flight() {
    let spec = RoundSpec::new(4, 5, Some(Suit::Spades), Seat::FIRST);
    let observation = observe(&Round::deal(&spec, &mut stream(1, Purpose::Test, &[])).expect("a legal spec"));
    let outcome = |worlds_in_flight| {
        let config = SearchConfig { worlds: 5, simulations: 40, worlds_in_flight, ..SearchConfig::default() };
        let mut rollout = Rollout::new(|world| stream(2, Purpose::Test, &[world as u64]));
        Search::new(&observation, config, stream(3, Purpose::Test, &[])).run(&mut rollout).expect("fits")
    };
    for worlds in 1..=5 {
        assert_eq!(outcome(Some(worlds)), outcome(None), "{worlds} worlds at a time");
    }
}
