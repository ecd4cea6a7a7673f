//! Worlds are drawn uniformly: against enumeration where there are few, against exact marginals where there are many.

use std::collections::HashMap;

use blob_engine::rng::{Purpose, Xoshiro, stream};
use blob_engine::*;

/// The hands of the seats other than the observer's, in their order from it.
type Hidden = Vec<CardSet>;

/// The seats and sizes of the hidden hands, with the cards that each may hold.
fn hidden_hands(observation: &Observation) -> Vec<(usize, CardSet)> {
    let public = observation.public();
    observation.others().map(|seat| (public.hand_size(seat), public.voids(seat).allowed())).collect()
}

/// Every world, by giving the hidden hands every choice of cards, one hand after the other.
fn enumerate(observation: &Observation) -> Vec<Hidden> {
    let mut worlds = Vec::new();
    extend(&hidden_hands(observation), observation.unseen(), &mut Vec::new(), &mut worlds);
    worlds
}

fn extend(hands: &[(usize, CardSet)], unseen: CardSet, given: &mut Hidden, worlds: &mut Vec<Hidden>) {
    let Some((&(size, allowed), rest)) = hands.split_first() else {
        worlds.push(given.clone());
        return;
    };
    for hand in choices(unseen & allowed, size) {
        given.push(hand);
        extend(rest, unseen - hand, given, worlds);
        given.pop();
    }
}

/// Every set of `size` of the cards.
fn choices(cards: CardSet, size: usize) -> Vec<CardSet> {
    match (size, cards.first()) {
        (0, _) => vec![CardSet::EMPTY],
        (_, None) => Vec::new(),
        (_, Some(first)) => {
            let rest = cards.without(first);
            let with = choices(rest, size - 1).into_iter().map(|set| set.with(first));
            with.chain(choices(rest, size)).collect()
        }
    }
}

/// How many worlds there are and how many of them give each card to each hidden hand, card by card.
///
/// The state is what the hands still lack; the cards left over are undealt. Counts stay below 2^121, so u128 is exact;
/// shares are taken in floating point.
fn marginals(observation: &Observation) -> (u128, Vec<Vec<f64>>) {
    let hands = hidden_hands(observation);
    let cards: Vec<Card> = observation.unseen().iter().collect();
    let full: Vec<usize> = hands.iter().map(|&(size, _)| size).collect();
    // ways[k][lacking]: the ways to come, from the first card on, to this state before card k.
    let mut ways: Vec<HashMap<Vec<usize>, u128>> = vec![HashMap::from([(full, 1)])];
    for &card in &cards {
        let mut after: HashMap<Vec<usize>, u128> = HashMap::new();
        for (lacking, count) in ways.last().expect("the start") {
            for (_, next) in takers(card, lacking, &hands) {
                *after.entry(next).or_default() += count;
            }
        }
        ways.push(after);
    }
    // to_end[lacking]: the ways from this state before card k + 1 to the end, for k from the last card back.
    let mut to_end: HashMap<Vec<usize>, u128> = HashMap::from([(vec![0; hands.len()], 1)]);
    let total = ways[cards.len()][&vec![0; hands.len()]];
    let mut shares = vec![vec![0.0; hands.len()]; PACK];
    for (k, &card) in cards.iter().enumerate().rev() {
        let mut before = HashMap::new();
        for (lacking, count) in &ways[k] {
            let mut sum = 0;
            for (taker, next) in takers(card, lacking, &hands) {
                let rest = to_end.get(&next).copied().unwrap_or(0);
                sum += rest;
                if let Some(taker) = taker {
                    shares[usize::from(card.index())][taker] += *count as f64 * rest as f64 / total as f64;
                }
            }
            before.insert(lacking.clone(), sum);
        }
        to_end = before;
    }
    (total, shares)
}

/// Who can take a card (`None`: it is undealt), and what is lacking then.
fn takers(card: Card, lacking: &[usize], hands: &[(usize, CardSet)]) -> Vec<(Option<usize>, Vec<usize>)> {
    let mut takers = vec![(None, lacking.to_vec())];
    for (k, &(_, allowed)) in hands.iter().enumerate() {
        if lacking[k] > 0 && allowed.contains(card) {
            let mut next = lacking.to_vec();
            next[k] -= 1;
            takers.push((Some(k), next));
        }
    }
    takers
}

/// The value that a chi-square statistic exceeds with the chance of a normal variable above `z`
/// (Wilson & Hilferty 1931).
fn chi_square_critical(freedom: usize, z: f64) -> f64 {
    let spread = 2.0 / (9.0 * freedom as f64);
    freedom as f64 * (1.0 - spread + z * spread.sqrt()).powi(3)
}

