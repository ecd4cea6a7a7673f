//! Runs a search to its end on the calling thread.

use blob_engine::{
    ACTIONS, CardNames, EncodedActionSet, FEATURES, Features, MAX_PLAYERS, Observation, Round, encode_named,
};

use crate::error::EvaluationError;
use crate::search::determinized::{Leaf, Outcome, Search};
use crate::search::evaluate::{Evaluate, Evaluation};
use crate::search::interrupt::Interrupt;
use crate::search::own_view::{OwnView, with_own_value};
use crate::search::tree::LeafNames;

/// An evaluator that takes all leaves in flight in one call.
pub trait EvaluateBatch {
    /// What it fails with.
    type Error: From<EvaluationError>;

    /// Evaluates rows of encoded observations with their legal actions: writes a policy, of any scale, over the encoded
    /// actions and the values by relative seat for each.
    ///
    /// # Errors
    /// Whatever the evaluator fails with.
    fn evaluate(
        &mut self,
        features: &[Features],
        legal: &[EncodedActionSet],
        policies: &mut [[f32; ACTIONS]],
        values: &mut [[f32; MAX_PLAYERS]],
    ) -> Result<(), Self::Error>;
}

impl Search {
    /// Runs the search to its end with an evaluator that answers at once.
    ///
    /// # Errors
    /// If an evaluation breaks the contract.
    pub fn run(&mut self, evaluator: &mut impl Evaluate) -> Result<Outcome, EvaluationError> {
        self.run_while(evaluator, &mut Interrupt::new(|| true))?;
        Ok(self.outcome())
    }

    /// As [`Self::run`], until it is interrupted; returns whether the search is done. An interrupted search cannot go
    /// on.
    ///
    /// # Errors
    /// If an evaluation breaks the contract.
    pub fn run_while(
        &mut self,
        evaluator: &mut impl Evaluate,
        interrupt: &mut Interrupt<impl FnMut() -> bool>,
    ) -> Result<bool, EvaluationError> {
        let mut leaves: Vec<(Leaf, Round)> = Vec::new();
        let mut policy = [0.0; ACTIONS];
        let mut values = [0.0; MAX_PLAYERS];
        loop {
            let found = |leaf, position: &Round, _| leaves.push((leaf, *position));
            if !self.select_each(found, interrupt) {
                return Ok(false);
            }
            if leaves.is_empty() {
                return Ok(true);
            }
            for (leaf, position) in leaves.drain(..) {
                evaluator.evaluate(&position, leaf.world(), &mut policy, &mut values);
                self.receive(leaf, &Evaluation { policy: &policy, values: &values })?;
            }
        }
    }

    /// As [`Self::run_while`], with all leaves in flight evaluated in one call.
    ///
    /// # Errors
    /// If the evaluator fails or an evaluation breaks the contract.
    pub fn run_in_batches<E: EvaluateBatch>(
        &mut self,
        evaluator: &mut E,
        interrupt: &mut Interrupt<impl FnMut() -> bool>,
    ) -> Result<bool, E::Error> {
        Self::run_all_in_batches(std::slice::from_mut(self), evaluator, interrupt)
    }

    /// Runs several searches side by side, with the leaves in flight of all of them evaluated in one call. Each ends
    /// as it would alone, if the evaluator answers each row the same in any batch.
    ///
    /// # Errors
    /// If the evaluator fails or an evaluation breaks the contract.
    pub fn run_all_in_batches<E: EvaluateBatch>(
        searches: &mut [Self],
        evaluator: &mut E,
        interrupt: &mut Interrupt<impl FnMut() -> bool>,
    ) -> Result<bool, E::Error> {
        let mut leaves: Vec<Asked> = Vec::new();
        let (mut features, mut legal) = (Vec::new(), Vec::new());
        let (mut policies, mut values) = (Vec::new(), Vec::new());
        loop {
            leaves.clear();
            features.clear();
            legal.clear();
            for (index, search) in searches.iter_mut().enumerate() {
                let viewer = search.viewer();
                let mut views = 0;
                let found = |leaf, position: &Round, names: LeafNames| {
                    let mover = position.to_play().expect("a leaf has a seat to move");
                    let mut row_of = |observation: &Observation, names: LeafNames| {
                        features.push(encoded(observation, names.cards));
                        legal.push(names.legal);
                        features.len() - 1
                    };
                    let row = row_of(&position.observe(mover), names);
                    let own = viewer.and_then(|searcher| OwnView::of(position, searcher)).map(|view| {
                        views += 1;
                        (row_of(&view.observation, view.names()), view.place)
                    });
                    leaves.push(Asked { search: index, leaf, row, own });
                };
                let goes_on = search.select_each(found, interrupt);
                search.count_views(views);
                if !goes_on {
                    return Ok(false);
                }
            }
            if leaves.is_empty() {
                return Ok(true);
            }
            policies.resize(features.len(), [0.0; ACTIONS]);
            values.resize(features.len(), [0.0; MAX_PLAYERS]);
            evaluator.evaluate(&features, &legal, &mut policies, &mut values)?;
            let row = |row: usize| Evaluation { policy: &policies[row], values: &values[row] };
            for asked in &leaves {
                let evaluation = row(asked.row);
                let values = match asked.own {
                    Some((own, place)) => {
                        evaluation.value(place)?;
                        with_own_value(&evaluation, place, &row(own))?
                    }
                    None => *evaluation.values,
                };
                searches[asked.search].receive(asked.leaf, &Evaluation { values: &values, ..evaluation })?;
            }
        }
    }
}

/// A leaf whose rows are evaluated.
struct Asked {
    /// Its search.
    search: usize,
    leaf: Leaf,
    row: usize,
    /// The row of the searcher's own view, and the searcher's relative seat from the one that moves.
    own: Option<(usize, usize)>,
}

/// What a seat knows, encoded.
fn encoded(observation: &Observation, names: CardNames) -> Features {
    let mut features = [0; FEATURES];
    encode_named(observation, names, &mut features);
    features
}
