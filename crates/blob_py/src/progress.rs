//! `Progress`: how far a session is.

use pyo3::prelude::*;

/// How far a session is.
#[pyclass(frozen, module = "blob_zero._core")]
pub(crate) struct Progress(pub(crate) blob_mcts::Progress);

#[pymethods]
impl Progress {
    /// Rounds finished.
    #[getter]
    fn rounds_done(&self) -> u64 {
        self.0.rounds_done
    }

    /// Rounds begun.
    #[getter]
    fn rounds_begun(&self) -> u64 {
        self.0.rounds_begun
    }

    /// Rounds to finish; those that pause for a later session count until then.
    #[getter]
    fn rounds(&self) -> u64 {
        self.0.rounds
    }

    /// Decisions taken, by any agent.
    #[getter]
    fn decisions(&self) -> u64 {
        self.0.decisions
    }

    /// Simulations of finished searches.
    #[getter]
    fn simulations(&self) -> u64 {
        self.0.simulations
    }

    /// Evaluations of finished searches.
    #[getter]
    fn evaluations(&self) -> u64 {
        self.0.evaluations
    }

    /// Leaves of finished searches that shared the evaluation of an equal row of their round.
    #[getter]
    fn repeats(&self) -> u64 {
        self.0.repeats
    }

    /// Batches handed to evaluators.
    #[getter]
    fn batches(&self) -> u64 {
        self.0.batches
    }

    /// Filled rows of these batches.
    #[getter]
    fn rows(&self) -> u64 {
        self.0.rows
    }

    fn __repr__(&self) -> String {
        format!("{:?}", self.0)
    }
}
