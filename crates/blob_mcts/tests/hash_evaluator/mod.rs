//! An evaluator whose answers are arbitrary but fixed: a hash of the encoded position and its legal actions.

use blob_engine::{ACTIONS, FEATURES, Features, MAX_PLAYERS, Round, Seat, encode};
use blob_mcts::Evaluate;

pub type Policy = [f32; ACTIONS];
pub type Values = [f32; MAX_PLAYERS];

/// Priors in (0, 1] and values in [-1, 1) for an encoded position.
pub fn hash_evaluation(features: &Features) -> (Policy, Values) {
    // FNV-1a, then a multiplicative step for each number drawn.
    let mut state = features
        .iter()
        .fold(0xCBF2_9CE4_8422_2325u64, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3));
    let mut unit = || {
        state = state.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(0x1405_7B7E_F767_814F);
        (state >> 40) as f32 / (1u64 << 24) as f32
    };
    (std::array::from_fn(|_| 1.0 - unit()), std::array::from_fn(|_| 2.0 * unit() - 1.0))
}

/// The same for positions of a world, with the value of one seat from what that seat knows there.
#[allow(dead_code)] // Not every test file uses it.
pub struct SeenBy(pub Seat);

impl Evaluate for SeenBy {
    fn evaluate(&mut self, position: &Round, _: usize, policy: &mut Policy, values: &mut Values) {
        let evaluation_of = |seat| {
            let mut features = [0; FEATURES];
            encode(&position.observe(seat), &mut features);
            hash_evaluation(&features)
        };
        let mover = position.to_play().expect("a decision");
        (*policy, *values) = evaluation_of(mover);
        values[self.0.relative_to(mover, position.public().players())] = evaluation_of(self.0).1[0];
    }
}
