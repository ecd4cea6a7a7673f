"""BlobNet folded for speed, reading raw features."""

import torch
from torch import Tensor, nn
from torch.nn import functional

import blob_zero as bz
from blob_zero.model.blobnet import ACTIONS, FEATURES, BlobNet, EncoderLayer


class FoldedLayer(nn.Module):
    """An encoder layer whose attention and residual are one linear map, W_o W_v + I."""

    def __init__(self, *, width: int, feed_forward: int) -> None:
        super().__init__()
        self.attention = nn.Linear(width, width)
        self.norm1 = nn.LayerNorm(width)
        self.linear1 = nn.Linear(width, feed_forward)
        self.linear2 = nn.Linear(feed_forward, width)
        self.norm2 = nn.LayerNorm(width)

    def load(self, layer: EncoderLayer) -> None:
        """Takes the weights of a layer of the same sizes, in place."""
        weight, bias = (part.double() for part in layer.value_projection())
        out_weight = layer.self_attn.out_proj.weight.double()
        out_bias = layer.self_attn.out_proj.bias.double()
        identity = torch.eye(len(bias), dtype=torch.float64, device=bias.device)
        self.attention.weight.copy_(out_weight @ weight + identity)
        self.attention.bias.copy_(out_weight @ bias + out_bias)
        for name in ("norm1", "linear1", "linear2", "norm2"):
            _copy(getattr(self, name), getattr(layer, name))

    def forward(self, x: Tensor) -> Tensor:
        """Maps [B, width] to [B, width]."""
        x = self.norm1(self.attention(x))
        output: Tensor = self.norm2(x + self.linear2(functional.relu(self.linear1(x))))
        return output


class FoldedNet(nn.Module):
    """BlobNet for inference: the same function of raw uint8 features, in fewer and larger operations.

    Attention over one token is linear, so W_o W_v + I replaces it and its residual; the feature scale goes
    into the first layer, the position into the first norm, and the first layers of both heads are one.
    """

    def __init__(self, net: BlobNet) -> None:
        super().__init__()
        shape = net.shape
        self.policy_hidden = shape.policy_hidden
        self.embed = nn.Linear(FEATURES, shape.width)
        self.embed_norm = nn.LayerNorm(shape.width)
        self.layers = nn.ModuleList(
            FoldedLayer(width=shape.width, feed_forward=shape.feed_forward) for _ in range(shape.layers)
        )
        self.heads = nn.Linear(shape.width, shape.policy_hidden + shape.value_hidden)
        self.policy = nn.Linear(shape.policy_hidden, ACTIONS)
        self.value = nn.Linear(shape.value_hidden, shape.values)

    @torch.no_grad()
    def load(self, net: BlobNet) -> None:
        """Takes the weights of a network of the same shape, in place."""
        scale = torch.from_numpy(bz.feature_scale()).to(net.embed.weight.device)
        self.embed.weight.copy_(net.embed.weight.double() * scale.double())
        self.embed.bias.copy_(net.embed.bias)
        self.embed_norm.weight.copy_(net.embed_norm.weight)
        self.embed_norm.bias.copy_(net.embed_norm.bias + net.position)
        for folded, layer in zip(self.layers, net.layers, strict=True):
            assert isinstance(folded, FoldedLayer)
            assert isinstance(layer, EncoderLayer)
            folded.load(layer)
        for mine, policy, value in zip(
            self.heads.parameters(),
            net.policy_head[0].parameters(),
            net.value_head[0].parameters(),
            strict=True,
        ):
            mine.copy_(torch.cat([policy, value]))
        _copy(self.policy, net.policy_head[2])
        _copy(self.value, net.value_head[2])

    def forward(self, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Maps raw features [B, 256], in the network's dtype, to logits [B, 52] and values [B, values]."""
        x = self.embed_norm(self.embed(raw))
        for layer in self.layers:
            x = layer(x)
        hidden = functional.relu(self.heads(x))
        policy_hidden, value_hidden = hidden[:, : self.policy_hidden], hidden[:, self.policy_hidden :]
        return self.policy(policy_hidden), torch.tanh(self.value(value_hidden))


def _copy(target: nn.Module, source: nn.Module) -> None:
    for mine, theirs in zip(target.parameters(), source.parameters(), strict=True):
        mine.copy_(theirs)
