//! `Batch`: rows to evaluate, as views of the core's memory.

use std::sync::Arc;

use blob_engine::{ACTIONS, FEATURES};
use blob_mcts::{BatchBuffer, FilledBatch, Scheduler};
use numpy::ndarray::ArrayView2;
use numpy::{Element, IntoPyArray, PyArray2, PyArrayMethods};
use pyo3::prelude::*;

use crate::error::config;
use crate::evaluator::{EvaluatorOutputs, decode};
use crate::records::table;

/// A batch of rows to evaluate. Its arrays are views of the core's memory; do not write to them.
#[pyclass(module = "blob_zero._core")]
pub(crate) struct Batch {
    scheduler: Arc<Scheduler>,
    /// `None` once completed.
    filled: Option<FilledBatch>,
}

/// Keeps the memory of a view alive: a buffer that is held is not written again.
#[pyclass(frozen)]
struct BufferHolder {
    _buffer: Arc<BatchBuffer>,
}

impl Batch {
    pub(crate) const fn new(scheduler: Arc<Scheduler>, filled: FilledBatch) -> Self {
        Self { scheduler, filled: Some(filled) }
    }

    fn filled(&self) -> PyResult<&FilledBatch> {
        self.filled.as_ref().ok_or_else(|| config("the batch is completed; a batch is used until complete()".into()))
    }

    /// A read-only array over the buffer's own memory.
    fn view<'py, T: Element>(&self, py: Python<'py>, cells: &[T], width: usize) -> PyResult<Bound<'py, PyArray2<T>>> {
        let view = ArrayView2::from_shape((cells.len() / width, width), cells).expect("rows of one width");
        let holder = BufferHolder { _buffer: Arc::clone(self.filled()?.buffer()) };
        let holder = Bound::new(py, holder)?.into_any();
        // SAFETY: the memory belongs to the buffer that the holder keeps alive and in place, and a buffer that is held
        // is not filled again, so what the array shows never changes.
        let array = unsafe { PyArray2::borrow_from_array(&view, holder) };
        array.readwrite().make_nonwriteable();
        Ok(array)
    }
}

/// Features and legal masks of the filled rows.
type Decoded<'py> = (Bound<'py, PyArray2<f32>>, Bound<'py, PyArray2<bool>>);

impl Drop for Batch {
    /// Without this, a session would wait for a batch that is never completed.
    fn drop(&mut self) {
        if let Some(filled) = self.filled.take() {
            self.scheduler.abandon(filled);
        }
    }
}

#[pymethods]
impl Batch {
    /// Filled rows: the first ones of the buffer.
    #[getter]
    fn rows(&self) -> PyResult<usize> {
        Ok(self.filled()?.rows())
    }

    /// The model to evaluate the rows.
    #[getter]
    fn model(&self) -> PyResult<usize> {
        Ok(self.filled()?.model())
    }

    /// Encoded observations, uint8[batch_rows, 256], times `feature_scale()`; rows past the filled ones are stale.
    #[getter]
    fn features<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray2<u8>>> {
        let filled = self.filled()?;
        self.view(py, filled.inputs().0, FEATURES)
    }

    /// Legal actions, bool[batch_rows, 52].
    #[getter]
    fn legal<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray2<bool>>> {
        let filled = self.filled()?;
        self.view(py, filled.inputs().1, ACTIONS)
    }

    /// The filled rows as an evaluator takes them: features float32[rows, 256] and legal bool[rows, 52], copied.
    fn decode<'py>(&self, py: Python<'py>) -> PyResult<Decoded<'py>> {
        let filled = self.filled()?;
        let rows = filled.rows();
        let (features, legal) = py.detach(|| {
            let (features, legal) = filled.inputs();
            (decode(&features.as_chunks().0[..rows]), table(legal[..rows * ACTIONS].to_vec(), ACTIONS))
        });
        Ok((features.into_pyarray(py), legal.into_pyarray(py)))
    }

    /// Takes what an evaluator returned: a tuple of policy float32[B, 52] and values float32[B, 8], with B the filled
    /// rows or all rows of the buffer.
    fn complete(&mut self, py: Python<'_>, outputs: &Bound<'_, PyAny>) -> PyResult<()> {
        let rows = self.filled()?.rows();
        let outputs = EvaluatorOutputs::new(outputs, rows, self.scheduler.batch_rows())?;
        let (policy, values) = outputs.slices()?;
        if let Some(filled) = self.filled.take() {
            let scheduler = &self.scheduler;
            py.detach(|| scheduler.complete(filled, policy, values));
        }
        Ok(())
    }
}
