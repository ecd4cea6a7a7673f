"""The pool against workers that die, hang, answer twice and answer late; time is a counter."""

import random
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from blob_zero.cluster.pool import AT_ONCE, Pool, WorkerLostError
from blob_zero.errors import ClusterError, ConfigError


class FakeFutures:
    """Workers that need `seconds` for a task, one task after the other; waiting advances the clock."""

    def __init__(self, workers, *, seconds=1.0):
        self.workers = workers
        self.now = 0.0
        self.seconds = [seconds] * workers
        self.dead = set()
        self.hung = set()
        self.free_at = [0.0] * workers
        self.submitted = []  # (worker, task, time of its end)
        self.failing = {}
        self.events = []  # (time, what happens then)

    def submit(self, worker, task):
        end = max(self.now, self.free_at[worker]) + self.seconds[worker]
        self.free_at[worker] = end
        self.submitted.append((worker, task, end))
        held = [k for k, (who, _, ends) in enumerate(self.submitted) if who == worker and ends > self.now]
        assert len(held) <= AT_ONCE or worker in self.hung
        return len(self.submitted) - 1

    def wait(self, handles, *, seconds):
        self.now += seconds
        for event in [event for event in self.events if event[0] <= self.now]:
            self.events.remove(event)
            event[1]()
        return [handle for handle in handles if self._ended(handle)]

    def _ended(self, handle):
        worker, _, end = self.submitted[handle]
        return worker in self.dead or (worker not in self.hung and end <= self.now)

    def result(self, handle):
        worker, task, end = self.submitted[handle]
        if worker in self.dead and end > self.now:
            raise WorkerLostError("its node is gone")
        if task in self.failing:
            raise self.failing[task]
        return task * 10

    def at(self, time, happens):
        self.events.append((time, happens))

    def tasks_of(self, worker):
        return [task for who, task, _ in self.submitted if who == worker]


def pool_of(futures, notices=None):
    return Pool(futures, notice=(notices or []).append, clock=lambda: futures.now)


def expected(count):
    return [10 * task for task in range(count)]


def test_results_come_in_the_order_of_the_tasks_and_few_tasks_are_spread():
    futures = FakeFutures(3)
    futures.seconds = [3.0, 1.0, 0.5]
    came = []
    assert pool_of(futures).run(range(20), on_result=came.append) == expected(20)
    assert sorted(came) == expected(20)
    assert came != expected(20)
    spread = FakeFutures(3)
    pool_of(spread).run(range(3))
    assert [spread.tasks_of(worker) for worker in range(3)] == [[0], [1], [2]]


def test_the_tasks_of_a_dead_worker_are_done_by_others():
    futures = FakeFutures(3)
    futures.at(1.5, lambda: futures.dead.add(1))
    pool = pool_of(futures)
    assert pool.run(range(12)) == expected(12)
    assert pool.workers == 2
    before = len(futures.tasks_of(1))
    assert pool.run(range(6)) == expected(6)
    assert len(futures.tasks_of(1)) == before


def test_the_tasks_of_a_hung_worker_are_done_by_idle_ones_and_it_gets_no_more():
    futures = FakeFutures(3)
    futures.hung.add(2)
    pool = pool_of(futures)
    assert pool.run(range(12)) == expected(12)
    assert futures.now < 4 * 1.0 + 8, "patience is four times a task, not a timeout"
    assert len(futures.tasks_of(2)) == AT_ONCE
    assert pool.run(range(6)) == expected(6)
    assert len(futures.tasks_of(2)) == AT_ONCE


def test_a_late_result_counts_neither_twice_nor_for_a_later_call():
    futures = FakeFutures(2, seconds=1.0)
    futures.hung.add(1)
    pool = pool_of(futures)
    came = []
    assert pool.run(range(4), on_result=came.append) == expected(4)
    # What the hung worker held comes in during the next call, whose tasks have the same numbers.
    futures.hung.clear()
    more = []
    assert pool.run(range(100, 104), on_result=more.append) == [1000, 1010, 1020, 1030]
    assert (sorted(came), sorted(more)) == (expected(4), [1000, 1010, 1020, 1030])
    assert futures.tasks_of(1)[AT_ONCE:], "a worker that answers again works again"


def test_of_two_answers_the_first_counts():
    futures = FakeFutures(3, seconds=1.0)
    futures.seconds[2] = 30.0
    came = []
    assert pool_of(futures).run(range(9), on_result=came.append) == expected(9)
    assert sorted(came) == expected(9)
    assert futures.now < 30.0


def test_an_error_of_a_task_is_raised_and_is_no_loss():
    futures = FakeFutures(2)
    futures.failing[3] = ConfigError("worlds is 0")
    pool = pool_of(futures)
    with pytest.raises(ConfigError, match="worlds is 0"):
        pool.run(range(6))
    del futures.failing[3]
    assert pool.run(range(6)) == expected(6)
    assert pool.workers == 2


def test_without_workers_it_says_so():
    futures = FakeFutures(2)
    futures.at(0.5, lambda: futures.dead.update((0, 1)))
    pool = pool_of(futures)
    with pytest.raises(ClusterError, match="no worker is left"):
        pool.run(range(6))
    # A match may follow the self-play that lost them, on another thread.
    with pytest.raises(ClusterError, match="no worker is left"):
        pool.run(range(2))


def test_calls_on_several_threads_take_turns():
    class OneAtATime(FakeFutures):
        here = 0

        def wait(self, handles, *, seconds):
            self.here += 1
            assert self.here == 1, "the pool drives its futures from one thread at a time"
            ended = super().wait(handles, seconds=seconds)
            time.sleep(0.001)
            self.here -= 1
            return ended

    futures = OneAtATime(3)
    pool = pool_of(futures)
    with ThreadPoolExecutor(4) as threads:
        calls = [threads.submit(pool.run, range(first, first + 10)) for first in (0, 100, 200, 300)]
        results = [call.result(timeout=60) for call in calls]
    assert results == [[10 * task for task in range(first, first + 10)] for first in (0, 100, 200, 300)]


def test_a_task_that_costs_workers_is_blamed():
    futures = FakeFutures(8)
    submit = futures.submit

    def poisoned(worker, task):
        if task == 0:
            futures.at(futures.now + 0.2, lambda: futures.dead.add(worker))
        return submit(worker, task)

    futures.submit = poisoned
    with pytest.raises(ClusterError, match="3 workers were lost at the same task"):
        pool_of(futures).run(range(8))


@pytest.mark.parametrize("seed", range(40))
def test_whatever_happens_to_all_but_one_worker_each_result_comes_once(seed):
    rng = random.Random(seed)
    futures = FakeFutures(5, seconds=1.0)
    futures.seconds = [rng.choice([0.2, 1.0, 6.0]) for _ in range(5)]
    for worker in range(1, 5):
        if rng.random() < 0.6:
            group = rng.choice([futures.hung, futures.dead])
            futures.at(rng.uniform(0, 6), lambda group=group, worker=worker: group.add(worker))
    pool = pool_of(futures)
    for first in (0, 50):
        came = []
        assert pool.run(range(first, first + 25), on_result=came.append) == [10 * k for k in range(first, first + 25)]
        assert sorted(came) == [10 * k for k in range(first, first + 25)]
