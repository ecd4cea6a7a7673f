//! `Batch`: rows to evaluate and room for their outputs, as views of the core's memory.

use std::sync::Arc;

use blob_engine::{ACTIONS, FEATURES, MAX_PLAYERS};
use blob_mcts::{BatchBuffer, FilledBatch, MemoryBlock as Block, Scheduler};
use numpy::ndarray::ArrayView2;
use numpy::{Element, IntoPyArray, PyArray2, PyArrayMethods};
use pyo3::prelude::*;

use crate::error::config;
use crate::evaluator::{EvaluatorOutputs, decode};
use crate::records::table;

/// A batch of rows to evaluate. Its arrays are views of the core's memory.
#[pyclass(module = "blob_zero._core")]
pub(crate) struct Batch {
    scheduler: Arc<Scheduler>,
    /// `None` once completed.
    filled: Option<FilledBatch>,
    /// The views of the outputs, each with a clone; `None` before the first.
    output_views: Option<Arc<()>>,
}

/// The block of memory that a batch lies in. Batches of a session share a few blocks, one after another.
///
/// It keeps the block where it is, also after its session, but not from being written: it is for a driver that
/// page-locks memory by its address.
#[pyclass(frozen, module = "blob_zero._core")]
pub(crate) struct MemoryBlock(Arc<Block>);

#[pymethods]
impl MemoryBlock {
    /// The address of the first byte, at the start of a page. It names the block as long as this object lives.
    #[getter]
    fn address(&self) -> usize {
        self.0.address()
    }

    /// Its size in bytes, whole pages.
    #[getter]
    fn nbytes(&self) -> usize {
        self.0.bytes()
    }
}

/// Keeps the memory of a view alive: a buffer that is held is not written again.
#[pyclass(frozen)]
struct BufferHolder {
    _buffer: Arc<BatchBuffer>,
    _output_view: Option<Arc<()>>,
}

impl Batch {
    pub(crate) const fn new(scheduler: Arc<Scheduler>, filled: FilledBatch) -> Self {
        Self { scheduler, filled: Some(filled), output_views: None }
    }

    fn filled(&self) -> PyResult<&FilledBatch> {
        self.filled.as_ref().ok_or_else(|| config("the batch is completed; a batch is used until complete()".into()))
    }

    /// An array over the buffer's own memory.
    ///
    /// # Safety
    /// The cells are of this batch's buffer. Nobody writes them while the array lives, except through an array.
    unsafe fn view<'py, T: Element>(
        &self,
        py: Python<'py>,
        cells: *const [T],
        width: usize,
        output_view: Option<&Arc<()>>,
    ) -> PyResult<Bound<'py, PyArray2<T>>> {
        let shape = (cells.len() / width, width);
        let holder =
            BufferHolder { _buffer: Arc::clone(self.filled()?.buffer()), _output_view: output_view.map(Arc::clone) };
        let holder = Bound::new(py, holder)?.into_any();
        // SAFETY: the cells are whole rows of the buffer, which the holder keeps alive and in place.
        Ok(unsafe { PyArray2::borrow_from_array(&ArrayView2::from_shape_ptr(shape, cells.cast()), holder) })
    }

    fn read_only<'py, T: Element>(
        &self,
        py: Python<'py>,
        cells: &[T],
        width: usize,
    ) -> PyResult<Bound<'py, PyArray2<T>>> {
        // SAFETY: the inputs of a batch are not written before the buffer opens again, and it does not while the
        // array's holder refers to it.
        let array = unsafe { self.view(py, cells, width, None)? };
        array.readwrite().make_nonwriteable();
        Ok(array)
    }

    /// An array that an evaluator writes its outputs to.
    fn writable<'py>(
        &mut self,
        py: Python<'py>,
        cells: *mut [f32],
        width: usize,
    ) -> PyResult<Bound<'py, PyArray2<f32>>> {
        let views = Arc::clone(self.output_views.get_or_insert_default());
        // SAFETY: outputs are read, or written by the core, after `complete` alone. That needs this object for itself,
        // so that no view is made meanwhile, and refuses while one lives.
        unsafe { self.view(py, cells, width, Some(&views)) }
    }

    /// Refuses to go on while a view of the outputs lives, through which they could still be written.
    fn check_outputs_are_let_go(&self) -> PyResult<()> {
        match &self.output_views {
            Some(views) if Arc::strong_count(views) > 1 => Err(config(
                "policy or values of the batch are still referenced; let go of these arrays, and of views of them, \
                 before complete()"
                    .into(),
            )),
            _ => Ok(()),
        }
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

    /// The memory that the batch lies in.
    #[getter]
    fn memory(&self) -> PyResult<MemoryBlock> {
        Ok(MemoryBlock(Arc::clone(self.filled()?.buffer().block())))
    }

    /// Encoded observations, uint8[batch_rows, 256], times `feature_scale()`; rows past the filled ones are stale.
    /// Read-only.
    #[getter]
    fn features<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray2<u8>>> {
        let filled = self.filled()?;
        self.read_only(py, filled.inputs().0, FEATURES)
    }

    /// Legal actions, bool[batch_rows, 52]. Read-only.
    #[getter]
    fn legal<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray2<bool>>> {
        let filled = self.filled()?;
        self.read_only(py, filled.inputs().1, ACTIONS)
    }

    /// Where an evaluator may write its policy, float32[batch_rows, 52].
    #[getter]
    fn policy<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyArray2<f32>>> {
        let cells = self.filled()?.outputs().0;
        self.writable(py, cells, ACTIONS)
    }

    /// Where an evaluator may write its values, float32[batch_rows, 8].
    #[getter]
    fn values<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyArray2<f32>>> {
        let cells = self.filled()?.outputs().1;
        self.writable(py, cells, MAX_PLAYERS)
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
        self.check_outputs_are_let_go()?;
        let outputs = EvaluatorOutputs::new(outputs, rows, self.scheduler.batch_rows())?;
        let (policy, values) = outputs.slices()?;
        if let Some(filled) = self.filled.take() {
            let scheduler = &self.scheduler;
            py.detach(|| scheduler.complete(filled, policy, values));
        }
        Ok(())
    }

    /// Takes what was written to `policy` and `values`. No array of these may be held any more.
    fn complete_in_place(&mut self, py: Python<'_>) -> PyResult<()> {
        self.filled()?;
        self.check_outputs_are_let_go()?;
        if self.output_views.is_none() {
            return Err(config("complete_in_place() before anything was written to policy and values".into()));
        }
        if let Some(filled) = self.filled.take() {
            let scheduler = &self.scheduler;
            py.detach(|| scheduler.complete_in_place(filled));
        }
        Ok(())
    }
}
