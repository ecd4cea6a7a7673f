//! What a learner computes of the rows of a minibatch beside its matrix products: one pass over the rows takes the
//! place of a hundred small operations of PyTorch.

mod judging;
mod outcome_losses;
mod softmax;

pub use judging::{ActionValues, Judged, Taken, judge};
pub use outcome_losses::{LOSSES, OutcomeGradients, Outcomes, TRICKS, Targets, outcome_gradients, outcome_losses};
