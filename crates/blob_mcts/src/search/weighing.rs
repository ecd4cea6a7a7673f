//! Worlds drawn by the chance that the other seats would have done in them what they did so far: importance sampling with
//! the policy as the model of the others, then Gibbs sampling over whole hands.
//!
//! What a seat did depends on its own hand alone, so the weight of a world is the product of the weights of its hands.
//! A hand is judged once however many of the sampled worlds, the candidates, hold it, and any judged hands that have no
//! card in common make a world whose weight is known. Candidates alone would leave two or three that count, since the
//! best product is far above the second. The more of the pack is dealt, the fewer hands fit each other: with 8 players
//! and 5 cards most worlds are still new, with 4 players and 10 cards few, and where all cards are dealt none.

use std::collections::HashMap;

use blob_engine::rng::{Xoshiro, unit};
use blob_engine::{BySeat, CardNames, CardSet, EncodedAction, EncodedActionSet, Observation, Round, Seat};

use crate::error::EvaluationError;
use crate::search::evaluate::Evaluation;
use crate::search::past::Past;

/// Most candidates for each world that is drawn.
const CANDIDATES: usize = 16;

/// Most candidates of a decision, so that the cost of more worlds is in proportion; 16 bits number a seat's hands.
const MOST_CANDIDATES: usize = 1 << 12;

/// Most actions seen that are evaluated for each world that is drawn.
pub(super) const WEIGHING_COST: usize = 40;

/// Least chance that a policy is taken to give to an action, since others need not play by it.
const LEAST_CHANCE: f64 = 0.01;

/// Times that each hand of a world is drawn anew.
const SWEEPS: usize = 3;

/// Times that a hand is drawn among all before those that fit are looked for.
const TRIES: usize = 4;

/// The weight, as an integer, of a seat's likeliest hand. Sums of integers are exact.
const FULL_WEIGHT: f64 = (1_u64 << 40) as f64;

/// Hands that one seat has in the candidates, each once.
#[derive(Debug, Default)]
struct PossibleHands {
    cards: Vec<CardSet>,
    /// Logarithm of the chance that the seat, holding the hand, would have done what it did.
    logs: Vec<f64>,
}

/// Weights of a seat's possible hands.
struct Weights {
    of_each: Vec<u64>,
    /// Sums of the weights of the hands up to each.
    sums: Vec<u64>,
}

impl PossibleHands {
    /// The likeliest hand has [`FULL_WEIGHT`].
    fn weights(&self, belief: f64) -> Weights {
        let most = self.logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let of_each: Vec<u64> =
            self.logs.iter().map(|log| (FULL_WEIGHT * libm::exp(belief * (log - most))) as u64).collect();
        let sums = of_each
            .iter()
            .scan(0, |sum, weight| {
                *sum += weight;
                Some(*sum)
            })
            .collect();
        Weights { of_each, sums }
    }

    /// Draws the place of a hand without any of these cards, by weight; `None` if all such hands have none.
    fn draw(&self, weights: &Weights, taken: CardSet, rng: &mut Xoshiro) -> Option<u16> {
        // Late in a round, or with few players, many hands fit, and one is found before all have been looked at. Either way
        // it is drawn by its weight.
        let all = *weights.sums.last()?;
        for _ in 0..TRIES {
            let wanted = (unit(rng) * all as f64) as u64;
            let place = weights.sums.partition_point(|&sum| sum <= wanted);
            if self.cards.get(place).is_some_and(|cards| cards.is_disjoint(taken)) {
                return Some(place as u16);
            }
        }
        let fitting = || {
            let pairs = self.cards.iter().zip(&weights.of_each);
            pairs.map(|(cards, weight)| weight * u64::from(cards.is_disjoint(taken)))
        };
        let mut wanted = (unit(rng) * fitting().sum::<u64>() as f64) as u64;
        let drawn = fitting().position(|weight| {
            let found = wanted < weight;
            wanted = wanted.saturating_sub(weight);
            found
        });
        drawn.map(|place| place as u16)
    }
}

/// An action that another seat took, and what it was decided from if the seat has one of its possible hands.
#[derive(Clone, Copy, Debug)]
struct Seen {
    observation: Observation,
    /// The hand's place among the seat's.
    hand: u16,
    /// The action, and those legal there, in the encoding's names.
    action: EncodedAction,
    legal: EncodedActionSet,
    names: CardNames,
    /// Logarithm of its chance, once it is evaluated.
    log: f64,
}

