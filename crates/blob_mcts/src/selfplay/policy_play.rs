//! Play by a model's policy alone: one evaluation a decision, no search.

use blob_engine::rng::unit;
use blob_engine::{Action, Observation, encode_named};
use rand::Rng;

use crate::error::{ConfigError, EvaluationError};
use crate::evaluation::batch_buffer::Row;
use crate::evaluation::requests::{PendingDecision, Requests};
use crate::search::evaluate::Evaluation;
use crate::search::exploration::choose_by;
use crate::search::look_ahead::Waiting;

/// How a policy becomes an action.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Exploration {
    /// Actions are drawn in proportion to `probability^(1/temperature)`; 0 takes the likeliest.
    pub temperature: f32,
    /// Share of the actions that are drawn uniformly from the legal ones instead, in [0, 1].
    pub random_share: f32,
}

impl Exploration {
    /// The likeliest action, always.
    pub const NONE: Self = Self { temperature: 0.0, random_share: 0.0 };

    /// # Errors
    /// The first setting out of its range.
    pub fn check(&self) -> Result<(), ConfigError> {
        let Self { temperature, random_share } = *self;
        ConfigError::check(
            temperature.is_finite() && temperature >= 0.0,
            "temperature",
            temperature,
            "a temperature is a finite number of at least 0",
        )?;
        ConfigError::check((0.0..=1.0).contains(&random_share), "random_share", random_share, "it is 0 to 1")
    }
}

/// Requests the evaluation of a decision of task `task`, or of one in its look-ahead.
pub(crate) fn request(task: usize, waiting: Option<Waiting>, observation: &Observation, requests: &mut Requests) {
    let row = requests.rows.len();
    let names = waiting.map_or_else(|| observation.card_names(), Waiting::names);
    let legal = names.actions(observation.legal_actions());
    requests.rows.push(Row { features: [0; blob_engine::FEATURES], legal });
    encode_named(observation, names, &mut requests.rows[row].features);
    requests.decisions.push(PendingDecision { task: task as u32, waiting, row: row as u32 });
}

/// Chooses an action by the evaluation of the seat to play.
///
/// # Errors
/// If the policy is not a distribution over the legal actions, up to its scale.
pub(crate) fn choose(
    observation: &Observation,
    evaluation: &Evaluation<'_>,
    exploration: Exploration,
    rng: &mut impl Rng,
) -> Result<Action, EvaluationError> {
    let (legal, names) = (observation.legal_actions(), observation.card_names());
    evaluation.legal_mass(names.actions(legal))?;
    if unit(rng) < f64::from(exploration.random_share) {
        return Ok(legal.choose(rng).expect("the seat to play has a legal action"));
    }
    let probability = |action| f64::from(evaluation.policy[names.action(action).index()]);
    Ok(choose_by(probability, legal, exploration.temperature, rng))
}
