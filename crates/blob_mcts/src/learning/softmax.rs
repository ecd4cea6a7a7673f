//! Distributions over a row of logits.

use blob_engine::ACTIONS;

/// A distribution over some of at most 52 numbers, by its logits.
pub(crate) struct Softmax {
    /// The numbers in question, ascending.
    numbers: [u8; ACTIONS],
    count: usize,
    logits: [f32; ACTIONS],
    logarithms: [f32; ACTIONS],
    chances: [f32; ACTIONS],
}

impl Softmax {
    /// Of the numbers that come with a logit, at most 52. A logit that is not a number makes all of it so.
    pub(crate) fn of(logits: impl Iterator<Item = (usize, f32)>) -> Self {
        let mut found = Self {
            numbers: [0; ACTIONS],
            count: 0,
            logits: [0.0; ACTIONS],
            logarithms: [0.0; ACTIONS],
            chances: [0.0; ACTIONS],
        };
        let mut most = f32::NEG_INFINITY;
        for (number, logit) in logits {
            (found.numbers[found.count], found.logits[found.count]) = (number as u8, logit);
            found.count += 1;
            most = most.max(logit);
        }
        let mut sum = 0.0;
        for k in 0..found.count {
            found.chances[k] = libm::expf(found.logits[k] - most);
            sum += found.chances[k];
        }
        let logarithm = libm::logf(sum);
        for k in 0..found.count {
            found.chances[k] /= sum;
            found.logarithms[k] = found.logits[k] - most - logarithm;
        }
        found
    }

    /// How many numbers are in question.
    pub(crate) const fn count(&self) -> usize {
        self.count
    }

    /// The numbers in question, ascending, each with its logit.
    pub(crate) fn logits(&self) -> impl Iterator<Item = (usize, f32)> {
        (0..self.count).map(|k| (usize::from(self.numbers[k]), self.logits[k]))
    }

    /// The numbers in question, ascending, each with its chance and the logarithm of it.
    pub(crate) fn chances(&self) -> impl Iterator<Item = (usize, f32, f32)> {
        (0..self.count).map(|k| (usize::from(self.numbers[k]), self.chances[k], self.logarithms[k]))
    }

    /// The logarithm of a number's chance; not a number where it is not in question.
    pub(crate) fn logarithm(&self, number: usize) -> f32 {
        let place = self.numbers[..self.count].iter().position(|&one| usize::from(one) == number);
        place.map_or(f32::NAN, |k| self.logarithms[k])
    }
}

/// The chance of a logit.
pub(crate) fn sigmoid(logit: f32) -> f32 {
    1.0 / (1.0 + libm::expf(-logit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chances_sum_to_one_and_go_by_their_logits() {
        let found = Softmax::of([(3, 1.0), (10, 3.0), (51, -200.0)].into_iter());
        let chances: Vec<_> = found.chances().map(|(number, chance, _)| (number, chance)).collect();
        let first = 1.0 / (1.0 + 2.0f32.exp());
        assert!((chances[0].1 - first).abs() < 1e-6 && (chances[1].1 - (1.0 - first)).abs() < 1e-6);
        assert_eq!((chances[2], found.count()), ((51, 0.0), 3));
        assert!((found.logarithm(51) + 203.126_93).abs() < 1e-3);
        assert!(found.logarithm(4).is_nan());
    }

    #[test]
    fn what_is_not_a_number_stays_so() {
        for logit in [f32::NAN, f32::INFINITY] {
            let found = Softmax::of([(0, 1.0), (1, logit)].into_iter());
            assert!(found.logarithm(0).is_nan() || logit.is_infinite());
            assert!(found.logarithm(1).is_nan());
            assert!(found.chances().any(|(_, chance, _)| chance.is_nan()));
        }
    }
}