/// Hands of the other seats that are judged before worlds are drawn from them.
#[derive(Debug)]
pub(super) struct Weighing {
    root: Observation,
    hands: BySeat<PossibleHands>,
    /// For each candidate the place of each seat's hand among these.
    candidates: Vec<BySeat<u16>>,
    seen: Vec<Seen>,
    asked: bool,
    /// Actions seen that are not evaluated yet.
    left: usize,
}

impl Weighing {
    /// How many candidates are worth their evaluations for `worlds` worlds.
    pub fn candidates(past: &Past, observer: Seat, worlds: usize) -> usize {
        let turns = past.turns_of_others(observer);
        (worlds * WEIGHING_COST / turns).clamp(1, CANDIDATES * worlds).min(MOST_CANDIDATES)
    }

    /// Of candidates, at most [`MOST_CANDIDATES`], that the observer cannot tell apart.
    pub fn new(root: &Observation, past: &Past, candidates: impl Iterator<Item = BySeat<CardSet>>) -> Self {
        let mut hands: BySeat<PossibleHands> = BySeat::default();
        let mut places: BySeat<HashMap<CardSet, u16>> = BySeat::default();
        let mut seen = Vec::new();
        let candidates = candidates.map(|world| {
            let mut candidate = BySeat::default();
            for seat in root.others() {
                let cards = world[seat];
                candidate[seat] = *places[seat].entry(cards).or_insert_with(|| {
                    let hand = hands[seat].cards.len() as u16;
                    hands[seat].cards.push(cards);
                    seen.extend(past.decisions_of(seat, cards).map(|(observation, action)| {
                        let names = observation.card_names();
                        let legal = names.actions(observation.legal_actions());
                        Seen { observation, hand, action: names.action(action), legal, names, log: 0.0 }
                    }));
                    hand
                });
            }
            candidate
        });
        let candidates = candidates.collect();
        Self { root: *root, hands, candidates, left: seen.len(), seen, asked: false }
    }

    /// Whether evaluations are needed, or still come.
    pub const fn waits(&self) -> bool {
        self.left > 0
    }

    /// Hands out what the others decided from, with its place, at the first call; returns how many.
    pub fn ask(&mut self, mut ask: impl FnMut(u32, CardNames, &Observation)) -> usize {
        if std::mem::replace(&mut self.asked, true) {
            return 0;
        }
        for (place, seen) in self.seen.iter().enumerate() {
            ask(place as u32, seen.names, &seen.observation);
        }
        self.seen.len()
    }

    /// Takes the evaluation of the action seen at a place.
    ///
    /// # Errors
    /// If the evaluation breaks the contract.
    pub fn receive(&mut self, place: u32, evaluation: &Evaluation<'_>) -> Result<(), EvaluationError> {
        let seen = &mut self.seen[place as usize];
        let mass = f64::from(evaluation.legal_mass(seen.legal)?);
        let chance = f64::from(evaluation.policy[seen.action.index()]) / mass;
        seen.log = libm::log(chance.max(LEAST_CHANCE));
        self.left -= 1;
        Ok(())
    }

    /// Adds up what was evaluated, in the order in which it was asked for, not of the answers, so that sums are the same
    /// bytes.
    fn add_up(&mut self) {
        for hands in &mut self.hands.0 {
            hands.logs = vec![0.0; hands.cards.len()];
        }
        for seen in &self.seen {
            self.hands[seen.observation.seat()].logs[usize::from(seen.hand)] += seen.log;
        }
    }

