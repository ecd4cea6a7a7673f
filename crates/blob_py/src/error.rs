//! Errors of the core as Python exceptions, and the reading of numbers from Python.

use blob_engine::{RulesError, Seat};
use blob_mcts::{ConfigError as ConfigFault, EvaluationError, SchedulerError};
use pyo3::exceptions::PyOverflowError;
use pyo3::prelude::*;

mod classes {
    //! The exception classes of `blob_zero.errors`.
    #![allow(missing_docs)] // Documented where they are defined.
    pyo3::import_exception!(blob_zero.errors, BlobError);
    pyo3::import_exception!(blob_zero.errors, ConfigError);
    pyo3::import_exception!(blob_zero.errors, EvaluatorError);
    pyo3::import_exception!(blob_zero.errors, IllegalActionError);
}
use classes::{BlobError, ConfigError, EvaluatorError, IllegalActionError};

pub(crate) fn config(message: String) -> PyErr {
    ConfigError::new_err(message)
}

pub(crate) fn blob(message: String) -> PyErr {
    BlobError::new_err(message)
}

pub(crate) fn evaluator(message: String) -> PyErr {
    EvaluatorError::new_err(message)
}

pub(crate) fn rules(error: RulesError) -> PyErr {
    let message = error.to_string();
    match error {
        RulesError::IllegalAction { .. } | RulesError::Done { .. } => IllegalActionError::new_err(message),
        RulesError::NotDone { .. } => BlobError::new_err(message),
        RulesError::UnknownCard { .. }
        | RulesError::UnknownTrump { .. }
        | RulesError::Players { .. }
        | RulesError::Cards { .. }
        | RulesError::Seat { .. }
        | RulesError::HandCount { .. }
        | RulesError::RepeatedCard { .. }
        | RulesError::Overlap { .. }
        | RulesError::HandSize { .. }
        | RulesError::TurnUp { .. }
        | RulesError::Inconsistent { .. } => config(message),
    }
}

pub(crate) fn config_fault(error: ConfigFault) -> PyErr {
    config(error.to_string())
}

pub(crate) fn evaluation(error: EvaluationError) -> PyErr {
    evaluator(error.to_string())
}

pub(crate) fn scheduler(error: SchedulerError) -> PyErr {
    match error {
        SchedulerError::Config(error) => config_fault(error),
        SchedulerError::Rules(error) => rules(error),
        SchedulerError::Evaluation { .. } => evaluator(error.to_string()),
        SchedulerError::Carried { .. } => config(error.to_string()),
        SchedulerError::Abandoned | SchedulerError::Panicked { .. } | SchedulerError::Threads { .. } => {
            BlobError::new_err(error.to_string())
        }
    }
}

/// An integer argument. A number beyond 64 bits is a `ConfigError` that names it, not an `OverflowError`.
pub(crate) fn int(value: &Bound<'_, PyAny>) -> PyResult<i64> {
    value.extract().map_err(|error: PyErr| {
        if error.is_instance_of::<PyOverflowError>(value.py()) {
            config(format!("{value} is out of range; every number here lies below 2^63"))
        } else {
            error
        }
    })
}

/// [`int`], or None.
pub(crate) fn optional_int(value: &Bound<'_, PyAny>) -> PyResult<Option<i64>> {
    if value.is_none() { Ok(None) } else { int(value).map(Some) }
}

/// A count from Python; a negative one is a `ConfigError`.
pub(crate) fn count(name: &str, value: i64) -> PyResult<usize> {
    usize::try_from(value).map_err(|_| config(format!("{name} is {value}; it is not negative")))
}

/// [`count`] for 64-bit numbers.
pub(crate) fn number(name: &str, value: i64) -> PyResult<u64> {
    u64::try_from(value).map_err(|_| config(format!("{name} is {value}; it is not negative")))
}

/// A share of 0 to 1 in steps of 0.01, as hundredths.
pub(crate) fn hundredths(name: &str, share: f64) -> PyResult<u8> {
    let hundredths = (100.0 * share).round();
    if (0.0..=1.0).contains(&share) && (100.0 * share - hundredths).abs() < 1e-6 {
        return Ok(hundredths as u8);
    }
    Err(config(format!("{name} is {share}; it is 0 to 1 in steps of 0.01")))
}

/// Numbers of players and cards from Python.
pub(crate) fn size(players: i64, cards: i64, variants: blob_engine::RoundRules) -> PyResult<(usize, usize)> {
    blob_engine::RoundSpec::check_size(players, cards, variants).map_err(rules)
}

/// A seat from Python.
pub(crate) fn seat(value: i64, players: usize) -> PyResult<Seat> {
    usize::try_from(value)
        .ok()
        .and_then(|index| Seat::new(index, players))
        .ok_or_else(|| rules(RulesError::Seat { seat: value, players }))
}
