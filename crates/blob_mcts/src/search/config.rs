//! Settings of a search.

use crate::error::ConfigError;

/// Most worlds of one search.
const MAX_WORLDS: usize = 4096;
/// Most simulations in one world: sums of single precision then put a mean value off by at most 0.004, and the visits
/// of all worlds stay below 2^32.
const MAX_SIMULATIONS: usize = 1 << 16;

/// Dirichlet noise mixed into the priors of the root, for exploration in self-play (Silver et al. 2017).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RootNoise {
    /// Share of the noise in the prior, 0 … 1 (0.25 in AlphaZero).
    pub fraction: f32,
    /// Concentration of the noise, above 0; AlphaZero uses about 10 / (legal actions).
    pub alpha: f32,
}

/// How an action is chosen from the visits: in proportion to `visits^(1/temperature)`; at 0 the most visited.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Temperature {
    /// For the first `decisions` decisions of a round.
    pub first: f32,
    /// For the decisions after these.
    pub then: f32,
    /// How many decisions of the round use `first`.
    pub decisions: u32,
}

impl Temperature {
    /// Always the most visited action.
    pub const GREEDY: Self = Self { first: 0.0, then: 0.0, decisions: 0 };

    /// The temperature of decision `decision` of a round, counted from 0.
    pub const fn at(&self, decision: u32) -> f32 {
        if decision < self.decisions { self.first } else { self.then }
    }

    /// # Errors
    /// If a temperature is negative or no number.
    pub fn check(&self) -> Result<(), ConfigError> {
        for (name, value) in [("temperature", self.first), ("final_temperature", self.then)] {
            ConfigError::check(
                value.is_finite() && value >= 0.0,
                name,
                value,
                "a temperature is a finite number of at least 0",
            )?;
        }
        Ok(())
    }
}

/// Settings of one search.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SearchConfig {
    /// Worlds drawn, each searched in a tree of its own; at least 1.
    pub worlds: usize,
    /// Simulations in each world; at least 1. The root's own evaluation is not one of them.
    pub simulations: usize,
    /// Weight of the prior against the value in PUCT; values span [-1, 1].
    pub c_puct: f32,
    /// First-play urgency: an unvisited action is assumed to be worth its parent's value, less this times the square
    /// root of the prior visited so far.
    pub fpu_reduction: f32,
    /// Worlds whose trees grow at the same time; `None` for all. Results do not depend on it.
    pub worlds_in_flight: Option<usize>,
    /// Leaves of one tree that may wait for an evaluation at once. More than 1 needs virtual loss and costs strength.
    pub leaves_in_flight: usize,
    /// Lost visits that each waiting leaf adds to the edges of its path.
    pub virtual_loss: u32,
    /// Whether a leaf's value to the seat that searches is judged by what that seat knows there, as a row of its own.
    /// Otherwise the row of the seat that moves says it, without having seen the searcher's hand. Evaluators that see the
    /// world itself have no use for it. Where decisions are recorded, so is what another seat knew at each of them, which
    /// is what such rows are learned from.
    pub own_view: bool,
    /// Dirichlet noise at the root, for self-play.
    pub root_noise: Option<RootNoise>,
}

impl Default for SearchConfig {
    /// The reference setting, 3 x 30.
    fn default() -> Self {
        Self {
            worlds: 3,
            simulations: 30,
            c_puct: 1.5,
            fpu_reduction: 0.25,
            worlds_in_flight: None,
            leaves_in_flight: 1,
            virtual_loss: 1,
            own_view: false,
            root_noise: None,
        }
    }
}

impl SearchConfig {
    /// Most rows that a leaf is evaluated by.
    pub(crate) const fn rows_of_leaf(&self) -> usize {
        1 + self.own_view as usize
    }

    /// # Errors
    /// The first setting out of its range.
    pub fn check(&self) -> Result<(), ConfigError> {
        use ConfigError as E;
        let finite = |value: f32, least: f32| value.is_finite() && value >= least;
        E::check((1..=MAX_WORLDS).contains(&self.worlds), "worlds", self.worlds, "a search has 1 to 4096 worlds")?;
        E::check(
            (1..=MAX_SIMULATIONS).contains(&self.simulations),
            "simulations",
            self.simulations,
            "a world has 1 to 65536 simulations",
        )?;
        E::check(finite(self.c_puct, 0.0), "c_puct", self.c_puct, "it is a finite number of at least 0")?;
        E::check(
            finite(self.fpu_reduction, 0.0),
            "fpu_reduction",
            self.fpu_reduction,
            "it is a finite number of at least 0",
        )?;
        E::check(
            self.worlds_in_flight != Some(0),
            "worlds_in_flight",
            0,
            "at least 1 world of a search is in progress",
        )?;
        E::check(
            (1..=1024).contains(&self.leaves_in_flight),
            "leaves_in_flight",
            self.leaves_in_flight,
            "a tree has 1 to 1024 leaves in flight",
        )?;
        E::check(
            self.virtual_loss <= 1024 && (self.virtual_loss > 0 || self.leaves_in_flight == 1),
            "virtual_loss",
            self.virtual_loss,
            "it is 0 to 1024, and at least 1 with several leaves in flight",
        )?;
        if let Some(noise) = self.root_noise {
            E::check(
                (0.0..=1.0).contains(&noise.fraction),
                "noise_fraction",
                noise.fraction,
                "it is a number from 0 to 1",
            )?;
            E::check(
                noise.alpha.is_finite() && noise.alpha > 0.0,
                "noise_alpha",
                noise.alpha,
                "it is a finite number above 0",
            )?;
        }
        Ok(())
    }
}
