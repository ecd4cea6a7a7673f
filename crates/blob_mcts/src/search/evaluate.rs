//! The evaluation of a leaf, and evaluators that are written in Rust.

use blob_engine::rng::Xoshiro;
use blob_engine::{ACTIONS, BySeat, EncodedAction, EncodedActionSet, MAX_PLAYERS, Round, Seat};
use rand::Rng;

use crate::error::EvaluationError;

/// How far past [-1, 1] a value may lie: half precision rounds.
const VALUE_TOLERANCE: f32 = 1e-3;

/// One row of an evaluator's output, unchecked.
#[derive(Clone, Copy, Debug)]
pub struct Evaluation<'a> {
    /// Probabilities by [`EncodedAction`]; only the legal ones count, scaled to 1.
    pub policy: &'a [f32; ACTIONS],
    /// The value in [-1, 1] of each relative seat from the seat to move.
    pub values: &'a [f32; MAX_PLAYERS],
}

impl Evaluation<'_> {
    /// The sum of the policy over the legal actions.
    ///
    /// # Errors
    /// If a legal entry is negative or no number, if there is nothing on a legal action, or if the sum is not finite.
    pub(crate) fn legal_mass(&self, legal: EncodedActionSet) -> Result<f32, EvaluationError> {
        let mut mass = 0.0;
        for action in legal.iter() {
            let value = self.policy[action.index()];
            if !(value.is_finite() && value >= 0.0) {
                return Err(EvaluationError::Policy { action: action.index(), value });
            }
            mass += value;
        }
        if mass == 0.0 {
            return Err(EvaluationError::NothingLegal { legal: legal.iter().map(|action| action.index()).collect() });
        }
        if mass.is_infinite() {
            let of = |action: &EncodedAction| self.policy[action.index()];
            let largest = legal.iter().max_by(|a, b| of(a).total_cmp(&of(b)));
            let action = largest.map_or(0, EncodedAction::index);
            return Err(EvaluationError::Sum { action, value: self.policy[action] });
        }
        Ok(mass)
    }

    /// The value of a relative seat, within [-1, 1].
    ///
    /// # Errors
    /// If it is no number in [-1, 1].
    pub(crate) fn value(&self, seat: usize) -> Result<f32, EvaluationError> {
        let value = self.values[seat];
        if value.is_nan() || value.abs() > 1.0 + VALUE_TOLERANCE {
            return Err(EvaluationError::Value { seat, value });
        }
        Ok(value.clamp(-1.0, 1.0))
    }

    /// The values by absolute seat, from those relative to the seat to move.
    ///
    /// # Errors
    /// If the value of a seat in play is no number in [-1, 1].
    pub(crate) fn absolute_values(&self, mover: Seat, players: usize) -> Result<BySeat<f32>, EvaluationError> {
        let mut values = BySeat::default();
        for seat in 0..players {
            values[mover.after(seat, players)] = self.value(seat)?;
        }
        Ok(values)
    }
}

/// An evaluator that is written in Rust and answers at once.
pub trait Evaluate {
    /// Evaluates a position for the seat to move: writes a policy, of any scale, and the values by relative seat.
    ///
    /// `world` is the number of the world in its search.
    fn evaluate(
        &mut self,
        position: &Round,
        world: usize,
        policy: &mut [f32; ACTIONS],
        values: &mut [f32; MAX_PLAYERS],
    );
}

/// Equal priors and values of 0: a search without knowledge, and the null evaluator of benchmarks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Uniform;

impl Evaluate for Uniform {
    fn evaluate(&mut self, _: &Round, _: usize, policy: &mut [f32; ACTIONS], values: &mut [f32; MAX_PLAYERS]) {
        policy.fill(1.0);
        values.fill(0.0);
    }
}

/// Equal priors and the values of one random playout.
///
/// Each world has a stream of its own, so that values do not depend on the order in which worlds are searched.
#[derive(Debug)]
pub struct Rollout<F> {
    stream_of_world: F,
    /// The streams of the first worlds, made as they are needed.
    streams: Vec<Xoshiro>,
}

impl<F: FnMut(usize) -> Xoshiro> Rollout<F> {
    /// Plays out with the random numbers of `stream_of_world`.
    pub const fn new(stream_of_world: F) -> Self {
        Self { stream_of_world, streams: Vec::new() }
    }
}

impl<F: FnMut(usize) -> Xoshiro> Evaluate for Rollout<F> {
    fn evaluate(
        &mut self,
        position: &Round,
        world: usize,
        policy: &mut [f32; ACTIONS],
        values: &mut [f32; MAX_PLAYERS],
    ) {
        while self.streams.len() <= world {
            self.streams.push((self.stream_of_world)(self.streams.len()));
        }
        policy.fill(1.0);
        values.fill(0.0);
        let end = playout(*position, &mut self.streams[world]);
        if let (Some(mover), Some(absolute)) = (position.to_play(), end.public().values()) {
            let players = end.public().players();
            for (k, value) in values[..players].iter_mut().enumerate() {
                *value = absolute[mover.after(k, players)];
            }
        }
    }
}

/// Plays a world to its end by uniformly random legal actions.
pub(crate) fn playout(mut world: Round, rng: &mut impl Rng) -> Round {
    world.skip_forced();
    while let Some(action) = world.legal_actions().choose(rng) {
        world.play_unchecked(action);
        world.skip_forced();
    }
    world
}
