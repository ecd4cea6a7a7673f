"""BlobNet: maps what one seat knows to a policy over actions and an expected result for each seat."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from blob_zero.errors import ConfigError

FEATURES = 256
"""Width of an input row, encoding v3."""
ACTIONS = 52
"""Width of a policy row."""
SEATS = 8
"""Relative seats; a network that plays has a value for each."""


class NetworkShape(NamedTuple):
    """The sizes of a BlobNet. Networks of equal shape can exchange weights."""

    values: int
    width: int
    layers: int
    heads: int
    feed_forward: int
    policy_hidden: int
    value_hidden: int
    own: str | None = None
    """`module:Class` of a network of your own in place of BlobNet."""


class EncoderLayer(nn.Module):
    """A post-norm transformer encoder layer (Vaswani et al. 2017) over a sequence of one token.

    The softmax over a single key is 1 for every query, so attention reduces to its value and output projections.
    Parameters, names and result equal `torch.nn.TransformerEncoderLayer` without dropout; the query and key weights
    exist, have no effect, and get no gradient.
    """

    def __init__(self, *, width: int, heads: int, feed_forward: int) -> None:
        super().__init__()
        self.self_attn = nn.MultiheadAttention(width, heads, batch_first=True)
        self.linear1 = nn.Linear(width, feed_forward)
        self.linear2 = nn.Linear(feed_forward, width)
        self.norm1 = nn.LayerNorm(width)
        self.norm2 = nn.LayerNorm(width)

    def value_projection(self) -> tuple[Tensor, Tensor]:
        """Weight [width, width] and bias [width] of the attention's value projection."""
        width = self.linear1.in_features
        weight, bias = self.self_attn.in_proj_weight, self.self_attn.in_proj_bias
        assert weight is not None
        assert bias is not None
        return weight[2 * width :], bias[2 * width :]

    def forward(self, x: Tensor) -> Tensor:
        """Maps [B, width] to [B, width]."""
        value = functional.linear(x, *self.value_projection())
        x = self.norm1(x + self.self_attn.out_proj(value))
        fed: Tensor = self.linear2(functional.relu(self.linear1(x)))
        output: Tensor = self.norm2(x + fed)
        return output


class BlobNet(nn.Module):
    """A transformer encoder over the encoded information state, with a policy head and a value head.

    The defaults are the published size: with `values=1` it has 4,917,301 parameters.

    Args:
        values: outputs of the value head; the search needs 8, one for each relative seat.
        width: size of the token.
        layers: encoder layers.
        heads: attention heads; they divide `width`, and have no effect on a sequence of one token.
        feed_forward: hidden units of a layer's feed-forward part.
        policy_hidden: hidden units of the policy head.
        value_hidden: hidden units of the value head.

    Raises:
        ConfigError: a size is below 1, or `heads` does not divide `width`.
    """

    def __init__(
        self,
        values: int = SEATS,
        *,
        width: int = 256,
        layers: int = 6,
        heads: int = 8,
        feed_forward: int = 1024,
        policy_hidden: int = 256,
        value_hidden: int = 128,
    ) -> None:
        super().__init__()
        self.shape = NetworkShape(values, width, layers, heads, feed_forward, policy_hidden, value_hidden)
        for name, size in zip(self.shape._fields, self.shape, strict=True):
            if isinstance(size, int) and size < 1:
                raise ConfigError(f"BlobNet {name} = {size}: should be at least 1")
        if width % heads:
            raise ConfigError(f"BlobNet width {width} must be a multiple of heads {heads}")

        self.embed = nn.Linear(FEATURES, width)
        self.embed_norm = nn.LayerNorm(width)
        self.position = nn.Parameter(torch.zeros(width))
        self.layers = nn.ModuleList(
            EncoderLayer(width=width, heads=heads, feed_forward=feed_forward) for _ in range(layers)
        )
        self.policy_head = nn.Sequential(nn.Linear(width, policy_hidden), nn.ReLU(), nn.Linear(policy_hidden, ACTIONS))
        self.value_head = nn.Sequential(
            nn.Linear(width, value_hidden), nn.ReLU(), nn.Linear(value_hidden, values), nn.Tanh()
        )

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Evaluates information states.

        Args:
            features: float32[B, 256], encoding v3, scaled.

        Returns:
            Logits [B, 52] over all actions, legal or not, and values [B, values] in (-1, 1), entry k for the
            seat k places after the observer, on the scale `2 * score / (10 + cards) - 1`.
        """
        x = self.embed_norm(self.embed(features)) + self.position
        for layer in self.layers:
            x = layer(x)
        logits: Tensor = self.policy_head(x)
        values: Tensor = self.value_head(x)
        return logits, values
