//! The choice of an action: by the visits of a search, or by a policy.

use blob_engine::rng::unit;
use blob_engine::{ACTIONS, Action, ActionSet};
use rand::Rng;

/// Chooses in proportion to `visits^(1/temperature)`; at temperature 0 the most visited action, the lowest of several.
///
/// # Panics
/// If no action is legal.
pub fn choose(visits: &[u32; ACTIONS], legal: ActionSet, temperature: f32, rng: &mut impl Rng) -> Action {
    choose_by(|action| f64::from(visits[action.index()]), legal, temperature, rng)
}

/// Chooses in proportion to `weight(action)^(1/temperature)`; at temperature 0 the action of the largest weight, the
/// lowest of several. Weights are finite and at least 0.
///
/// # Panics
/// If no action is legal.
pub(crate) fn choose_by(
    weight: impl Fn(Action) -> f64,
    legal: ActionSet,
    temperature: f32,
    rng: &mut impl Rng,
) -> Action {
    let mut best = legal.first().expect("a legal action to choose");
    let mut most = weight(best);
    for action in legal.iter() {
        if weight(action) > most {
            (best, most) = (action, weight(action));
        }
    }
    if temperature == 0.0 || most == 0.0 {
        return best;
    }
    // Relative to the largest, so that a small temperature does not overflow.
    let weight = |action: Action| libm::pow(weight(action) / most, 1.0 / f64::from(temperature));
    let total: f64 = legal.iter().map(weight).sum();
    let mut draw = unit(rng) * total;
    for action in legal.iter() {
        draw -= weight(action);
        if draw < 0.0 {
            return action;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use blob_engine::rng::{Purpose, stream};

    use super::*;

    #[test]
    fn choices_follow_the_temperature() {
        let legal = ActionSet::bids(3);
        let mut visits = [0; ACTIONS];
        visits[..4].copy_from_slice(&[10, 30, 0, 60]);
        let mut rng = stream(4, Purpose::Test, &[]);
        let mut shares = |temperature| {
            let mut counts = [0.0; 4];
            for _ in 0..10_000 {
                counts[choose(&visits, legal, temperature, &mut rng).index()] += 1e-4;
            }
            counts
        };
        let near = |a: [f64; 4], b: [f64; 4]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 0.02);
        assert!(near(shares(1.0), [0.1, 0.3, 0.0, 0.6]));
        assert!(near(shares(0.5), [1.0 / 46.0, 9.0 / 46.0, 0.0, 36.0 / 46.0]));
        assert!(near(shares(0.0), [0.0, 0.0, 0.0, 1.0]));
        assert!(near(shares(1e-3), [0.0, 0.0, 0.0, 1.0]));
        assert!(near(shares(1e3), [1.0 / 3.0, 1.0 / 3.0, 0.0, 1.0 / 3.0]));
        assert_eq!(choose(&[0; ACTIONS], legal, 1.0, &mut rng).index(), 0);
    }
}
