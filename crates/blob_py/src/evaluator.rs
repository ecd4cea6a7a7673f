//! Inputs and outputs of an evaluator in Python.

use blob_engine::{ACTIONS, FEATURE_SCALE, FEATURES, Features, MAX_PLAYERS};
use numpy::ndarray::Array2;
use numpy::{PyArray2, PyArrayMethods, PyReadonlyArray2, PyUntypedArrayMethods};
use pyo3::prelude::*;
use pyo3::types::{IntoPyDict, PyTuple};

use crate::error::evaluator;

/// Policy float32[rows, 52] and values float32[rows, 8] of an evaluator.
pub(crate) struct EvaluatorOutputs<'py> {
    policy: PyReadonlyArray2<'py, f32>,
    values: PyReadonlyArray2<'py, f32>,
}

impl<'py> EvaluatorOutputs<'py> {
    /// Reads what an evaluator returned for `rows` rows, or for a whole buffer of `buffer_rows`.
    pub(crate) fn new(result: &Bound<'py, PyAny>, rows: usize, buffer_rows: usize) -> PyResult<Self> {
        match result.cast::<PyTuple>() {
            Ok(pair) if pair.len() == 2 => Ok(Self {
                policy: read("policy", &pair.get_item(0)?, [rows, buffer_rows], ACTIONS)?,
                values: read("values", &pair.get_item(1)?, [rows, buffer_rows], MAX_PLAYERS)?,
            }),
            _ => Err(evaluator(format!(
                "the evaluator returned {}; it returns a tuple (policy, values)",
                result.get_type().name()?
            ))),
        }
    }

    pub(crate) fn slices(&self) -> PyResult<(&[f32], &[f32])> {
        Ok((self.policy.as_slice()?, self.values.as_slice()?))
    }
}

/// Reads an array of `width` columns and one of two numbers of rows; converts it to contiguous float32 if need be.
fn read<'py>(
    name: &str,
    array: &Bound<'py, PyAny>,
    rows: [usize; 2],
    width: usize,
) -> PyResult<PyReadonlyArray2<'py, f32>> {
    let py = array.py();
    let as_is = array.cast::<PyArray2<f32>>().ok().filter(|array| array.is_c_contiguous()).cloned();
    let array = match as_is {
        Some(array) => array,
        None => {
            let numpy = py.import("numpy")?;
            let options = [("dtype", numpy.getattr("float32")?)].into_py_dict(py)?;
            let converted = numpy.call_method("ascontiguousarray", (array,), Some(&options)).map_err(|error| {
                let message = format!("{name} of the evaluator cannot be read as a float32 array: {}", error.value(py));
                let wrapped = evaluator(message);
                wrapped.set_cause(py, Some(error));
                wrapped
            })?;
            converted.cast_into::<PyArray2<f32>>().map_err(|error| {
                let shape = error.into_inner().getattr("shape").and_then(|shape| Ok(shape.str()?.to_string()));
                wrong_shape(name, &shape.unwrap_or_else(|_| "unknown".into()), rows[0], width)
            })?
        }
    };
    let shape = array.shape();
    if shape[1] != width || !rows.contains(&shape[0]) {
        return Err(wrong_shape(name, &format!("({}, {})", shape[0], shape[1]), rows[0], width));
    }
    Ok(array.readonly())
}

fn wrong_shape(name: &str, shape: &str, rows: usize, width: usize) -> PyErr {
    evaluator(format!("{name} of the evaluator has shape {shape}; for these rows it is float32[{rows}, {width}]"))
}

/// The values of encoded rows: float32[rows, 256].
pub(crate) fn decode(bytes: &[Features]) -> Array2<f32> {
    let mut features = Array2::zeros((bytes.len(), FEATURES));
    for (row, bytes) in features.rows_mut().into_iter().zip(bytes) {
        for ((value, &byte), &scale) in row.into_iter().zip(bytes).zip(&FEATURE_SCALE) {
            *value = f32::from(byte) * scale;
        }
    }
    features
}
