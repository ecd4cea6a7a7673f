"""Two forms of OutcomeNet that read raw features and answer as BlobNet does: a plain one, and one for the CPU."""

import torch
from torch import Tensor, nn

import blob_zero as bz
from blob_zero.inference.packing import Packed, pack
from blob_zero.model.outcome_net import OutcomeNet, policy_of_outputs, through


class OutcomeForm(nn.Module):
    """OutcomeNet's part for play: the same function of raw uint8 features, with their scale in the first layer."""

    def __init__(self, net: OutcomeNet) -> None:
        super().__init__()
        like = OutcomeNet(width=net.shape.width, layers=net.shape.layers)
        self.layers, self.play = like.layers, like.play

    @torch.no_grad()
    def load(self, net: OutcomeNet) -> None:
        """Takes the weights of a network of the same shape, in place."""
        scale = torch.from_numpy(bz.feature_scale()).to(net.play.weight.device)
        for k, (mine, theirs) in enumerate(zip([*self.layers, self.play], [*net.layers, net.play], strict=True)):
            assert isinstance(mine, nn.Linear)
            assert isinstance(theirs, nn.Linear)
            weight = theirs.weight.double()
            mine.weight.copy_(weight * scale.double() if k == 0 else weight)
            mine.bias.copy_(theirs.bias)

    def forward(self, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Maps raw features [B, 256], in the network's dtype, to logits [B, 52] and values [B, 8]."""
        return policy_of_outputs(self.play(through(self.layers, raw)), raw)


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
        return policy_of_outputs(self._play(x), raw)

    def _pack(self) -> None:
        self._layers: list[Packed] = []
        for layer in self.form.layers:
            assert isinstance(layer, nn.Linear)
            self._layers.append(pack(layer))
        self._play = pack(self.form.play)
