//! A naive recursive search: the oracle of the real one.

use blob_engine::rng::{Purpose, stream};
use blob_engine::*;
use blob_mcts::{Evaluate, SearchConfig};

use crate::hash_evaluator::{Policy, Values, hash_evaluation};

/// [`hash_evaluation`] of the seat to move.
pub struct HashEvaluator;

impl Evaluate for HashEvaluator {
    fn evaluate(&mut self, world: &Round, _: usize, policy: &mut Policy, values: &mut Values) {
        let mut features = [0; FEATURES];
        encode(&world.observe(world.to_play().expect("a leaf has a seat to move")), &mut features);
        (*policy, *values) = hash_evaluation(&features);
    }
}

/// How a result is credited to the seats on its path.
#[derive(Clone, Copy, PartialEq)]
pub enum Credit {
    /// To each seat its own value.
    OwnValue,
    /// To all seats the value of the seat at the root: a well-known mistake.
    RootValue,
}

/// A node of the naive search: no bit boards, no arena, no parent pointers; the round is replayed at each step.
struct Naive {
    mover: Seat,
    legal: Vec<Action>,
    priors: Vec<f32>,
    visits: Vec<u32>,
    sums: Vec<f32>,
    children: Vec<Option<Naive>>,
    total_visits: u32,
    total_sum: f32,
}

impl Naive {
    fn expand(world: &Round, evaluator: &mut impl Evaluate) -> (Self, BySeat<f32>) {
        let (mut policy, mut relative): (Policy, Values) = ([0.0; 52], [0.0; 8]);
        evaluator.evaluate(world, 0, &mut policy, &mut relative);
        let mover = world.to_play().expect("a decision");
        let players = world.public().players();
        let mut values = BySeat::default();
        for k in 0..players {
            values[mover.after(k, players)] = relative[k];
        }
        let names = world.observe(mover).card_names();
        // Equal scores are decided by the order of the encoding's names, as in the search.
        let legal: Vec<Action> = names.in_order(world.legal_actions()).collect();
        let named = |action: &Action| policy[names.action(*action).index()];
        let mass: f32 = legal.iter().map(named).sum();
        let node = Self {
            mover,
            priors: legal.iter().map(|action| named(action) / mass).collect(),
            visits: vec![0; legal.len()],
            sums: vec![0.0; legal.len()],
            children: legal.iter().map(|_| None).collect(),
            legal,
            total_visits: 1,
            total_sum: values[mover],
        };
        (node, values)
    }

    fn simulate(
        &mut self,
        world: &Round,
        config: &SearchConfig,
        credit: (Credit, Seat),
        evaluator: &mut impl Evaluate,
    ) -> BySeat<f32> {
        let tried: f32 = (0..self.legal.len()).filter(|&k| self.visits[k] > 0).map(|k| self.priors[k]).sum();
        let unvisited = self.total_sum / self.total_visits as f32 - config.fpu_reduction * tried.sqrt();
        let root = ((self.total_visits - 1).max(1) as f32).sqrt();
        let score = |k: usize| {
            let n = self.visits[k] as f32;
            let value = if n > 0.0 { self.sums[k] / n } else { unvisited };
            value + config.c_puct * root * self.priors[k] / (1.0 + n)
        };
        let mut best = 0;
        for k in 1..self.legal.len() {
            if score(k) > score(best) {
                best = k;
            }
        }
        let mut next = *world;
        next.play(self.legal[best]).expect("legal");
        while next.legal_actions().len() == 1 {
            next.play(next.legal_actions().first().expect("one")).expect("legal");
        }
        let values = match (&mut self.children[best], next.public().values()) {
            (_, Some(values)) => values,
            (Some(child), None) => child.simulate(&next, config, credit, evaluator),
            (slot, None) => {
                let (child, values) = Self::expand(&next, evaluator);
                *slot = Some(child);
                values
            }
        };
        let own = values[if credit.0 == Credit::OwnValue { self.mover } else { credit.1 }];
        self.visits[best] += 1;
        self.sums[best] += own;
        self.total_visits += 1;
        self.total_sum += own;
        values
    }
}

/// Root visits of the naive search, in the same worlds as [`Search`] draws.
pub fn naive_visits(observation: &Observation, config: &SearchConfig, seed: u64, credit: Credit) -> [u32; ACTIONS] {
    let mut rng = stream(seed, Purpose::Test, &[]);
    let sampler = WorldSampler::new(observation);
    let worlds: Vec<Round> = (0..config.worlds).map(|_| sampler.sample(&mut rng)).collect();
    let mut visits = [0; ACTIONS];
    for world in worlds {
        let (mut root, _) = Naive::expand(&world, &mut HashEvaluator);
        for _ in 0..config.simulations {
            root.simulate(&world, config, (credit, observation.seat()), &mut HashEvaluator);
        }
        for (action, count) in root.legal.iter().zip(root.visits) {
            visits[action.index()] += count;
        }
    }
    visits
}
