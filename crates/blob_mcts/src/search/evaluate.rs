//! Evaluations of a leaf, and evaluators that are written in Rust.

use blob_engine::{ACTIONS, BySeat, EncodedAction, EncodedActionSet, MAX_PLAYERS, Round, Seat};
use rand::Rng;

use crate::error::EvaluationError;

/// How far past [-1, 1] a value may lie: half precision rounds.
const VALUE_TOLERANCE: f32 = 1e-3;

/// One row of an evaluator's output, as the evaluator gives it.
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

    /// The values by absolute seat, from those relative to the seat to move.
    ///
    /// # Errors
    /// If the value of a seat in play is no number in [-1, 1].
    pub(crate) fn absolute_values(&self, mover: Seat, players: usize) -> Result<BySeat<f32>, EvaluationError> {
        let mut values = BySeat::default();
        for (seat, &value) in self.values[..players].iter().enumerate() {
            if value.is_nan() || value.abs() > 1.0 + VALUE_TOLERANCE {
                return Err(EvaluationError::Value { seat, value });
            }
            values[mover.after(seat, players)] = value.clamp(-1.0, 1.0);
        }
        Ok(values)
    }
}

/// An evaluator in Rust: fills a policy (any scale) and values by relative seat for the seat to move of a world.
pub trait Evaluate {
    /// Evaluates the position of the seat to move.
    fn evaluate(&mut self, world: &Round, policy: &mut [f32; ACTIONS], values: &mut [f32; MAX_PLAYERS]);
}

/// Equal priors and values of 0: a search without knowledge, and the null evaluator of benchmarks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Uniform;

impl Evaluate for Uniform {
    fn evaluate(&mut self, _world: &Round, policy: &mut [f32; ACTIONS], values: &mut [f32; MAX_PLAYERS]) {
        policy.fill(1.0);
        values.fill(0.0);
    }
}

/// Equal priors and the values of one random playout of the world.
#[derive(Debug)]
pub struct Rollout<'a, R> {
    /// Where the playout's choices come from.
    pub rng: &'a mut R,
}

impl<R: Rng> Evaluate for Rollout<'_, R> {
    fn evaluate(&mut self, world: &Round, policy: &mut [f32; ACTIONS], values: &mut [f32; MAX_PLAYERS]) {
        policy.fill(1.0);
        values.fill(0.0);
        let mover = world.to_play();
        let end = playout(*world, self.rng);
        if let (Some(mover), Some(absolute)) = (mover, end.public().values()) {
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
