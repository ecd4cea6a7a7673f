//! `Observation`: what a seat knows.

use blob_engine::rng::{Purpose, stream};
use blob_engine::{ACTIONS, FEATURE_SCALE, FEATURES, Features, WorldSampler};
use blob_mcts::Past;
use numpy::ndarray::Array2;
use numpy::{IntoPyArray, PyArray1, PyArray2};
use pyo3::prelude::*;

use crate::error::{config, int, number};
use crate::round::{Round, card_texts, legal_mask};

/// Most worlds of one call; their hands take at most 2 GiB.
const MAX_WORLDS: i64 = 1 << 25;

/// Most rounds of one call; they take at most a gigabyte.
const MAX_ROUNDS: i64 = 1 << 20;

/// What one seat knows: its own hand, the public history, bids and voids shown.
///
/// Observations are equal if the seat stands alike, however it came there.
#[pyclass(frozen, eq, module = "blob_zero")]
pub(crate) struct Observation(blob_engine::Observation, Option<Past>);

impl PartialEq for Observation {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for Observation {}

impl Observation {
    pub(crate) const fn new(inner: blob_engine::Observation, past: Option<Past>) -> Self {
        Self(inner, past)
    }

    /// What everybody saw of the round so far, where that is known.
    pub(crate) const fn past(&self) -> Option<&Past> {
        self.1.as_ref()
    }

    pub(crate) const fn inner(&self) -> &blob_engine::Observation {
        &self.0
    }

    fn features(&self) -> Features {
        let mut features = [0; FEATURES];
        blob_engine::encode(&self.0, &mut features);
        features
    }
}

#[pymethods]
impl Observation {
    /// The seat of the observer.
    #[getter]
    fn seat(&self) -> usize {
        self.0.seat().index()
    }

    /// The observer's hand, in ascending card index.
    #[getter]
    fn hand(&self) -> Vec<String> {
        card_texts(self.0.hand())
    }

    /// The observer's legal actions, ascending; empty when another seat is to play.
    fn legal_actions(&self) -> Vec<usize> {
        self.0.legal_actions().iter().map(|action| action.index()).collect()
    }

    /// The legal actions as bool[52].
    fn legal_mask<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<bool>> {
        legal_mask(py, self.0.legal_actions())
    }

    /// The place of each legal action in an evaluator's policy, uint8[52]: a card by its relative rank, a bid by its
    /// number. An action that is not legal has its own number.
    fn encoded_actions<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<u8>> {
        let names = self.0.card_names();
        let mut places: [u8; ACTIONS] = std::array::from_fn(|k| k as u8);
        for action in self.0.legal_actions().iter() {
            places[action.index()] = names.action(action).index() as u8;
        }
        PyArray1::from_slice(py, &places)
    }

    /// The encoding as float32[256]; docs/observation.md names every index.
    fn encode<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<f32>> {
        let bytes = self.features();
        let features: [f32; FEATURES] = std::array::from_fn(|k| f32::from(bytes[k]) * FEATURE_SCALE[k]);
        PyArray1::from_slice(py, &features)
    }

    /// The encoding as uint8[256]; `encode()` is this times `feature_scale()`.
    fn encode_bytes<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<u8>> {
        PyArray1::from_slice(py, &self.features())
    }

    /// Worlds drawn uniformly from all that fit, uint64[count, players]: each hand as a bit set over card indices.
    #[pyo3(signature = (count, seed = 1))]
    fn sample_worlds<'py>(
        &self,
        py: Python<'py>,
        #[pyo3(from_py_with = int)] count: i64,
        #[pyo3(from_py_with = int)] seed: i64,
    ) -> PyResult<Bound<'py, PyArray2<u64>>> {
        if !(1..=MAX_WORLDS).contains(&count) {
            return Err(config(format!("count is {count}; one call draws 1 to {MAX_WORLDS} worlds")));
        }
        let mut rng = stream(number("seed", seed)?, Purpose::Worlds, &[]);
        let players = self.0.public().players();
        let worlds = py.detach(|| {
            let sampler = WorldSampler::new(&self.0);
            let mut worlds = Array2::zeros((count as usize, players));
            for mut row in worlds.rows_mut() {
                let hands = sampler.sample_hands(&mut rng);
                for (bits, hand) in row.iter_mut().zip(hands.0) {
                    *bits = hand.bits();
                }
            }
            worlds
        });
        Ok(worlds.into_pyarray(py))
    }

    /// Worlds drawn as by `sample_worlds`, each as the round that goes on from here in that world.
    #[pyo3(signature = (count, seed = 1))]
    fn sample_rounds(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = int)] count: i64,
        #[pyo3(from_py_with = int)] seed: i64,
    ) -> PyResult<Vec<Round>> {
        if !(1..=MAX_ROUNDS).contains(&count) {
            return Err(config(format!("count is {count}; one call draws 1 to {MAX_ROUNDS} rounds")));
        }
        let mut rng = stream(number("seed", seed)?, Purpose::Worlds, &[]);
        Ok(py.detach(|| {
            let sampler = WorldSampler::new(&self.0);
            (0..count).map(|_| Round::standing(sampler.sample(&mut rng))).collect()
        }))
    }

    fn __repr__(&self) -> String {
        format!("<Observation of seat {}, hand {}>", self.0.seat(), self.0.hand())
    }
}