/// One in a million, and the seeds are fixed: a failure means a bias, not bad luck.
const Z: f64 = 4.75;

/// Draws 30 worlds for each there is and compares how often each came.
fn assert_uniform(observation: &Observation, what: &str) {
    let worlds = enumerate(observation);
    let sampler = WorldSampler::new(observation);
    assert_eq!(sampler.number_of_worlds(), worlds.len() as u128, "{what}: {observation:?}");
    let mut counts: HashMap<Hidden, u32> = worlds.into_iter().map(|world| (world, 0)).collect();
    let expected = 30.0;
    let mut rng = stream(5, Purpose::Test, &[]);
    for _ in 0..counts.len() * 30 {
        let hands = sampler.sample_hands(&mut rng);
        let world: Hidden = observation.others().map(|seat| hands[seat]).collect();
        *counts.get_mut(&world).unwrap_or_else(|| panic!("{what}: {world:?} is no world of {observation:?}")) += 1;
    }
    let statistic: f64 = counts.values().map(|&count| (f64::from(count) - expected).powi(2) / expected).sum();
    let critical = chi_square_critical(counts.len() - 1, Z);
    assert!(statistic < critical, "{what}: {statistic} over {critical} for {observation:?}");
}

/// What makes a position worth a test.
#[derive(Debug)]
struct Features {
    /// Hidden hands that hold a card.
    hands: usize,
    /// Their void sets that are not empty, each once.
    void_sets: Vec<u8>,
    /// Whether two hands have the same voids.
    shared: bool,
    /// Whether the last card of the running trick has shown a void, of a hand that goes on.
    just_shown: bool,
    undealt: usize,
    turned_up: bool,
}

fn features(observation: &Observation, before: &PublicState) -> Features {
    let public = observation.public();
    let holding: Vec<Seat> = observation.others().filter(|&seat| public.hand_size(seat) > 0).collect();
    let all: Vec<u8> = holding.iter().map(|&seat| public.voids(seat).bits()).filter(|&bits| bits != 0).collect();
    let mut void_sets = all.clone();
    void_sets.sort_unstable();
    void_sets.dedup();
    Features {
        hands: holding.len(),
        shared: void_sets.len() < all.len(),
        void_sets,
        just_shown: !public.trick().is_empty() && holding.iter().any(|&seat| public.voids(seat) != before.voids(seat)),
        undealt: PACK - public.players() * public.cards() - usize::from(public.turned_up().is_some()),
        turned_up: public.turned_up().is_some(),
    }
}

/// Shapes that have positions with few worlds: one card each, or most of the pack played.
const SHAPES: [(usize, usize); 9] = [(3, 1), (3, 2), (3, 13), (4, 12), (4, 13), (5, 9), (5, 10), (6, 8), (8, 6)];

/// Calls `visit` with observations of random rounds until it says that it has enough.
fn visit_positions(turn_up: bool, mut visit: impl FnMut(&Observation, &Features) -> bool) {
    for seed in 0..3_000 {
        let (players, cards) = SHAPES[seed as usize % SHAPES.len()];
        let cards = cards.min((PACK - usize::from(turn_up)) / players);
        let rules = RoundRules { turn_up, ..RoundRules::default() };
        let spec = RoundSpec { rules, ..RoundSpec::new(players, cards, None, Seat::FIRST) };
        let mut rng = stream(seed, Purpose::Test, &[9]);
        let mut round = Round::deal(&spec, &mut rng).expect("a legal spec");
        let mut before = *round.public();
        while let Some(action) = round.legal_actions().choose(&mut rng) {
            for seat in Seat::all(players) {
                let observation = round.observe(seat);
                if visit(&observation, &features(&observation, &before)) {
                    return;
                }
            }
            before = *round.public();
            round.play_unchecked(action);
        }
    }
    panic!("no position of the kind wanted");
}

/// Tests the first positions of the wanted kind that have few worlds.
fn assert_uniform_where(what: &str, turn_up: bool, wanted: impl Fn(&Features) -> bool) {
    let mut found = 0;
    visit_positions(turn_up, |observation, features| {
        if wanted(features) && (20..=2_600).contains(&WorldSampler::new(observation).number_of_worlds()) {
            assert_uniform(observation, what);
            found += 1;
        }
        found == 4
    });
}

#[test]
fn uniform_without_voids() {
    assert_uniform_where("no void", false, |f| f.hands >= 2 && f.void_sets.is_empty());
}

#[test]
fn uniform_with_one_void_set() {
    assert_uniform_where("one void set", false, |f| f.hands >= 3 && f.void_sets.len() == 1 && !f.shared);
    assert_uniform_where("one void set, no undealt card", false, |f| f.void_sets.len() == 1 && f.undealt == 0);
}

