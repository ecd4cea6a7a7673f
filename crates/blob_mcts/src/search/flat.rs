//! Each legal action in the same worlds, played out by the rule bot: the yardstick `flat:W`.
//!
//! It is a fixed opponent. Golden decisions in `tests/yardsticks.rs` hold it to [`YARDSTICK_VERSION`](super::YARDSTICK_VERSION).

use blob_engine::{ACTIONS, Action, Observation, RuleRollout, WorldSampler};
use rand::Rng;

use crate::search::interrupt::Interrupt;

/// The action with the best mean value to the observer over `worlds` worlds, the lowest of several; `None` if it is
/// interrupted.
///
/// # Panics
/// If it is not the observer's turn.
pub fn flat_search(
    observation: &Observation,
    worlds: usize,
    rng: &mut impl Rng,
    interrupt: &mut Interrupt<impl FnMut() -> bool>,
) -> Option<Action> {
    let (seat, legal) = (observation.seat(), observation.legal_actions());
    let rollout = RuleRollout::new(observation.public());
    let sampler = WorldSampler::new(observation);
    let mut sums = [0.0; ACTIONS];
    for _ in 0..worlds {
        let world = sampler.sample(rng);
        for action in legal.iter() {
            if !interrupt.goes_on() {
                return None;
            }
            let mut end = world;
            end.play_unchecked(action);
            rollout.play_out(&mut end);
            sums[action.index()] += f64::from(end.public().values().expect("the round is played out")[seat]);
        }
    }
    let mut best = legal.first().unwrap_or_else(|| panic!("seat {seat} is not to play"));
    for action in legal.iter() {
        if sums[action.index()] > sums[best.index()] {
            best = action;
        }
    }
    Some(best)
}
