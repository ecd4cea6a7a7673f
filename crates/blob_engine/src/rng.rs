//! Randomness: independent streams of one named generator.
//!
//! Results are the same bytes on every machine and with every version of a library. So the generator is named
//! (xoshiro256++, <https://prng.di.unimi.it>), and the few draws that the engine needs are written out here.

use rand::{Rng, SeedableRng};
pub use rand_xoshiro::Xoshiro256PlusPlus as Xoshiro;

use crate::card::Card;

/// What a stream of randomness is for. The numbers are part of what a seed means and never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Purpose {
    /// The deal of a single round: no number.
    Round = 0x726f_756e,
    /// The deals of a game: number of the round in the game.
    Game = 0x6761_6d65,
    /// Worlds drawn from an observation on request: no number.
    Worlds = 0x776f_726c,
    /// Players and cards of a round of self-play: round.
    Shape = 0x7368_6170,
    /// The deal of a round of self-play, or the seed of a game: deal.
    Deal = 0x6465_616c,
    /// A search, its worlds and its noise: no number for a single search; round and decision in self-play.
    Search = 0x7365_6172,
    /// The playouts of a search: numbers as for [`Self::Search`], then the world.
    Playout = 0x726f_6c6c,
    /// The choice of an action, from a search's visits or at random: round and decision.
    Choice = 0x6368_6f69,
    /// The worlds and choices of `ismcts:N`: round and decision.
    Ismcts = 0x6973_6d63,
    /// The worlds of `flat:W`: round and decision.
    Flat = 0x666c_6174,
    /// Tests and benchmarks: any numbers.
    Test = 0x7465_7374,
}

/// The generator of one stream of randomness: of a seed, a purpose, and the numbers that the purpose names.
///
/// Streams that differ in any of the three are independent.
pub fn stream(seed: u64, purpose: Purpose, numbers: &[u64]) -> Xoshiro {
    generator(seed, std::iter::once(purpose as u64).chain(numbers.iter().copied()))
}

fn generator(seed: u64, words: impl IntoIterator<Item = u64>) -> Xoshiro {
    // SplitMix64's finalizer is a bijection, so no two words lead from one state to the same next one.
    let step = |state, word: u64| mix(state ^ mix(word.wrapping_add(GOLDEN_GAMMA)));
    Xoshiro::seed_from_u64(words.into_iter().fold(mix(seed), step))
}

/// The increment of SplitMix64: 2^64 over the golden ratio, made odd.
const GOLDEN_GAMMA: u64 = 0x9E37_79B9_7F4A_7C15;

/// The finalizer of SplitMix64 (Steele, Lea & Flood 2014).
const fn mix(mut z: u64) -> u64 {
    z = z.wrapping_add(GOLDEN_GAMMA);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// An unbiased number below `bound` (Lemire 2019, "Fast random integer generation in an interval").
///
/// # Panics
/// If `bound` is 0.
#[inline]
pub fn below(rng: &mut impl Rng, bound: u32) -> u32 {
    assert!(bound > 0, "no number is below 0");
    let mut product = u64::from(rng.next_u32()) * u64::from(bound);
    if (product as u32) < bound {
        let threshold = bound.wrapping_neg() % bound;
        while (product as u32) < threshold {
            product = u64::from(rng.next_u32()) * u64::from(bound);
        }
    }
    (product >> 32) as u32
}

/// An unbiased number below `bound`, for bounds past 64 bits: draws of as many bits as the bound has, until one is
/// below it.
///
/// # Panics
/// If `bound` is 0.
pub fn below_u128(rng: &mut impl Rng, bound: u128) -> u128 {
    assert!(bound > 0, "no number is below 0");
    let mask = u128::MAX.checked_shr((bound - 1).leading_zeros()).unwrap_or(0);
    loop {
        let mut draw = u128::from(rng.next_u64());
        if mask > u128::from(u64::MAX) {
            draw |= u128::from(rng.next_u64()) << 64;
        }
        draw &= mask;
        if draw < bound {
            return draw;
        }
    }
}

/// A number in [0, 1) with 53 random bits.
#[inline]
pub fn unit(rng: &mut impl Rng) -> f64 {
    (rng.next_u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
}

/// Moves a uniformly random choice of `count` cards, in random order, to the front (Durstenfeld 1964, "Algorithm 235:
/// Random permutation").
#[inline]
pub fn shuffle_front(rng: &mut impl Rng, cards: &mut [Card], count: usize) {
    for k in 0..count.min(cards.len().saturating_sub(1)) {
        let other = k + below(rng, (cards.len() - k) as u32) as usize;
        cards.swap(k, other);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_never_changes() {
        // These words are part of the format: a seed must mean the same round for ever.
        let mut rng = generator(7, [1, 2]);
        assert_eq!([rng.next_u64(), rng.next_u64()], GOLDEN);
        assert_ne!(generator(7, [2, 1]).next_u64(), GOLDEN[0]);
        assert_ne!(generator(8, [1, 2]).next_u64(), GOLDEN[0]);
    }
    const GOLDEN: [u64; 2] = [11_814_120_985_810_565_584, 10_820_088_135_770_513_535];

    #[test]
    fn draws_below_a_bound_are_uniform() {
        let mut rng = stream(1, Purpose::Test, &[]);
        for bound in [1u32, 2, 3, 7, 52] {
            let mut counts = vec![0u32; bound as usize];
            let draws = 20_000 * bound;
            for k in 0..draws {
                let draw = if k % 2 == 0 { below(&mut rng, bound) } else { below_u128(&mut rng, bound.into()) as u32 };
                counts[draw as usize] += 1;
            }
            // Six standard deviations of a count with mean 20,000.
            assert!(counts.iter().all(|&c| (f64::from(c) - 20_000.0).abs() < 850.0), "{counts:?}");
        }
        assert!(below_u128(&mut rng, 1 << 100) < 1 << 100);
    }
}
