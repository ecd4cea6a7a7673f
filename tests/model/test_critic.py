"""The critic: bytes in, the value of the seat that decided out."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from blob_zero import _core
from blob_zero.learning.objective import action_values
from blob_zero.model.critic import ActorCritic
from blob_zero.model.networks import seeded_network
from blob_zero.model.outcome_net import OutcomeNet, OutcomeShape


@pytest.fixture
def trained() -> ActorCritic:
    net = seeded_network(OutcomeShape(width=32, layers=2), seed=1)
    assert isinstance(net, OutcomeNet)
    both = ActorCritic(net, width=24, layers=2)
    torch.nn.init.normal_(both.critic.value.weight)
    return both


def rows(count: int) -> torch.Tensor:
    raw = np.random.default_rng(0).integers(0, 14, (count, _core.OPEN_FEATURES), dtype=np.uint8)
    return torch.from_numpy(raw)


@torch.no_grad()
def test_bytes_are_scaled_in_the_weights(trained):
    critic, raw = trained.critic, rows(40)
    scaled = raw.float()
    scaled[:, :256] *= torch.from_numpy(_core.feature_scale())
    x = scaled
    for layer in critic.layers:
        x = functional.relu(layer(x))
    expected = critic.value(x).squeeze(1)
    torch.testing.assert_close(critic(raw), expected, rtol=1e-4, atol=1e-4)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(critic(raw).float(), expected, rtol=0.05, atol=0.1)
    assert "scale" not in critic.state_dict(), "checkpoints hold weights alone"


@torch.no_grad()
@pytest.mark.parametrize("count", [1, 40, 130])
def test_every_position_is_judged(trained, count):
    torch.testing.assert_close(action_values(trained, rows(count)), trained.critic(rows(count)), rtol=1e-5, atol=1e-5)
