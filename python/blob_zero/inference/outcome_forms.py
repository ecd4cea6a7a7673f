"""Two forms of OutcomeNet that read raw features and answer as BlobNet does: a plain one, and one for the CPU."""

import torch
from torch import Tensor, nn
from torch.nn import functional

import blob_zero as bz
from blob_zero.config.search_options import POLICY_TEMPERATURE
from blob_zero.inference.packing import Packed, pack
from blob_zero.model.blobnet import ACTIONS, SEATS
from blob_zero.model.outcome_net import (
    TRICKS,
    OutcomeNet,
    expected_points,
    expected_trick_points,
)

_PLAY = ACTIONS + SEATS
_TRICK_POINTS = TRICKS + ACTIONS
"""Rows of the heads: all of `OutcomeNet.play`, and the first ones of `OutcomeNet.detail`."""


class OutcomeForm(nn.Module):
    """OutcomeNet's part for play: the same function of raw uint8 features, with their scale in the first layer.

    Its logits are expected points over `POLICY_TEMPERATURE`.
    """

    def __init__(self, net: OutcomeNet) -> None:
        super().__init__()
        self.layers = OutcomeNet(
            width=net.shape.width, layers=net.shape.layers, other_hands=net.shape.other_hands
        ).layers
        # Tricks of missed bids cost Blob's own scoring nothing.
        self.play = nn.Linear(net.shape.width, _PLAY + _TRICK_POINTS * net.shape.trick_points)

    @torch.no_grad()
    def load(self, net: OutcomeNet) -> None:
        """Takes the weights of a network of the same shape, in place."""
        scale = torch.from_numpy(bz.feature_scale()).to(net.play.weight.device)
        for k, (mine, theirs) in enumerate(zip(self.layers, net.layers, strict=True)):
            assert isinstance(mine, nn.Linear)
            assert isinstance(theirs, nn.Linear)
            weight = theirs.weight.double()
            if k == 0:
                weight[:, : len(scale)] *= scale.double()
            mine.weight.copy_(weight)
            mine.bias.copy_(theirs.bias)
        tricks = len(self.play.bias) - _PLAY
        self.play.weight.copy_(torch.cat([net.play.weight, net.detail.weight[:tricks]]))
        self.play.bias.copy_(torch.cat([net.play.bias, net.detail.bias[:tricks]]))

    def forward(self, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Maps raw features [B, 256], in the network's dtype, to logits [B, 52] and values [B, 8]."""
        x = raw
        for layer in self.layers:
            x = functional.relu(layer(x))
        return _answer(self.play(x), raw)


class PackedOutcomeNet:
    """The form for play on the CPU, its weights laid out for the CPU's matrix units.

    Args:
        form: the network; its weights are read now and at each `load`.
    """

    def __init__(self, form: OutcomeForm) -> None:
        self.form = form
        self._pack()

    def load(self, net: OutcomeNet) -> None:
        """Takes the weights of a network of the same shape."""
        self.form.load(net)
        self._pack()

    def __call__(self, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Maps raw features [B, 256], in the network's dtype, to logits [B, 52] and values [B, 8]."""
        x = raw
        for layer in self._layers:
            x = layer(x, "relu")
        return _answer(self._play(x), raw)

    def _pack(self) -> None:
        self._layers: list[Packed] = []
        for layer in self.form.layers:
            assert isinstance(layer, nn.Linear)
            self._layers.append(pack(layer))
        self._play = pack(self.form.play)


def _answer(outputs: Tensor, raw: Tensor) -> tuple[Tensor, Tensor]:
    make, values = outputs[:, :ACTIONS], outputs[:, ACTIONS:_PLAY]
    points = expected_points(make, raw)
    if outputs.shape[1] > _PLAY:
        missed, lean = outputs[:, _PLAY : _PLAY + TRICKS], outputs[:, _PLAY + TRICKS :]
        points = points + expected_trick_points(make, missed, lean, raw)
    return points / POLICY_TEMPERATURE, torch.tanh(values)
