//! `Game`: rounds of C, C-1, … 2 cards, P rounds of 1 card, then 2 … C.

use blob_engine::{GameSpec, PublicState};
use pyo3::prelude::*;

use crate::error::{hundredths, int, number, rules, seat, size};
use crate::round::{Round, RoundRules, read_action, rules_or_default};

/// A whole game; when a round is done, the next one is dealt.
///
/// `result_share`, 0 to 1 in steps of 0.01, is the weight of the game's result in the value that a search gives a round; the
/// rest is the round's score.
#[pyclass(module = "blob_zero")]
pub(crate) struct Game(pub(crate) blob_engine::Game);

#[pymethods]
impl Game {
    #[new]
    #[pyo3(signature = (*, players, cards, seed, dealer = 0, rules = None, result_share = 0.0))]
    fn new(
        #[pyo3(from_py_with = int)] players: i64,
        #[pyo3(from_py_with = int)] cards: i64,
        #[pyo3(from_py_with = int)] seed: i64,
        #[pyo3(from_py_with = int)] dealer: i64,
        rules: Option<RoundRules>,
        result_share: f64,
    ) -> PyResult<Self> {
        let variants = rules_or_default(rules);
        let (players, cards) = size(players, cards, variants)?;
        let dealer = seat(dealer, players)?;
        let result_share = hundredths("result_share", result_share)?;
        let spec = GameSpec { rules: variants, result_share, ..GameSpec::new(players, cards, dealer) };
        blob_engine::Game::deal(&spec, number("seed", seed)?).map(Self).map_err(crate::error::rules)
    }

    /// Number of players, 3 to 8.
    #[getter]
    fn players(&self) -> usize {
        self.0.players()
    }

    /// Cards dealt to each, by round.
    #[getter]
    fn schedule(&self) -> Vec<usize> {
        self.0.schedule().to_vec()
    }

    /// A copy of the round in progress; of the last one when the game is done.
    #[getter]
    fn round(&self) -> Round {
        Round::standing(*self.0.round())
    }

    /// Number of finished rounds.
    #[getter]
    fn rounds_done(&self) -> usize {
        self.0.finished().len()
    }

    /// Points of each seat in the finished rounds.
    #[getter]
    fn totals(&self) -> Vec<usize> {
        self.0.totals().first(self.players()).iter().map(|&total| total.into()).collect()
    }

    /// Points of each seat, by finished round.
    #[getter]
    fn history(&self) -> Vec<Vec<usize>> {
        let scores = |public: &PublicState| {
            let scores = public.scores().unwrap_or_default();
            scores.first(self.players()).iter().map(|&score| score.into()).collect()
        };
        self.0.finished().iter().map(scores).collect()
    }

    /// Whether all rounds are finished.
    #[getter]
    fn done(&self) -> bool {
        self.0.is_done()
    }

    /// The legal actions of the seat to play, ascending; empty when the game is done.
    fn legal_actions(&self) -> Vec<usize> {
        self.0.round().legal_actions().iter().map(|action| action.index()).collect()
    }

    /// Plays an action in the round in progress; the last one of a round scores it and deals the next.
    ///
    /// Raises IllegalActionError, and leaves the game as it is, if the action is not legal.
    fn play(&mut self, action: &Bound<'_, PyAny>) -> PyResult<()> {
        match read_action(action)? {
            Some(action) => self.0.play(action).map_err(rules),
            None => Err(rules(self.0.round().refuse(action))),
        }
    }

    /// An independent copy.
    fn copy(&self) -> Self {
        Self(self.0.clone())
    }

    fn __copy__(&self) -> Self {
        self.copy()
    }

    fn __deepcopy__(&self, _memo: &Bound<'_, PyAny>) -> Self {
        self.copy()
    }

    fn __repr__(&self) -> String {
        format!(
            "<Game of {} players, round {} of {}, totals {:?}>",
            self.players(),
            (self.rounds_done() + 1).min(self.0.schedule().len()),
            self.0.schedule().len(),
            self.totals()
        )
    }
}
