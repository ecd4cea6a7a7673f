//! A leaf as the seat that searches sees it.
//!
//! The row of a leaf is what the seat that moves there knows, so that its policy is right. But it does not show the
//! searcher's hand, by whose value the search decides in the end. Where another seat moves, the searcher's own value can
//! come from a second row: what the searcher knows in that world.

use blob_engine::{EncodedActionSet, MAX_PLAYERS, Observation, Round, Seat};

use crate::error::EvaluationError;
use crate::search::evaluate::Evaluation;
use crate::search::tree::LeafNames;

/// What the searcher knows at a leaf where another seat moves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OwnView {
    pub(crate) observation: Observation,
    /// The searcher's relative seat from the one that moves.
    pub(crate) place: usize,
}

impl OwnView {
    /// The searcher's view of a leaf; `None` where the searcher itself moves, whose row the leaf's own is.
    pub(crate) fn of(position: &Round, searcher: Seat) -> Option<Self> {
        let mover = position.to_play().filter(|&mover| mover != searcher)?;
        let place = searcher.relative_to(mover, position.public().players());
        Some(Self { observation: position.observe(searcher), place })
    }

    /// The names in the searcher's row, where no action is legal: no policy is wanted of it.
    pub(crate) fn names(&self) -> LeafNames {
        LeafNames { cards: self.observation.card_names(), legal: EncodedActionSet::EMPTY }
    }
}

/// The values of a leaf with the searcher's own in its place, both by relative seat from the one that moves.
///
/// The value that is replaced is to be checked before: it counts where another seat meets the same row.
///
/// # Errors
/// If the searcher's value is no number in [-1, 1].
pub(crate) fn with_own_value(
    leaf: &Evaluation<'_>,
    place: usize,
    own: &Evaluation<'_>,
) -> Result<[f32; MAX_PLAYERS], EvaluationError> {
    let mut values = *leaf.values;
    values[place] = own.value(0)?;
    Ok(values)
}
