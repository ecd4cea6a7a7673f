//! `action_playouts` and `ismcts`: judgements and searches without a network.

use blob_engine::MAX_CARDS;
use blob_engine::rng::{Purpose, stream};
use blob_mcts::{ActionPlayouts, Interrupt, Ismcts, judge_many};
use numpy::{IntoPyArray, PyArray1, PyArray2};
use pyo3::prelude::*;

use crate::error::{config, count, int, number};
use crate::observation::Observation;
use crate::records::table;
use crate::search::SearchResult;
use crate::signals::SignalCheck;

/// Most worlds of one position, and simulations of one search.
const MOST: i64 = 1 << 22;

/// What `action_playouts` finds about one observation, by legal action in ascending order: tricks, made, points.
type Found<'py> = (Bound<'py, PyArray2<u32>>, Bound<'py, PyArray1<u32>>, Bound<'py, PyArray2<f64>>);

/// Plays each legal action of each observation out in the same `worlds` worlds, by the rule bot in every seat.
///
/// For each observation, by legal action in ascending order: the number of worlds by own tricks in the round, uint32[A, 14],
/// the number of worlds in which the own bid is made, uint32[A], and the mean points by absolute seat, float64[A, players].
#[pyfunction]
#[pyo3(signature = (observations, *, seeds, worlds))]
pub(crate) fn action_playouts<'py>(
    py: Python<'py>,
    observations: Vec<PyRef<'py, Observation>>,
    seeds: Vec<i64>,
    #[pyo3(from_py_with = int)] worlds: i64,
) -> PyResult<Vec<Found<'py>>> {
    if seeds.len() != observations.len() {
        return Err(config(format!("{} seeds for {} observations; each has one", seeds.len(), observations.len())));
    }
    let seeds = seeds.into_iter().map(|seed| number("seed", seed)).collect::<PyResult<Vec<_>>>()?;
    let worlds = at_most("worlds", worlds)?;
    let positions = observations.iter().map(|one| decision(one)).collect::<PyResult<Vec<_>>>()?;
    let mut signals = SignalCheck::new(|_| Ok(true));
    let found = py.detach(|| judge_many(&positions, &seeds, worlds, || signals.go_on()));
    signals.raise()?;
    let found = found.unwrap_or_default();
    Ok(positions.iter().zip(found).map(|(one, found)| arrays(py, &found, worlds, one.public().players())).collect())
}

/// Searches one decision by the yardstick `ismcts:N`.
#[pyfunction]
#[pyo3(signature = (observation, *, simulations, seed))]
pub(crate) fn ismcts(
    py: Python<'_>,
    observation: PyRef<'_, Observation>,
    #[pyo3(from_py_with = int)] simulations: i64,
    #[pyo3(from_py_with = int)] seed: i64,
) -> PyResult<SearchResult> {
    let (simulations, seed) = (at_most("simulations", simulations)?, number("seed", seed)?);
    let position = decision(&observation)?;
    let mut signals = SignalCheck::new(|_| Ok(true));
    let outcome = py.detach(|| {
        let mut rng = stream(seed, Purpose::Ismcts, &[]);
        Ismcts::default().search(&position, simulations, &mut rng, &mut Interrupt::new(|| signals.go_on()))
    });
    signals.raise()?;
    match outcome {
        Some(outcome) => Ok(SearchResult::new(outcome, position.public().players())),
        None => Err(config("the search was interrupted".into())),
    }
}

fn at_most(name: &str, value: i64) -> PyResult<usize> {
    if (1..=MOST).contains(&value) {
        return count(name, value);
    }
    Err(config(format!("{name} is {value}; it is 1 to {MOST}")))
}

fn decision(observation: &Observation) -> PyResult<blob_engine::Observation> {
    let inner = *observation.inner();
    if inner.legal_actions().is_empty() {
        return Err(config(format!("the observation is of seat {}, which is not to play", inner.seat())));
    }
    Ok(inner)
}

fn arrays<'py>(py: Python<'py>, found: &[ActionPlayouts], worlds: usize, players: usize) -> Found<'py> {
    let tricks: Vec<u32> = found.iter().flat_map(|one| one.tricks).collect();
    let made: Vec<u32> = found.iter().map(|one| one.made).collect();
    let mean = |sum: u64| sum as f64 / worlds as f64;
    let points: Vec<f64> =
        found.iter().flat_map(|one| one.points.first(players).iter().map(|&sum| mean(sum))).collect();
    (table(tricks, MAX_CARDS + 1).into_pyarray(py), made.into_pyarray(py), table(points, players).into_pyarray(py))
}
