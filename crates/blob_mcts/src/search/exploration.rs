//! Randomness of self-play: noise at the root, and the choice of an action from its visits.

use blob_engine::rng::{below, unit};
use blob_engine::{ACTIONS, Action, ActionSet};
use rand::Rng;
use rand_distr::{Distribution, Gamma};

/// A draw from the symmetric Dirichlet distribution over `out.len()` outcomes.
///
/// Built without the standard library's floating-point functions, so that it is the same on every machine.
pub fn dirichlet(alpha: f32, out: &mut [f32], rng: &mut impl Rng) {
    let gamma = Gamma::new(f64::from(alpha), 1.0).expect("alpha is checked to be above 0");
    let mut sum = 0.0;
    let draws: Vec<f64> = out.iter().map(|_| gamma.sample(rng)).inspect(|draw| sum += draw).collect();
    if sum > 0.0 {
        out.iter_mut().zip(draws).for_each(|(out, draw)| *out = (draw / sum) as f32);
    } else {
        // With a tiny alpha every draw can underflow; the distribution then has all its mass on single outcomes.
        out.fill(0.0);
        out[below(rng, out.len() as u32) as usize] = 1.0;
    }
}

/// Chooses in proportion to `visits^(1/temperature)`; at temperature 0 the most visited action, the lowest of several.
///
/// # Panics
/// If no action is legal.
pub fn choose(visits: &[u32; ACTIONS], legal: ActionSet, temperature: f32, rng: &mut impl Rng) -> Action {
    let mut best = legal.first().expect("a legal action to choose");
    for action in legal.iter() {
        if visits[action.index()] > visits[best.index()] {
            best = action;
        }
    }
    let most = f64::from(visits[best.index()]);
    if temperature == 0.0 || most == 0.0 {
        return best;
    }
    // Relative to the most visited, so that a small temperature does not overflow.
    let weight = |action: Action| libm::pow(f64::from(visits[action.index()]) / most, 1.0 / f64::from(temperature));
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
    use blob_engine::rng::stream;

    use super::*;

    #[test]
    fn noise_sums_to_one_and_spreads_with_alpha() {
        let mut rng = stream(3, &[]);
        for alpha in [1e-4, 0.03, 0.3, 1.0, 10.0] {
            let mut largest = 0.0;
            for _ in 0..200 {
                let mut noise = [0.0; 5];
                dirichlet(alpha, &mut noise, &mut rng);
                assert!((noise.iter().sum::<f32>() - 1.0).abs() < 1e-5, "{noise:?}");
                largest += noise.iter().copied().fold(0.0, f32::max) / 200.0;
            }
            assert!(if alpha < 0.1 { largest > 0.9 } else { largest < 0.85 }, "{alpha}: {largest}");
        }
    }

    #[test]
    fn choices_follow_the_temperature() {
        let legal = ActionSet::bids(3);
        let mut visits = [0; ACTIONS];
        visits[..4].copy_from_slice(&[10, 30, 0, 60]);
        let mut rng = stream(4, &[]);
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
