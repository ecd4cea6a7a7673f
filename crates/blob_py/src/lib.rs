//! The Python face of blob_engine and blob_mcts: converts, releases the GIL, maps errors. No logic.

mod agent_spec;
mod batch;
mod carry_over;
mod error;
mod evaluator;
mod game;
mod learning;
mod look_ahead;
mod observation;
mod plan;
mod playouts;
mod progress;
mod records;
mod round;
mod rounds;
mod search;
mod search_settings;
mod session;
mod signals;

use pyo3::prelude::*;

/// It asks the system for huge pages: with thousands of rounds in flight the search is a tenth to a fifth faster
/// (docs/LOG.md).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[pymodule]
mod _core {
    use blob_engine::{ACTIONS, Card, ENCODING_VERSION, FEATURE_SCALE, FEATURES, MAX_PLAYERS, PACK, encode};
    use numpy::PyArray1;
    use pyo3::prelude::*;

    use crate::error::int;

    #[pymodule_export]
    use crate::agent_spec::AgentSpec;
    #[pymodule_export]
    use crate::batch::{Batch, MemoryBlock};
    #[pymodule_export]
    use crate::game::Game;
    #[pymodule_export]
    use crate::learning::{judge_decisions, outcome_gradients, outcome_losses};
    #[pymodule_export]
    use crate::look_ahead::look_ahead;
    #[pymodule_export]
    use crate::observation::Observation;
    #[pymodule_export]
    use crate::plan::Plan;
    #[pymodule_export]
    use crate::playouts::{action_playouts, ismcts};
    #[pymodule_export]
    use crate::progress::Progress;
    #[pymodule_export]
    use crate::round::{Round, RoundRules};
    #[pymodule_export]
    use crate::rounds::RoundStore;
    #[pymodule_export]
    use crate::search::{SearchResult, search, search_many};
    #[pymodule_export]
    use crate::session::Session;

    /// The index `suit * 13 + rank` of a card's text, such as "AS".
    #[pyfunction]
    fn card_index(text: &str) -> PyResult<u8> {
        let card: Card = text.parse().map_err(crate::error::rules)?;
        Ok(card.index())
    }

    /// The text of a card's index.
    #[pyfunction]
    fn card_text(#[pyo3(from_py_with = int)] index: i64) -> PyResult<String> {
        match u8::try_from(index).ok().and_then(Card::from_index) {
            Some(card) => Ok(card.to_string()),
            None => Err(crate::error::config(format!("card index {index}; a card index is 0 to {}", PACK - 1))),
        }
    }

    /// The factor from each byte of an encoded observation to its value: float32[256].
    #[pyfunction]
    fn feature_scale(py: Python<'_>) -> Bound<'_, PyArray1<f32>> {
        PyArray1::from_slice(py, &FEATURE_SCALE)
    }

    /// The action of the rule bot for an observation of the seat to play.
    #[pyfunction]
    fn rule_action(observation: &Observation) -> PyResult<usize> {
        match blob_engine::rule_action(observation.inner()) {
            Some(action) => Ok(action.index()),
            None => Err(crate::error::config(format!(
                "the observation of seat {}, which is not to play; the rule bot acts for the seat to play",
                observation.inner().seat()
            ))),
        }
    }

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))?;
        module.add("ENCODING_VERSION", ENCODING_VERSION)?;
        module.add("YARDSTICK_VERSION", blob_mcts::YARDSTICK_VERSION)?;
        module.add("OPTIMIZED", !cfg!(debug_assertions))?;
        module.add("FEATURES", FEATURES)?;
        module.add("ACTIONS", ACTIONS)?;
        module.add("MAX_PLAYERS", MAX_PLAYERS)?;
        module.add("PLAYERS_FEATURE", encode::PLAYERS)?;
        module.add("OPEN_FEATURES", blob_engine::OPEN_FEATURES)
    }
}
