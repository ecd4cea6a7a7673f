"""Actor and critic are learned side by side, and learn what they would learn together."""

import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from support.policy_rounds import CPU, batches, network, played

from blob_zero.config.schema import TrainingConfig
from blob_zero.learning.gradients import Gradients, _compiled
from blob_zero.learning.learner import Learner
from blob_zero.learning.round_replay import OutcomeBatch, RoundReplay
from blob_zero.model.critic import ActorCritic


@pytest.fixture
def batch() -> OutcomeBatch:
    replay = RoundReplay(10_000)
    replay.append(played().rounds)
    return batches(replay)[0]


def test_gradients_of_actor_and_critic_are_those_of_the_sum_of_their_losses(batch):
    net = ActorCritic(network(), width=16, layers=1)
    gradients = Gradients(net, TrainingConfig(precision="fp32"), device=CPU)
    measured = gradients.compute(batch)
    side_by_side = [parameter.grad.clone() for parameter in net.parameters()]
    net.zero_grad()
    losses = torch.cat([part.measure(part.predict(net, batch), batch) for part in gradients.objective.parts])
    gradients.objective.total(losses).backward()
    torch.testing.assert_close(measured, losses.detach())
    assert len(gradients.objective.names) == len(losses)
    for parameter, found in zip(net.parameters(), side_by_side, strict=True):
        assert found.any()
        torch.testing.assert_close(found, parameter.grad)


@pytest.mark.parametrize("part", ["actor.play", "critic.value"])
def test_a_failure_on_either_side_is_raised_and_the_next_batch_is_computed(batch, part):
    net = ActorCritic(network(), width=16, layers=1)
    gradients = Gradients(net, TrainingConfig(precision="fp32"), device=CPU)

    def fail(*_: object) -> None:
        raise RuntimeError("spoiled")

    hook = net.get_submodule(part).register_forward_hook(fail)
    with pytest.raises(RuntimeError, match="spoiled"):
        gradients.compute(batch)
    hook.remove()
    expected = Gradients(net, TrainingConfig(precision="fp32"), device=CPU).compute(batch)
    assert torch.equal(gradients.compute(batch), expected)


def test_all_of_a_step_has_its_share_of_the_threads_and_leaves_their_number_as_it_was(batch, monkeypatch):
    net = network()
    learner = Learner(net, TrainingConfig(precision="fp32"), device=CPU, iterations=1)
    seen = {}

    def look(name: str) -> Callable[..., None]:
        return lambda *_: seen.setdefault(name, []).append(torch.get_num_threads())

    net.play.register_forward_hook(look("actor"))
    learner._trained.get_submodule("critic.value").register_forward_hook(look("critic"))
    optimize = learner.optimizer.step
    monkeypatch.setattr(learner.optimizer, "step", lambda: (look("optimizer")(), optimize()))

    def now_and_in_a_new_thread() -> list[int]:
        with ThreadPoolExecutor(1) as pool:
            return [torch.get_num_threads(), pool.submit(torch.get_num_threads).result()]

    before = torch.get_num_threads()
    try:
        torch.set_num_threads(4)
        learner.step(batch, rate=1e-3)
        assert seen == {"actor": [2], "critic": [2], "optimizer": [2]}
        assert now_and_in_a_new_thread() == [4, 4]
        monkeypatch.setattr(learner.optimizer, "step", lambda: [][0])
        with pytest.raises(IndexError):
            learner.step(batch, rate=1e-3)
        assert now_and_in_a_new_thread() == [4, 4]
    finally:
        torch.set_num_threads(before)


def test_a_compiled_step_learns_the_same(batch, monkeypatch):
    _compiled.cache_clear()
    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend="eager"))
    plain, built = (
        Gradients(
            ActorCritic(network(), width=16, layers=1), TrainingConfig(precision="fp32", compile=compiled), device=CPU
        )
        for compiled in (False, True)
    )
    torch.testing.assert_close(built.compute(batch), plain.compute(batch))
    assert built.compiled
    for found, expected in zip(built.net.parameters(), plain.net.parameters(), strict=True):
        torch.testing.assert_close(found.grad, expected.grad)
    _compiled.cache_clear()
