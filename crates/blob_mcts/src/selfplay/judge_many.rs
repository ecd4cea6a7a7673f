//! Many positions judged by playouts at once, on threads that live as long as the call.

use std::num::NonZero;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use blob_engine::Observation;
use blob_engine::rng::{Purpose, stream};

use crate::search::{ActionPlayouts, Interrupt, action_playouts};

/// How often the calling thread looks whether to go on.
const LOOK: Duration = Duration::from_millis(20);

/// [`action_playouts`] of each observation with the seed beside it; `None` if `keep_going` returned false.
///
/// `keep_going` is called on the calling thread alone. The result does not depend on the number of threads.
///
/// # Panics
/// If an observer is not to play, or there are fewer seeds than observations.
pub fn judge_many(
    observations: &[Observation],
    seeds: &[u64],
    worlds: usize,
    mut keep_going: impl FnMut() -> bool,
) -> Option<Vec<Vec<ActionPlayouts>>> {
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get).min(observations.len());
    let (next, stopped) = (AtomicUsize::new(0), AtomicBool::new(false));
    let found: Vec<_> = observations.iter().map(|_| Mutex::new(None)).collect();
    let caller = std::thread::current();
    let work = || {
        let mut interrupt = Interrupt::new(|| !stopped.load(Ordering::Relaxed));
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(observation) = observations.get(index) else { break };
            let mut rng = stream(seeds[index], Purpose::Flat, &[]);
            let Some(playouts) = action_playouts(observation, worlds, &mut rng, &mut interrupt) else { break };
            *found[index].lock().unwrap_or_else(PoisonError::into_inner) = Some(playouts);
        }
        caller.unpark();
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        while workers.iter().any(|worker| !worker.is_finished()) {
            std::thread::park_timeout(LOOK);
            if !keep_going() {
                stopped.store(true, Ordering::Relaxed);
                break;
            }
        }
    });
    found.into_iter().map(|cell| cell.into_inner().unwrap_or_else(PoisonError::into_inner)).collect()
}