    /// Draws worlds, of which some may be the same, by how well they explain all that was seen; and the effective number
    /// of different ones.
    ///
    /// `belief` is the power of the chances. First candidates by their weight (systematic resampling), then each hand of
    /// each world anew among the possible ones that the other hands leave (Geman and Geman 1984, "Stochastic relaxation,
    /// Gibbs distributions, and the Bayesian restoration of images").
    ///
    /// A hand that more worlds hold is more likely to be among the candidates, and is taken for no less likely on that
    /// account: after voids, while candidates are few, such hands are drawn a little too often.
    pub fn draw(mut self, count: usize, belief: f64, rng: &mut Xoshiro) -> (Vec<Round>, f64) {
        self.add_up();
        let weights = BySeat(std::array::from_fn(|seat| self.hands.0[seat].weights(belief)));
        let seats: Vec<Seat> = self.root.others().collect();
        let log_of = |world: &BySeat<u16>| -> f64 {
            seats.iter().map(|&seat| self.hands[seat].logs[usize::from(world[seat])]).sum()
        };
        let logs: Vec<f64> = self.candidates.iter().map(log_of).collect();
        let most = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let joint: Vec<f64> = logs.iter().map(|log| libm::exp(belief * (log - most))).collect();
        let mut times = HashMap::new();
        let mut worlds = Vec::with_capacity(count);
        for place in systematic_sample(&joint, count, unit(rng)) {
            let mut hands = BySeat::default();
            hands[self.root.seat()] = self.root.hand();
            for &seat in &seats {
                hands[seat] = self.hands[seat].cards[usize::from(self.candidates[place][seat])];
            }
            let mut taken = seats.iter().fold(CardSet::EMPTY, |set, &seat| set | hands[seat]);
            for &seat in seats.iter().cycle().take(SWEEPS * seats.len()) {
                taken = taken - hands[seat];
                if let Some(hand) = self.hands[seat].draw(&weights[seat], taken, rng) {
                    hands[seat] = self.hands[seat].cards[usize::from(hand)];
                }
                taken = taken | hands[seat];
            }
            *times.entry(hands).or_insert(0_usize) += 1;
            worlds.push(self.root.world(&hands).expect("hands of candidates, disjoint"));
        }
        (worlds, effective_size(times.into_values(), count))
    }
}

/// How many different worlds of equal number would say as much as `count` of which some are the same (Kish 1965, "Survey
/// Sampling"): from 1, where all are the same, to `count`.
fn effective_size(times: impl Iterator<Item = usize>, count: usize) -> f64 {
    (count * count) as f64 / times.map(|times| times * times).sum::<usize>() as f64
}

/// Places of `count` draws in proportion to the weights, each as often as expected up to one (systematic resampling;
/// Douc, Cappé and Moulines 2005, "Comparison of resampling schemes for particle filtering").
fn systematic_sample(weights: &[f64], count: usize, offset: f64) -> Vec<usize> {
    let step = weights.iter().sum::<f64>() / count as f64;
    let mut drawn = Vec::with_capacity(count);
    let (mut place, mut reached) = (0, weights[0]);
    for k in 0..count {
        let wanted = (k as f64 + offset) * step;
        while reached <= wanted && place + 1 < weights.len() {
            place += 1;
            reached += weights[place];
        }
        drawn.push(place);
    }
    drawn
}

#[cfg(test)]
mod tests {
    use blob_engine::rng::{Purpose, stream};
    use blob_engine::{ACTIONS, Action, MAX_PLAYERS, Phase, RoundSpec, Suit, WorldSampler};

    use super::*;

    /// A policy that bids and plays high with a strong hand, and low with a weak one: weights by action, in the encoding's
    /// names.
    fn policy(observation: &Observation) -> [f32; ACTIONS] {
        let (names, hand) = (observation.card_names(), observation.hand());
        let strength = hand.into_iter().map(|card| f32::from(card.rank()) / 12.0).sum::<f32>() / hand.len() as f32;
        let mut weights = [0.0; ACTIONS];
        for action in observation.legal_actions().iter() {
            let height = match observation.public().phase() {
                Phase::Bidding => f32::from(action.as_bid()) / 2.0,
                _ => f32::from(action.as_card().rank()) / 12.0,
            };
            weights[names.action(action).index()] = (6.0 * (strength - 0.5) * height).exp();
        }
        weights
    }

    fn judge(weighing: &mut Weighing, reversed: bool) {
        let mut asked = Vec::new();
        weighing.ask(|place, _, observation| asked.push((place, *observation)));
        if reversed {
            asked.reverse();
        }
        for (place, observation) in asked {
            let policy = policy(&observation);
            let evaluation = Evaluation { policy: &policy, values: &[0.0; MAX_PLAYERS] };
            weighing.receive(place, &evaluation).expect("a sound evaluation");
        }
        assert!(!weighing.waits());
    }

    /// A round of three in which a card was led when each had two; in every other one after a trick of three cards, which
    /// may have shown voids.
    fn position(number: u64) -> (Observation, Past) {
        let mut rng = stream(number, Purpose::Test, &[]);
        let before = number as usize % 2;
        let mut round =
            Round::deal(&RoundSpec::new(3, 2 + before, Some(Suit::ALL[0]), Seat::FIRST), &mut rng).expect("a deal");
        let mut past = Past::default();
        for _ in 0..4 + 3 * before {
            let action = round.legal_actions().choose(&mut rng).expect("a decision");
            past.turn(&round, action);
            round.play_unchecked(action);
        }
        (round.observe(round.to_play().expect("not done")), past)
    }

