"""Actor and critic are learned side by side, and learn what they would learn together."""

import pytest
import torch
from support.policy_rounds import CPU, batches, network, played

from blob_zero.config.schema import TrainingConfig
from blob_zero.learning.gradients import Gradients
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
