//! `AgentSpec`: a way to choose actions.

use blob_mcts::{Agent, Exploration, LeafEvaluator, LookAheadConfig, Temperature};
use pyo3::prelude::*;

use crate::error::{config, config_fault, count, int, optional_int};
use crate::search_settings::Settings;

/// A way to choose actions: `random()`, `rule()`, `policy(...)`, `search(...)`, `ismcts(...)` or `flat(...)`.
#[pyclass(frozen, eq, from_py_object, module = "blob_zero._core")]
#[derive(Clone, PartialEq)]
pub(crate) struct AgentSpec(pub(crate) Agent);

#[pymethods]
impl AgentSpec {
    /// Uniformly over the legal actions.
    #[staticmethod]
    fn random() -> Self {
        Self(Agent::Random)
    }

    /// The rule bot.
    #[staticmethod]
    fn rule() -> Self {
        Self(Agent::Rule)
    }

    /// The yardstick `ismcts:N`: one tree over information states, with playouts by the rule bot.
    #[staticmethod]
    fn ismcts(#[pyo3(from_py_with = int)] simulations: i64) -> PyResult<Self> {
        Self::checked(Agent::Ismcts { simulations: count("simulations", simulations)? })
    }

    /// The yardstick `flat:W`: each legal action in the same worlds, with playouts by the rule bot.
    #[staticmethod]
    fn flat(#[pyo3(from_py_with = int)] worlds: i64) -> PyResult<Self> {
        Self::checked(Agent::Flat { worlds: count("worlds", worlds)? })
    }

    /// The policy of a model, without search; `model` is its number, below 64.
    #[staticmethod]
    #[pyo3(signature = (model, *, temperature = 0.0, random_share = 0.0))]
    fn policy(#[pyo3(from_py_with = int)] model: i64, temperature: f32, random_share: f32) -> PyResult<Self> {
        let model = model_number(model)?;
        Self::checked(Agent::Policy { model, exploration: Exploration { temperature, random_share } })
    }

    /// One step ahead by the policy and the values of a model, in `worlds` worlds; `model` is its number, below 64.
    #[staticmethod]
    #[pyo3(signature = (model, *, worlds, own_share, policy_temperature, belief))]
    fn look_ahead(
        #[pyo3(from_py_with = int)] model: i64,
        #[pyo3(from_py_with = int)] worlds: i64,
        own_share: f32,
        policy_temperature: f32,
        belief: f32,
    ) -> PyResult<Self> {
        let config = LookAheadConfig { worlds: count("worlds", worlds)?, own_share, policy_temperature, belief };
        Self::checked(Agent::LookAhead { model: model_number(model)?, config })
    }

    /// The visits of a search; `evaluator` is "uniform", "rollout", or the number of the model that evaluates its
    /// leaves.
    #[staticmethod]
    #[pyo3(signature = (*, evaluator, worlds, simulations, c_puct, fpu_reduction, worlds_in_flight, leaves_in_flight, virtual_loss, own_view, noise_fraction, noise_alpha, temperature, final_temperature, temperature_decisions))]
    #[allow(clippy::too_many_arguments)] // Keyword arguments of a Python function.
    fn search(
        evaluator: &Bound<'_, PyAny>,
        #[pyo3(from_py_with = int)] worlds: i64,
        #[pyo3(from_py_with = int)] simulations: i64,
        c_puct: f32,
        fpu_reduction: f32,
        #[pyo3(from_py_with = optional_int)] worlds_in_flight: Option<i64>,
        #[pyo3(from_py_with = int)] leaves_in_flight: i64,
        #[pyo3(from_py_with = int)] virtual_loss: i64,
        own_view: bool,
        noise_fraction: f32,
        noise_alpha: f32,
        temperature: f32,
        final_temperature: f32,
        #[pyo3(from_py_with = int)] temperature_decisions: i64,
    ) -> PyResult<Self> {
        let settings = Settings {
            worlds,
            simulations,
            c_puct,
            fpu_reduction,
            worlds_in_flight,
            leaves_in_flight,
            virtual_loss,
            own_view,
            noise_fraction,
            noise_alpha,
        };
        let leaf_evaluator = match (evaluator.extract::<String>().as_deref(), evaluator.extract::<usize>()) {
            (Ok("uniform"), _) => LeafEvaluator::Uniform,
            (Ok("rollout"), _) => LeafEvaluator::Rollout,
            (_, Ok(model)) if model < 64 => LeafEvaluator::Model(model),
            _ => {
                return Err(config(format!(
                    "evaluator is {}; it is \"uniform\", \"rollout\" or the number of a model below 64",
                    evaluator.repr()?
                )));
            }
        };
        let decisions = count("temperature_decisions", temperature_decisions)?;
        let temperature = Temperature {
            first: temperature,
            then: final_temperature,
            decisions: u32::try_from(decisions).unwrap_or(u32::MAX),
        };
        temperature.check().map_err(config_fault)?;
        Ok(Self(Agent::Search { config: settings.read()?, evaluator: leaf_evaluator, temperature }))
    }

    fn __repr__(&self) -> String {
        format!("AgentSpec({:?})", self.0)
    }
}

impl AgentSpec {
    fn checked(agent: Agent) -> PyResult<Self> {
        agent.check().map_err(config_fault)?;
        Ok(Self(agent))
    }
}

fn model_number(model: i64) -> PyResult<usize> {
    match count("model", model)? {
        model if model < 64 => Ok(model),
        model => Err(config(format!("model is {model}; it is the number of a model below 64"))),
    }
}
