//! Which worker runs which group: each worker has a queue, and takes from others when its own is empty.
//!
//! A group's trees lie in the cache of the core that touched them last, and in the memory nearest to it. So a runnable
//! group waits in the queue of the worker that ran it before. A worker without work takes a group from another queue
//! and keeps it from then on. No other balancing is needed.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::evaluation::batch_queue::GroupId;

/// Groups that can run, by worker.
pub(crate) struct WorkQueues {
    queues: Vec<Mutex<VecDeque<GroupId>>>,
    /// The worker of each group.
    homes: Vec<AtomicUsize>,
}

impl WorkQueues {
    /// Queues for `workers` workers; groups are dealt out in turn.
    pub(crate) fn new(workers: usize, groups: usize) -> Self {
        Self {
            queues: (0..workers).map(|_| Mutex::default()).collect(),
            homes: (0..groups).map(|group| AtomicUsize::new(group % workers)).collect(),
        }
    }

    /// Queues a runnable group. For each call, [`Self::take`] must be called once.
    pub(crate) fn push(&self, group: GroupId) {
        let home = self.homes[group].load(Ordering::Relaxed);
        self.lock(home).push_back(group);
    }

    /// The next group for a worker: the first of its own queue, or else of the nearest that is not empty.
    pub(crate) fn take(&self, worker: usize) -> GroupId {
        loop {
            for k in 0..self.queues.len() {
                let from = (worker + k) % self.queues.len();
                let group = self.lock(from).pop_front();
                if let Some(group) = group {
                    if k > 0 {
                        self.homes[group].store(worker, Ordering::Relaxed);
                    }
                    return group;
                }
            }
            // There are at least as many groups as takers, so this one lost a race for the last queue.
            std::hint::spin_loop();
        }
    }

    fn lock(&self, worker: usize) -> std::sync::MutexGuard<'_, VecDeque<GroupId>> {
        self.queues[worker].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_stays_with_its_worker_until_another_has_nothing_to_do() {
        let queues = WorkQueues::new(2, 4);
        (0..4).for_each(|group| queues.push(group));
        assert_eq!([queues.take(0), queues.take(1), queues.take(0)], [0, 1, 2]);
        // Worker 0 has run dry and takes group 3 over.
        assert_eq!(queues.take(0), 3);
        [3, 1].into_iter().for_each(|group| queues.push(group));
        assert_eq!([queues.take(1), queues.take(0)], [1, 3]);
    }

    #[test]
    fn every_group_is_taken_once_by_any_number_of_workers() {
        let queues = WorkQueues::new(3, 300);
        let taken = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            for worker in 0..3 {
                let (queues, taken) = (&queues, &taken);
                scope.spawn(move || {
                    (0..100).for_each(|k| queues.push(100 * worker + k));
                    let mine: Vec<GroupId> = (0..100).map(|_| queues.take(worker)).collect();
                    taken.lock().expect("no panic").extend(mine);
                });
            }
        });
        let mut taken = taken.into_inner().expect("no panic");
        taken.sort_unstable();
        assert_eq!(taken, (0..300).collect::<Vec<_>>());
    }
}
