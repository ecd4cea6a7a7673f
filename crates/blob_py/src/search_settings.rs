//! Settings of a search, from Python's keyword arguments.

use blob_mcts::{RootNoise, SearchConfig};
use pyo3::prelude::*;

use crate::error::{config_fault, count};

/// Settings of a search as Python gives them.
#[derive(Clone, Copy)]
pub(crate) struct Settings {
    pub(crate) worlds: i64,
    pub(crate) simulations: i64,
    pub(crate) c_puct: f32,
    pub(crate) fpu_reduction: f32,
    pub(crate) worlds_in_flight: Option<i64>,
    pub(crate) leaves_in_flight: i64,
    pub(crate) virtual_loss: i64,
    pub(crate) own_view: bool,
    pub(crate) noise_fraction: f32,
    pub(crate) noise_alpha: f32,
}

impl Settings {
    pub(crate) fn read(self) -> PyResult<SearchConfig> {
        let noise = RootNoise { fraction: self.noise_fraction, alpha: self.noise_alpha };
        let settings = SearchConfig {
            worlds: count("worlds", self.worlds)?,
            simulations: count("simulations", self.simulations)?,
            c_puct: self.c_puct,
            fpu_reduction: self.fpu_reduction,
            worlds_in_flight: self.worlds_in_flight.map(|worlds| count("worlds_in_flight", worlds)).transpose()?,
            leaves_in_flight: count("leaves_in_flight", self.leaves_in_flight)?,
            virtual_loss: u32::try_from(count("virtual_loss", self.virtual_loss)?).unwrap_or(u32::MAX),
            own_view: self.own_view,
            // Checked even where it is not used, so that a wrong setting is never silent.
            root_noise: Some(noise),
        };
        settings.check().map_err(config_fault)?;
        Ok(SearchConfig { root_noise: (noise.fraction > 0.0).then_some(noise), ..settings })
    }
}
