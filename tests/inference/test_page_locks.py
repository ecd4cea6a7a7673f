"""Batches that a GPU reads and writes where the core keeps them."""

import gc
import warnings

import numpy as np
import pytest
from support.fake_cuda import fake_cuda as fake_cuda
from support.networks import network
from support.training_fakes import SMALL

import blob_zero as bz
from blob_zero.inference.cuda_lane import CudaLane
from blob_zero.inference.inference import Inference

PLAY = {"players": 4, "cards": 3, "worlds": 2, "simulations": 6, "rounds": 60, "seed": 5, "batch_rows": 16}


def on_gpu(net, **settings):
    # One thread: the stand-in for devices is the test's own thread's.
    inference = Inference(net, **{"device": "cuda:1", "dtype": "fp32", "compile": False, "workers": 1, **settings})
    inference.prepare(16)
    return inference


def play(evaluator, **changes):
    return bz.SelfPlay(**{**PLAY, **changes}).run(evaluator)


class ThroughCopies:
    """The same network by `evaluate_batch` alone."""

    def __init__(self, inference):
        self.evaluate_batch = inference.evaluate_batch


@pytest.fixture
def where(fake_cuda, monkeypatch):
    """Says for each batch at the GPU whether its inputs and its outputs lie in locked memory."""
    places = []
    evaluate = CudaLane._evaluate

    def watched(self, batch):
        places.append([fake_cuda.runtime.holds(array) for array in batch])
        evaluate(self, batch)

    monkeypatch.setattr(CudaLane, "_evaluate", watched)
    return places


def test_batches_are_evaluated_where_the_core_keeps_them(fake_cuda, where):
    inference = on_gpu(network(**SMALL))
    where.clear()
    direct = play(inference)
    runtime = fake_cuda.runtime
    assert len(where) == direct.stats.batches > 20
    assert np.all(where)
    blocks = {address for call, address in runtime.calls if call == "lock"}
    assert 1 <= len(blocks) < 20, "buffers are used again"
    # Each once, and nothing stays.
    assert sorted(runtime.calls) == sorted((call, address) for call in ("lock", "unlock") for address in blocks)
    assert runtime.locked == {}
    where.clear()
    copied = play(ThroughCopies(inference))
    assert not np.any(where)
    for column in ("features", "policy", "values", "root_values", "points"):
        np.testing.assert_array_equal(getattr(direct, column), getattr(copied, column))


@pytest.mark.parametrize("batches", [0, 1, 9])
def test_nothing_stays_locked_after_an_exception(fake_cuda, monkeypatch, batches):
    inference = on_gpu(network(**SMALL))
    evaluate, calls = CudaLane._evaluate, []

    def failing(self, batch):
        calls.append(len(fake_cuda.runtime.locked))
        if len(calls) > batches:
            raise ZeroDivisionError("from the GPU")
        evaluate(self, batch)

    monkeypatch.setattr(CudaLane, "_evaluate", failing)
    with pytest.raises(ZeroDivisionError, match="from the GPU") as error:
        play(inference)
    assert calls[-1] >= 1
    assert fake_cuda.runtime.locked == {}
    del error


def test_two_networks_lock_the_memory_of_their_match_once(fake_cuda, where):
    one, other = (bz.Agent.network(on_gpu(network(seed=seed, **SMALL)), worlds=2, simulations=4) for seed in (1, 2))
    where.clear()
    bz.play_match(one, other, players=3, cards=3, deals=20, seed=1, batch_rows=16)
    assert np.all(where)
    runtime = fake_cuda.runtime
    blocks = {address for _, address in runtime.calls}
    assert sorted(runtime.calls) == sorted((call, address) for call in ("lock", "unlock") for address in blocks)


def test_memory_that_cannot_be_locked_is_copied_and_said_once(fake_cuda, where):
    inference = on_gpu(network(**SMALL))
    expected = play(ThroughCopies(inference))
    fake_cuda.runtime.refusal = 801
    where.clear()
    with pytest.warns(RuntimeWarning, match=r"cannot page-lock .* for cuda:1 \(CUDA error 801\)") as said:
        copied = play(inference)
    assert len(said) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        play(inference)
    assert [call for call, _ in fake_cuda.runtime.calls] == ["lock"]
    assert not np.any(where)
    np.testing.assert_array_equal(copied.policy, expected.policy)


def test_without_page_locked_memory_nothing_is_locked(fake_cuda):
    play(on_gpu(network(**SMALL), pinned_memory=False))
    assert fake_cuda.runtime.calls == []


def test_a_block_that_cannot_be_unlocked_is_never_freed(fake_cuda, monkeypatch):
    kept = []
    monkeypatch.setattr("blob_zero.inference.page_locks._kept", kept)
    monkeypatch.setattr(fake_cuda.runtime, "cudaHostUnregister", lambda _: 719)
    play(on_gpu(network(**SMALL)))
    gc.collect()
    assert {block.address for block in kept} == set(fake_cuda.runtime.locked)