#[test]
fn uniform_with_several_void_sets() {
    assert_uniform_where("two void sets", false, |f| f.void_sets.len() == 2 && f.undealt > 0);
    assert_uniform_where("three void sets", false, |f| f.void_sets.len() == 3);
    assert_uniform_where("four void sets", false, |f| f.void_sets.len() == 4);
}

#[test]
fn uniform_with_shared_void_sets() {
    assert_uniform_where("all voids shared", false, |f| f.shared && f.void_sets.len() == 1);
    assert_uniform_where("shared beside others", false, |f| f.shared && f.void_sets.len() >= 2);
}

#[test]
fn uniform_where_the_running_trick_has_just_shown_a_void() {
    assert_uniform_where("void just shown", false, |f| f.just_shown && f.hands >= 2);
}

#[test]
fn uniform_with_and_without_undealt_cards() {
    assert_uniform_where("no undealt card", false, |f| f.undealt == 0);
    assert_uniform_where("undealt cards", false, |f| f.undealt > 3 && f.hands >= 2 && !f.void_sets.is_empty());
}

#[test]
fn uniform_with_a_card_turned_up() {
    assert_uniform_where("turned up", true, |f| f.turned_up && f.hands >= 2 && f.void_sets.is_empty());
    assert_uniform_where("turned up, with voids", true, |f| f.turned_up && f.hands >= 2 && !f.void_sets.is_empty());
}

#[test]
fn worlds_are_counted_as_enumeration_counts_them() {
    let mut checked = 0;
    visit_positions(false, |observation, _| {
        let worlds = WorldSampler::new(observation).number_of_worlds();
        if worlds <= 1_000 {
            assert_eq!(worlds, enumerate(observation).len() as u128, "{observation:?}");
            checked += 1;
        }
        checked == 3_000
    });
}

/// Draws many worlds of a big position and compares every card's place with its exact probability.
fn assert_marginals(observation: &Observation, rng: &mut Xoshiro) {
    let sampler = WorldSampler::new(observation);
    let (worlds, shares) = marginals(observation);
    assert_eq!(sampler.number_of_worlds(), worlds, "{observation:?}");
    let draws = 40_000;
    let mut counts = vec![vec![0u32; observation.public().players() - 1]; PACK];
    for _ in 0..draws {
        let hands = sampler.sample_hands(rng);
        for (k, seat) in observation.others().enumerate() {
            hands[seat].iter().for_each(|card| counts[usize::from(card.index())][k] += 1);
        }
    }
    for (card, (counts, shares)) in counts.iter().zip(&shares).enumerate() {
        for (k, (&count, &share)) in counts.iter().zip(shares).enumerate() {
            let mean = f64::from(draws) * share;
            // Six standard deviations, and a little for rounding where the share is 0 or 1.
            let bound = 6.0 * (mean * (1.0 - share).max(0.0)).sqrt() + 1e-6 * f64::from(draws);
            let off = (f64::from(count) - mean).abs();
            assert!(off <= bound, "card {card}, hidden hand {k}: {count} for {mean} in {observation:?}");
        }
    }
}

#[test]
fn marginals_are_exact_in_big_positions_with_many_voids() {
    let mut rng = stream(6, Purpose::Test, &[]);
    for (players, least_cards) in [(4, 5), (8, 2)] {
        let mut found = 0;
        visit_positions(false, |observation, features| {
            let public = observation.public();
            let big = public.players() == players && public.cards() - public.tricks_played() > least_cards;
            if big && features.void_sets.len() >= 3 && public.to_play() == Some(observation.seat()) {
                assert_marginals(observation, &mut rng);
                found += 1;
            }
            found == 3
        });
    }
}

/// The start of a round is worth a count of its own: no card played, nothing known but the own hand.
#[test]
fn a_fresh_deal_has_a_multinomial_number_of_worlds() {
    let round = Round::deal(&RoundSpec::new(4, 13, None, Seat::FIRST), &mut stream(1, Purpose::Test, &[]))
        .expect("a legal spec");
    let seat = round.to_play().expect("not done");
    // 39! / 13!^3
    assert_eq!(WorldSampler::new(&round.observe(seat)).number_of_worlds(), 84_478_098_072_866_400);
}

/// Chi-square at the 95 % point, from printed tables.
#[test]
fn the_critical_value_is_that_of_the_tables() {
    for (freedom, table) in [(10, 18.307), (30, 43.773), (100, 124.342)] {
        assert!((chi_square_critical(freedom, 1.6449) - table).abs() < 0.05);
    }
}
