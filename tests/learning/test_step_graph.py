"""A whole training step as a graph, on GPUs that a stand-in plays."""

import numpy as np
import pytest
import torch
from support.fake_cuda import fake_cuda as fake_cuda
from support.training_fakes import SMALL, random_rows

from blob_zero.config.schema import TrainingConfig
from blob_zero.learning.gradients import _loss
from blob_zero.learning.learner import Learner
from blob_zero.learning.minibatches import DeviceRows
from blob_zero.learning.replay import ReplayRing, columns_of
from blob_zero.metrics.steps import step_frame
from blob_zero.model.blobnet import NetworkShape
from blob_zero.model.networks import seeded_network


@pytest.fixture(autouse=True)
def no_compiler(monkeypatch):
    monkeypatch.setattr("blob_zero.learning.gradients._compiled", lambda: _loss)


def make_learner(device, **settings):
    config = TrainingConfig(**{"precision": "fp32", "batch_size": 32, **settings})
    net = seeded_network(NetworkShape(values=8, **SMALL), seed=0)
    return Learner(net, config, device=torch.device(device), iterations=10)


@pytest.fixture
def batches():
    ring = ReplayRing(320)
    ring.append(columns_of(random_rows(np.random.default_rng(0), 320)))
    rows = DeviceRows(ring, device=torch.device("cpu"))
    return [rows.batch(torch.arange(32 * k, 32 * k + 32)) for k in range(10)]


def weights_of(learner):
    return [p.detach().clone() for p in learner.net.parameters()]


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_replayed_steps_learn_what_plain_steps_learn_and_follow_the_rate(fake_cuda, batches, precision):
    plain, graphed = make_learner("cpu", precision=precision), make_learner("cuda:1", precision=precision)
    for k, batch in enumerate(batches):
        rate = 1e-3 * (k + 1)
        torch.testing.assert_close(graphed.step(batch, rate=rate), plain.step(batch, rate=rate))
        torch.testing.assert_close(weights_of(graphed), weights_of(plain))
    assert len(fake_cuda.graphs) == 1
    assert sum(line.startswith("replay") for line in fake_cuda.log) == len(batches) - 3


def test_a_replay_leaves_out_steps_that_are_not_finite(fake_cuda, batches):
    learner = make_learner("cuda:0")
    for batch in batches[:5]:
        learner.step(batch, rate=1e-3)
    before = weights_of(learner)
    broken = batches[5]._replace(values=torch.full_like(batches[5].values, torch.nan))
    assert (learner.step(broken, rate=1e-3) == 0).all()
    assert all(map(torch.equal, weights_of(learner), before))
    assert learner.step(batches[6], rate=1e-3)[0] == 1
    assert len(fake_cuda.graphs) == 1


def test_a_restored_state_is_captured_anew(fake_cuda, batches):
    first, second, plain = (make_learner(device) for device in ("cuda:0", "cuda:0", "cpu"))
    for learner in (first, second, plain):
        for batch in batches[:4]:
            learner.step(batch, rate=1e-3)
    second.load_state(first.state())
    for batch in batches[4:]:
        torch.testing.assert_close(second.step(batch, rate=1e-3), plain.step(batch, rate=1e-3))
    assert len(fake_cuda.graphs) == 3


def test_memory_that_is_short_for_the_graph_computes_the_step_in_parts(fake_cuda, batches, monkeypatch):
    plain, learner = make_learner("cpu"), make_learner("cuda:0")
    record, tried = fake_cuda.graph, []

    def short(graph, **options):
        tried.append(graph)
        if len(tried) == 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return record(graph, **options)

    monkeypatch.setattr(torch.cuda, "graph", short)
    said = []
    for batch in batches:
        result, expected = learner.step(batch, rate=1e-3, notice=said.append), plain.step(batch, rate=1e-3)
        torch.testing.assert_close(result, expected, rtol=1e-4, atol=1e-5)
    assert learner.gradients.parts == 2
    assert len(said) == 1
    torch.testing.assert_close(weights_of(learner), weights_of(plain), rtol=1e-3, atol=1e-4)


def test_memory_that_is_short_in_the_optimizer_computes_the_step_in_parts(batches, monkeypatch):
    plain, learner = make_learner("cpu"), make_learner("cpu")
    step, tried = learner.optimizer.step, []

    def short():
        tried.append(1)
        if len(tried) == 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return step()

    monkeypatch.setattr(learner.optimizer, "step", short)
    said = []
    for batch in batches[:2]:
        result, expected = learner.step(batch, rate=1e-3, notice=said.append), plain.step(batch, rate=1e-3)
        torch.testing.assert_close(result, expected, rtol=1e-4, atol=1e-5)
    assert learner.gradients.parts == 2
    assert len(said) == 1
    torch.testing.assert_close(weights_of(learner), weights_of(plain), rtol=1e-3, atol=1e-4)


def test_a_lowered_scale_of_fp16_is_no_skipped_step():
    learner = make_learner("cpu", precision="fp16", epochs=2)
    ring = ReplayRing(320)
    ring.append(columns_of(random_rows(np.random.default_rng(0), 320)))
    learner.gradients.scale.scale.fill_(2.0**127)
    said = []
    summary = learner.train(ring, np.random.default_rng(0), iteration=1, notice=said.append)
    lowered = summary.by_step[:, 0] == -1
    assert lowered[0]
    assert summary.steps == (~lowered).sum() > 0
    assert summary.skipped_steps == 0
    assert said == []
    assert learner.gradients.scale.scale < 2.0**127
    frame = step_frame(tuple(summary.losses), summary.by_step, summary.rates, iteration=1, first_step=1)
    assert not frame["skipped"].any()
    assert (frame["policy_loss"].is_null().to_numpy() == lowered).all()
