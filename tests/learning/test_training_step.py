"""The training step where it is not the plain one: in parts, compiled, or without the memory for either."""

import warnings

import numpy as np
import pytest
import torch
from support.training_fakes import SMALL, random_rows, ring_of

from blob_zero.config.schema import TrainingConfig
from blob_zero.errors import DeviceError
from blob_zero.learning.learner import Learner
from blob_zero.learning.minibatches import DeviceRows
from blob_zero.model.blobnet import NetworkShape
from blob_zero.model.networks import seeded_network

CPU = torch.device("cpu")


def make_learner(**settings):
    config = TrainingConfig(**{"precision": "fp32", "epochs": 2, "batch_size": 32, **settings})
    return Learner(seeded_network(NetworkShape(values=8, **SMALL), seed=0), config, device=CPU, iterations=10)


@pytest.fixture
def ring():
    """Rounds of 3 to 8 players, so that parts of a batch differ in the seats that count."""
    rows = random_rows(np.random.default_rng(0), 100)
    rows.features[:, 228] = np.random.default_rng(1).integers(3, 9, 100)
    return ring_of(rows)


def weights_of(learner):
    return [p.detach().clone() for p in learner.net.parameters()]


def gradients_of(learner, ring):
    """The gradient of the first 32 rows, and what the step said of them."""
    batch = DeviceRows(ring, device=CPU).batch(torch.arange(32))
    told = []
    measured = learner.step(batch, rate=1e-3, notice=told.append)
    return [p.grad.clone() for p in learner.net.parameters()], measured, told


def fail_in_forward(learner, when):
    """Has the network run out of memory where `when(call, rows)` says so; calls are counted from 1."""
    calls = []

    def hook(_net, inputs):
        calls.append(len(inputs[0]))
        if when(len(calls), calls[-1]):
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")

    learner.net.register_forward_pre_hook(hook)
    return calls


@pytest.mark.parametrize(
    ("when", "sizes", "parts"),
    [
        (lambda _call, rows: rows > 8, [32, 16, 8, 8, 8, 8], 4),
        # The second part fails: the gradient of the first must not be counted twice.
        (lambda call, _rows: call in (1, 3), [32, 16, 16, 8, 8, 8, 8], 4),
    ],
)
def test_a_batch_too_large_for_the_memory_is_learned_in_parts(ring, when, sizes, parts):
    expected, measured, silence = gradients_of(make_learner(), ring)
    assert silence == []
    short = make_learner()
    calls = fail_in_forward(short, when)
    got, measured_in_parts, told = gradients_of(short, ring)
    assert calls == sizes
    assert short.gradients.parts == parts
    assert [line.partition(" in ")[2].partition(" from")[0] for line in told] == ["2 parts", "4 parts"]
    torch.testing.assert_close(got, expected)
    torch.testing.assert_close(measured_in_parts, measured)


def test_the_parts_stay_for_the_steps_that_follow(ring):
    learner = make_learner()
    calls = fail_in_forward(learner, lambda _call, rows: rows > 16)
    told = []
    metrics = learner.train(ring, np.random.default_rng(0), iteration=1, notice=told.append)
    assert calls == [32, *[16] * 12]
    assert len(told) == 1
    assert metrics.steps == 6


def test_memory_for_not_even_a_row_is_an_error(ring):
    learner = make_learner()
    before = weights_of(learner)
    fail_in_forward(learner, lambda _call, _rows: True)
    with pytest.raises(DeviceError, match="memory of cpu is exhausted by training on a single row"):
        gradients_of(learner, ring)
    assert all(map(torch.equal, weights_of(learner), before))


def test_a_compiled_step_learns_the_same(ring):
    plain, compiled = make_learner(), make_learner(compile=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some versions of the compiler warn of their own imports
        got, measured, _ = gradients_of(compiled, ring)
    if not compiled.gradients.compiled:
        pytest.skip("this machine cannot compile")
    expected, plainly, _ = gradients_of(plain, ring)
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(measured, plainly, rtol=1e-4, atol=1e-6)


def test_a_step_that_cannot_be_compiled_is_said_once_and_runs_without(ring, monkeypatch):
    def broken():
        raise RuntimeError("no C++ compiler found: torch.compile is not supported on Python 3.99\nand a long trace")

    monkeypatch.setattr("blob_zero.learning.gradients._compiled", broken)
    learner, plain = make_learner(compile=True), make_learner(compile=False)
    with pytest.warns(RuntimeWarning, match=r"cpu, going on without: RuntimeError: no C\+\+ compiler") as said:
        learner.train(ring, np.random.default_rng(0), iteration=1)
    assert len(said) == 1
    plain.train(ring, np.random.default_rng(0), iteration=1)
    assert all(map(torch.equal, weights_of(learner), weights_of(plain)))


def test_a_defect_is_raised_although_the_step_is_compiled(ring, monkeypatch):
    def broken():
        raise TypeError("a defect")

    monkeypatch.setattr("blob_zero.learning.gradients._compiled", broken)
    learner = make_learner(compile=True)
    with pytest.raises(TypeError, match="a defect"):
        gradients_of(learner, ring)
    assert learner.gradients.compiled


def test_on_a_cpu_auto_does_not_compile():
    assert not make_learner().gradients.compiled


def test_an_error_that_is_no_shortage_of_memory_comes_through(ring):
    learner = make_learner(compile=False)
    learner.net.register_forward_pre_hook(lambda *_: (_ for _ in ()).throw(RuntimeError("a defect")))
    with pytest.raises(RuntimeError, match="a defect"):
        gradients_of(learner, ring)


def test_progress_tells_each_step_on_a_cpu(ring):
    told = []
    metrics = make_learner().train(
        ring, np.random.default_rng(0), iteration=1, progress=lambda *step: told.append(step)
    )
    assert [step[:2] for step in told] == [(k, 6) for k in range(1, 7)]
    assert told[-1][2] == pytest.approx(metrics.losses["policy_loss"] + metrics.losses["value_loss"])
