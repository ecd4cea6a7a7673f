"""Evaluators that write their outputs into a batch's own memory."""

from contextlib import contextmanager

import numpy as np
import pytest
from support.evaluators import HashingOfWholeBuffers, hash_bytes

import blob_zero as bz

PLAY = {"players": 4, "cards": 4, "worlds": 2, "simulations": 8, "rounds": 100, "seed": 3, "batch_rows": 32}


class InPlace(HashingOfWholeBuffers):
    """The same opinions, written in place; counts the sessions that it serves."""

    workers = 2

    def __init__(self, fail_at=None):
        super().__init__()
        self.open = self.batches = 0
        self.fail_at = fail_at

    @contextmanager
    def in_place(self):
        self.open += 1
        try:
            yield self.evaluate
        finally:
            self.open -= 1

    def evaluate(self, batch):
        self.batches += 1
        if self.batches == self.fail_at:
            raise ZeroDivisionError("on purpose")
        batch.policy[:], batch.values[:] = hash_bytes(batch.features)


def play(evaluator):
    return bz.SelfPlay(**PLAY).run(evaluator)


def started(**changes):
    return bz.SelfPlay(**{**PLAY, "threads": 1, **changes}).plan().start()


def test_outputs_in_place_give_the_same_records():
    in_place, returned = InPlace(), HashingOfWholeBuffers()
    one, other = play(in_place), play(returned)
    for column in ("features", "policy", "values", "root_values", "round", "seat", "points"):
        np.testing.assert_array_equal(getattr(one, column), getattr(other, column))
    assert in_place.batches == one.stats.batches
    assert in_place.shapes == set(), "nothing went through evaluate_batch"
    assert in_place.open == 0


@pytest.mark.parametrize("fail_at", [1, 7])
def test_the_use_of_a_sessions_memory_ends_with_an_exception(fail_at):
    evaluator = InPlace(fail_at)
    with pytest.raises(ZeroDivisionError, match="on purpose"):
        play(evaluator)
    assert evaluator.open == 0


def test_inputs_are_read_only_and_outputs_are_not():
    session = started()
    batch = session.next_batch()
    assert [array.flags.writeable for array in (batch.features, batch.legal, batch.policy, batch.values)] == [
        False,
        False,
        True,
        True,
    ]
    assert [array.shape for array in (batch.policy, batch.values)] == [(32, 52), (32, 8)]
    start, end = batch.memory.address, batch.memory.address + batch.memory.nbytes
    for array in (batch.features, batch.legal, batch.policy, batch.values):
        assert start <= array.ctypes.data < array.ctypes.data + array.nbytes <= end
    session.close()


def test_outputs_that_are_still_held_are_refused():
    session = started()
    batch = session.next_batch()
    batch.policy[:], batch.values[:] = hash_bytes(batch.features)
    held = batch.policy[3:5]
    for complete in (batch.complete_in_place, lambda: batch.complete(hash_bytes(batch.features))):
        with pytest.raises(bz.BlobError, match="still referenced"):
            complete()
    del held
    batch.complete_in_place()
    with pytest.raises(bz.BlobError, match="the batch is completed"):
        _ = batch.policy
    session.close()


def test_outputs_that_nobody_wrote_are_refused():
    session = started()
    batch = session.next_batch()
    with pytest.raises(bz.BlobError, match="before anything was written"):
        batch.complete_in_place()
    session.close()


def test_memory_is_not_used_again_before_its_batch_is_complete():
    session = started(rounds_in_flight=200, rounds=400)
    first, second, third = (session.next_batch() for _ in range(3))
    features = first.features.copy()
    assert len({batch.memory.address for batch in (first, second, third)}) == 3
    for batch in (second, third):
        batch.policy[:], batch.values[:] = hash_bytes(batch.features)
        batch.complete_in_place()
    seen = set()
    for _ in range(100):
        batch = session.next_batch()
        seen.add(batch.memory.address)
        batch.complete(hash_bytes(batch.features))
    assert len(seen) < 30, "memory of completed batches is used again"
    assert first.memory.address not in seen
    np.testing.assert_array_equal(first.features, features)
    session.close()
