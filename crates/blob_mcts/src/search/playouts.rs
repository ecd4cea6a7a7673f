//! What each legal action leads to: the same worlds for all of them, played out by the rule bot.

use blob_engine::{Action, BySeat, MAX_CARDS, Observation, Round, RuleRollout, Seat, WorldSampler};
use rand::Rng;

use crate::search::interrupt::Interrupt;

/// The ends of one action's playouts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionPlayouts {
    /// The action.
    pub action: Action,
    /// Number of worlds by the tricks that the observer wins in the round, 0 to 13.
    pub tricks: [u32; MAX_CARDS + 1],
    /// Number of worlds in which the observer wins exactly the tricks that it bid.
    pub made: u32,
    /// Sum over worlds of the points of each seat, absolute.
    pub points: BySeat<u64>,
}

impl ActionPlayouts {
    const fn new(action: Action) -> Self {
        Self { action, tricks: [0; MAX_CARDS + 1], made: 0, points: BySeat([0; blob_engine::MAX_PLAYERS]) }
    }

    fn add(&mut self, observer: Seat, end: &Round) {
        let public = end.public();
        let scores = public.scores().expect("the round is played out");
        let won = public.won()[observer];
        self.tricks[usize::from(won)] += 1;
        self.made += u32::from(public.bid(observer) == Some(won));
        for (sum, score) in self.points.0.iter_mut().zip(scores.0) {
            *sum += u64::from(score);
        }
    }
}

/// Plays each legal action out in the same `worlds` worlds, the actions in ascending order; `None` if it is interrupted.
///
/// # Panics
/// If it is not the observer's turn.
pub fn action_playouts(
    observation: &Observation,
    worlds: usize,
    rng: &mut impl Rng,
    interrupt: &mut Interrupt<impl FnMut() -> bool>,
) -> Option<Vec<ActionPlayouts>> {
    let mut found: Vec<_> = observation.legal_actions().iter().map(ActionPlayouts::new).collect();
    assert!(!found.is_empty(), "seat {} is not to play", observation.seat());
    each_playout(observation, worlds, rng, interrupt, |place, end| found[place].add(observation.seat(), end))?;
    Some(found)
}

/// Calls `at_end` with the place of the action among the legal ones and with the end of each playout.
pub(super) fn each_playout(
    observation: &Observation,
    worlds: usize,
    rng: &mut impl Rng,
    interrupt: &mut Interrupt<impl FnMut() -> bool>,
    mut at_end: impl FnMut(usize, &Round),
) -> Option<()> {
    let legal = observation.legal_actions();
    let rollout = RuleRollout::new(observation.public());
    let sampler = WorldSampler::new(observation);
    for _ in 0..worlds {
        let world = sampler.sample(rng);
        for (place, action) in legal.iter().enumerate() {
            if !interrupt.goes_on() {
                return None;
            }
            let mut end = world;
            end.play_unchecked(action);
            rollout.play_out(&mut end);
            at_end(place, &end);
        }
    }
    Some(())
}
