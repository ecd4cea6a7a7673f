//! Dirichlet noise, the same bytes on every machine: logarithms come from `libm`, and no other library draws.

use blob_engine::rng::unit;
use rand::Rng;

/// A draw from the symmetric Dirichlet distribution with concentration `alpha` above 0 over `out.len()` outcomes.
///
/// Gamma variables divided by their sum have this distribution (Devroye 1986, "Non-uniform random variate generation",
/// chapter XI). They are drawn as logarithms, so that a small `alpha` does not underflow.
pub(crate) fn dirichlet(alpha: f32, out: &mut [f32], rng: &mut impl Rng) {
    let logs: Vec<f64> = out.iter().map(|_| log_gamma(alpha.into(), rng)).collect();
    let largest = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let weights = || logs.iter().map(|log| libm::exp(log - largest));
    let sum: f64 = weights().sum();
    out.iter_mut().zip(weights()).for_each(|(out, weight)| *out = (weight / sum) as f32);
}

/// The logarithm of a draw from the Gamma distribution with this shape and scale 1.
///
/// Marsaglia & Tsang 2000, "A simple method for generating gamma variables"; a shape below 1 takes a draw of shape + 1
/// times `U^(1 / shape)`.
fn log_gamma(shape: f64, rng: &mut impl Rng) -> f64 {
    if shape < 1.0 {
        return log_gamma(shape + 1.0, rng) + log_uniform(rng) / shape;
    }
    let d = shape - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    loop {
        let x = standard_normal(rng);
        let cube_root = 1.0 + c * x;
        if cube_root <= 0.0 {
            continue;
        }
        let (v, log_v) = (cube_root * cube_root * cube_root, 3.0 * libm::log(cube_root));
        if log_uniform(rng) < 0.5 * x * x + d * (1.0 - v + log_v) {
            return libm::log(d) + log_v;
        }
    }
}

/// The logarithm of a uniform number in (0, 1].
fn log_uniform(rng: &mut impl Rng) -> f64 {
    libm::log(1.0 - unit(rng))
}

/// A draw from the standard normal distribution (Marsaglia & Bray 1964, the polar method).
fn standard_normal(rng: &mut impl Rng) -> f64 {
    loop {
        let (x, y) = (2.0 * unit(rng) - 1.0, 2.0 * unit(rng) - 1.0);
        let square = x * x + y * y;
        if 0.0 < square && square < 1.0 {
            return x * (-2.0 * libm::log(square) / square).sqrt();
        }
    }
}

#[cfg(test)]
mod tests {
    use blob_engine::rng::{Purpose, stream};

    use super::*;

    #[test]
    fn noise_sums_to_one_and_has_the_variance_of_its_distribution() {
        const OUTCOMES: usize = 5;
        let mut rng = stream(3, Purpose::Test, &[]);
        for alpha in [0.03_f32, 0.3, 1.0, 2.5, 10.0] {
            let (mut draws, mut deviation) = (0.0, 0.0);
            for _ in 0..4_000 {
                let mut noise = [0.0; OUTCOMES];
                dirichlet(alpha, &mut noise, &mut rng);
                assert!((noise.iter().sum::<f32>() - 1.0).abs() < 1e-5, "{noise:?}");
                deviation += noise.iter().map(|share| (f64::from(*share) - 0.2).powi(2)).sum::<f64>();
                draws += OUTCOMES as f64;
            }
            // (1 / K) (1 - 1 / K) / (K alpha + 1)
            let variance = 0.2 * 0.8 / (OUTCOMES as f64 * f64::from(alpha) + 1.0);
            let ratio = deviation / draws / variance;
            assert!((ratio - 1.0).abs() < 0.06, "alpha {alpha}: {ratio} times the variance");
        }
    }

    #[test]
    fn extreme_concentrations_give_one_outcome_or_equal_shares() {
        let mut rng = stream(5, Purpose::Test, &[]);
        for _ in 0..100 {
            let (mut one, mut equal) = ([0.0; 3], [0.0; 3]);
            dirichlet(1e-30, &mut one, &mut rng);
            dirichlet(1e30, &mut equal, &mut rng);
            assert_eq!(one.iter().filter(|&&share| share == 1.0).count(), 1, "{one:?}");
            assert!(equal.iter().all(|share| (share - 1.0 / 3.0).abs() < 1e-6), "{equal:?}");
        }
    }

    #[test]
    fn the_noise_of_a_stream_never_changes() {
        let mut noise = [0.0; 4];
        dirichlet(0.3, &mut noise, &mut stream(7, Purpose::Test, &[]));
        assert_eq!(noise.map(f32::to_bits), GOLDEN);
    }
    const GOLDEN: [u32; 4] = [1_044_243_658, 1_051_641_107, 1_016_165_484, 1_055_469_889];
}
