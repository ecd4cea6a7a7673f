//! Sampled worlds, weighted by the chance that the other seats would have done in them what they did so far: importance
//! sampling with the policy as the model of the others, then systematic resampling.

use blob_engine::{CardNames, EncodedAction, EncodedActionSet, Observation, Round, Seat};

use crate::error::EvaluationError;
use crate::search::evaluate::Evaluation;
use crate::search::past::Past;

/// Worlds drawn for each that is kept.
pub(super) const CANDIDATES: usize = 4;

/// Least chance that a policy is taken to give to an action, since others need not play by it.
const LEAST_CHANCE: f64 = 0.01;

/// An action that another seat took, in a world that may explain it.
#[derive(Clone, Copy, Debug)]
struct Seen {
    world: u32,
    /// The action, and those legal there, in the encoding's names.
    action: EncodedAction,
    legal: EncodedActionSet,
    /// Logarithm of its chance, once it is evaluated.
    log: f64,
}

/// Worlds that are weighted before some of them are kept.
#[derive(Debug)]
pub(super) struct Weighing {
    past: Past,
    observer: Seat,
    worlds: Vec<Round>,
    seen: Vec<Seen>,
    /// Actions seen that are not evaluated yet.
    left: usize,
}

impl Weighing {
    /// Of worlds that the observer cannot tell apart, in which the others may have had something to decide.
    pub fn new(past: Past, observer: Seat, worlds: Vec<Round>) -> Self {
        let mut left = 0;
        worlds.iter().for_each(|world| past.decisions_of_others(world, observer, |_, _| left += 1));
        Self { past, observer, worlds, seen: Vec::new(), left }
    }

    /// Whether evaluations are needed, or still come.
    pub const fn waits(&self) -> bool {
        self.left > 0
    }

    /// Hands out what the others decided from in each world, with its place, at the first call; returns how many.
    pub fn ask(&mut self, mut ask: impl FnMut(u32, CardNames, &Observation)) -> usize {
        if !self.seen.is_empty() {
            return 0;
        }
        let seen = &mut self.seen;
        for (world, round) in self.worlds.iter().enumerate() {
            self.past.decisions_of_others(round, self.observer, |observation, action| {
                let names = observation.card_names();
                ask(seen.len() as u32, names, observation);
                let legal = names.actions(observation.legal_actions());
                seen.push(Seen { world: world as u32, action: names.action(action), legal, log: 0.0 });
            });
        }
        seen.len()
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

    /// The worlds that explain all actions best, `count` of them, where one may be there several times; and the
    /// effective sample size of all.
    ///
    /// `belief` is the power of the chances, and `offset`, in [0, 1), the luck of the draw. Without any decision of the
    /// others these are the first worlds.
    pub fn keep(mut self, count: usize, belief: f64, offset: impl FnOnce() -> f64) -> (Vec<Round>, f64) {
        if self.seen.is_empty() {
            self.worlds.truncate(count);
            return (self.worlds, count as f64);
        }
        // In the order of the worlds, not of the evaluations, so that sums are the same bytes.
        let mut logs = vec![0.0; self.worlds.len()];
        self.seen.iter().for_each(|seen| logs[seen.world as usize] += seen.log);
        let most = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let weights: Vec<f64> = logs.iter().map(|log| libm::exp(belief * (log - most))).collect();
        let kept = systematic_sample(&weights, count, offset()).into_iter().map(|world| self.worlds[world]).collect();
        (kept, effective_size(&weights))
    }
}

/// How many worlds of equal weight would say as much (Kish 1965, "Survey Sampling"): from 1, where one has all the
/// weight, to the number of worlds.
fn effective_size(weights: &[f64]) -> f64 {
    let sum = weights.iter().sum::<f64>();
    sum * sum / weights.iter().map(|weight| weight * weight).sum::<f64>()
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
    use super::*;

    #[test]
    fn unequal_weights_count_less() {
        assert!((effective_size(&[0.25; 8]) - 8.0).abs() < 1e-12);
        assert!((effective_size(&[1.0, 0.0, 0.0]) - 1.0).abs() < 1e-12);
        assert!((effective_size(&[3.0, 1.0]) - 1.6).abs() < 1e-12);
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