    /// Every world's hands, with the chance that the others would have done what they did.
    fn all_worlds(root: &Observation, past: &Past) -> Vec<(BySeat<CardSet>, f64)> {
        let unseen: Vec<CardSet> = root.unseen().into_iter().map(|card| CardSet::from_iter([card])).collect();
        let hands = |size: usize| -> Vec<CardSet> {
            let one = unseen.iter().copied();
            if size == 1 {
                return one.collect();
            }
            one.clone().flat_map(|a| one.clone().filter(move |b| b.bits() > a.bits()).map(move |b| a | b)).collect()
        };
        let chance = |seat, hand| -> f64 {
            let seen = past.decisions_of(seat, hand).map(|(observation, action)| {
                let (names, weights) = (observation.card_names(), policy(&observation));
                let of = |action: Action| f64::from(weights[names.action(action).index()]);
                of(action) / observation.legal_actions().iter().map(of).sum::<f64>()
            });
            seen.map(|chance| chance.max(LEAST_CHANCE)).product()
        };
        let [a, b] = root.others().collect::<Vec<_>>()[..] else { unreachable!("three players") };
        let of = |seat| -> Vec<(CardSet, f64)> {
            hands(root.public().hand_size(seat)).into_iter().map(|hand| (hand, chance(seat, hand))).collect()
        };
        let (of_a, of_b) = (of(a), of(b));
        let mut worlds = Vec::new();
        for &(hand_a, chance_a) in &of_a {
            for &(hand_b, chance_b) in &of_b {
                let mut hands = BySeat::default();
                (hands[root.seat()], hands[a], hands[b]) = (root.hand(), hand_a, hand_b);
                if root.world(&hands).is_ok() {
                    worlds.push((hands, chance_a * chance_b));
                }
            }
        }
        worlds
    }

    /// Mean over worlds of the ranks that a seat holds.
    fn mean_rank(worlds: &[(BySeat<CardSet>, f64)], seat: Seat) -> f64 {
        let rank = |hand: CardSet| hand.into_iter().map(|card| f64::from(card.rank())).sum::<f64>() / hand.len() as f64;
        let sum: f64 = worlds.iter().map(|(hands, weight)| weight * rank(hands[seat])).sum();
        sum / worlds.iter().map(|(_, weight)| weight).sum::<f64>()
    }

    #[test]
    fn worlds_are_drawn_by_how_well_they_explain_what_was_seen() {
        let mut most_shift = 0.0_f64;
        for number in 0..16 {
            let (root, past) = position(number);
            let sampler = WorldSampler::new(&root);
            let worlds = all_worlds(&root, &past);
            assert_eq!(worlds.len() as u128, sampler.number_of_worlds());
            let mut rng = stream(number, Purpose::Search, &[]);
            let (mut drawn, mut effective) = (Vec::new(), 0.0);
            for _ in 0..150 {
                let hands = (0..256).map(|_| sampler.sample_hands(&mut rng));
                let mut weighing = Weighing::new(&root, &past, hands);
                judge(&mut weighing, false);
                let (some, size) = weighing.draw(64, 1.0, &mut rng);
                drawn.extend(some.iter().map(|world| (*world.hands(), 1.0)));
                effective += size / 150.0;
            }
            assert!((45.0..=64.0).contains(&effective), "{effective} different worlds of 64");
            for seat in root.others() {
                let flat: Vec<_> = worlds.iter().map(|&(hands, _)| (hands, 1.0)).collect();
                let [exact, found, before] = [&worlds, &drawn, &flat].map(|worlds| mean_rank(worlds, seat));
                assert!((found - exact).abs() < 0.1, "{found} by draws, {exact} by all worlds, {before} by no weights");
                most_shift = most_shift.max((exact - before).abs());
            }
        }
        assert!(most_shift > 1.5, "what was seen says much in some of these positions: {most_shift}");
    }

    #[test]
    fn a_belief_of_zero_takes_all_worlds_as_equally_likely() {
        let (root, past) = position(1);
        let sampler = WorldSampler::new(&root);
        let mut rng = stream(2, Purpose::Search, &[]);
        let mut weighing = Weighing::new(&root, &past, (0..4096).map(|_| sampler.sample_hands(&mut rng)));
        judge(&mut weighing, false);
        let (worlds, _) = weighing.draw(4096, 0.0, &mut rng);
        let drawn: Vec<_> = worlds.iter().map(|world| (*world.hands(), 1.0)).collect();
        let all = all_worlds(&root, &past);
        let flat: Vec<_> = all.iter().map(|&(hands, _)| (hands, 1.0)).collect();
        let far = root.others().filter(|&seat| (mean_rank(&all, seat) - mean_rank(&flat, seat)).abs() > 0.6).count();
        assert!(far > 0, "what was seen says something here");
        for seat in root.others() {
            assert!((mean_rank(&drawn, seat) - mean_rank(&flat, seat)).abs() < 0.3);
        }
    }

