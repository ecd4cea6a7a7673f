//! Each legal action in the same worlds, played out by the rule bot: the yardstick `flat:W`.
//!
//! It is a fixed opponent. Golden decisions in `tests/yardsticks.rs` hold it to [`YARDSTICK_VERSION`](super::YARDSTICK_VERSION).

use blob_engine::{ACTIONS, Action, Observation};
use rand::Rng;

use crate::search::interrupt::Interrupt;
use crate::search::playouts::each_playout;

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
    let mut sums = [0.0; ACTIONS];
    each_playout(observation, worlds, rng, interrupt, |place, end| {
        sums[place] += f64::from(end.public().values().expect("the round is played out")[seat]);
    })?;
    let mut best = (f64::NEG_INFINITY, legal.first().unwrap_or_else(|| panic!("seat {seat} is not to play")));
    for (sum, action) in sums.into_iter().zip(legal.iter()) {
        if sum > best.0 {
            best = (sum, action);
        }
    }
    Some(best.1)
}