    /// A round of which this many turns are played at random.
    fn played(players: usize, cards: usize, turns: usize, number: u64) -> (Observation, Past) {
        let mut rng = stream(number, Purpose::Test, &[]);
        let mut round = Round::deal(&RoundSpec::new(players, cards, None, Seat::FIRST), &mut rng).expect("a deal");
        let mut past = Past::default();
        for _ in 0..turns {
            let action = round.legal_actions().choose(&mut rng).expect("a decision");
            past.turn(&round, action);
            round.play_unchecked(action);
        }
        (round.observe(round.to_play().expect("not done")), past)
    }

    #[test]
    fn the_order_of_the_answers_does_not_matter() {
        for number in 0..5 {
            let (root, past) = played(3, 10, 25, number);
            let [there, back] = [false, true].map(|reversed| {
                let mut rng = stream(number, Purpose::Search, &[]);
                let sampler = WorldSampler::new(&root);
                let mut weighing = Weighing::new(&root, &past, (0..64).map(|_| sampler.sample_hands(&mut rng)));
                judge(&mut weighing, reversed);
                weighing.add_up();
                weighing.hands.0.map(|hands| hands.logs.into_iter().map(f64::to_bits).collect::<Vec<_>>())
            });
            assert_eq!(there, back);
        }
    }

    #[test]
    fn worlds_fit_where_most_of_the_pack_is_dealt() {
        for (players, cards, turns) in [(4, 13, 4), (4, 13, 30), (8, 6, 9), (8, 6, 50), (3, 1, 4), (8, 1, 8)] {
            let (root, past) = played(players, cards, turns, 5);
            let sampler = WorldSampler::new(&root);
            let mut rng = stream(3, Purpose::Search, &[]);
            let mut weighing = Weighing::new(&root, &past, (0..40).map(|_| sampler.sample_hands(&mut rng)));
            judge(&mut weighing, false);
            let (worlds, effective) = weighing.draw(20, 1.0, &mut rng);
            assert_eq!(worlds.len(), 20);
            assert!((1.0..=20.0).contains(&effective), "{players} x {cards} after {turns}: {effective}");
            assert!(worlds.iter().all(|world| root.world(world.hands()).is_ok()));
        }
    }

    #[test]
    fn a_hand_is_judged_once_however_many_worlds_hold_it() {
        let (root, past) = position(3);
        let sampler = WorldSampler::new(&root);
        let mut rng = stream(3, Purpose::Search, &[]);
        let [first, mut second] = [(); 2].map(|()| sampler.sample_hands(&mut rng));
        let [same, other] = root.others().collect::<Vec<_>>()[..] else { unreachable!("three players") };
        second[same] = first[same];
        let count = |seat, hand| past.decisions_of(seat, hand).count();
        let decisions = count(same, first[same]) + count(other, first[other]) + count(other, second[other]);
        assert!(first[other] != second[other] && decisions >= 3);
        let mut weighing = Weighing::new(&root, &past, [first, second].into_iter().cycle().take(50));
        assert_eq!(weighing.ask(|_, _, _| ()), decisions);
    }

    #[test]
    fn same_worlds_count_once() {
        assert!((effective_size([1; 8].into_iter(), 8) - 8.0).abs() < 1e-12);
        assert!((effective_size([8].into_iter(), 8) - 1.0).abs() < 1e-12);
        assert!((effective_size([3, 1].into_iter(), 4) - 1.6).abs() < 1e-12);
    }

    #[test]
    fn places_are_drawn_as_often_as_their_weight_says() {
        assert_eq!(systematic_sample(&[1.0, 0.0, 2.0, 1.0], 4, 0.5), [0, 2, 2, 3]);
        assert_eq!(systematic_sample(&[0.0, 3.0], 2, 0.0), [1, 1]);
        for step in 0..20 {
            let offset = f64::from(step) / 20.0;
            let drawn = systematic_sample(&[0.3, 1.7, 1.0, 0.0], 30, offset);
            let count = |place| drawn.iter().filter(|&&found| found == place).count();
            assert_eq!((count(1), count(2), count(3)), (17, 10, 0), "at {offset}");
        }
    }
}
