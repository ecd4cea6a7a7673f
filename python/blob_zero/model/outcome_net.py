"""OutcomeNet: maps what one seat knows to what comes of each of its actions."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from blob_zero import _core
from blob_zero.errors import ConfigError
from blob_zero.model.blobnet import ACTIONS, FEATURES, SEATS

TRICKS = 14
"""Possible numbers of tricks, 0 to 13."""

_UNTRAINED_CHANCE = -5.0

# Places in the encoding (docs/observation.md).
_OWN_BID, _BIDDING, _TRICK_POINTS = 185, 225, 255


class OutcomeShape(NamedTuple):
    """The sizes of an OutcomeNet. Networks of equal shape can exchange weights."""

    width: int
    layers: int
    other_hands: bool = False
    trick_points: bool = False
    """Whether play also needs the tricks of missed bids, since each scores a point."""
    own: str | None = None
    """`module:Class` of a network of your own in place of OutcomeNet."""


class Outcomes(NamedTuple):
    """What OutcomeNet predicts for B positions."""

    make: Tensor
    """[B, 52]: logits of the chance that the seat to play makes its bid after each action; a bid is its own."""
    values: Tensor
    """[B, 8]: expected value in (-1, 1) of each relative seat, on the scale `2 * score / (10 + cards) - 1`."""
    missed: Tensor
    """[B, 14]: logits of the own tricks where the bid is missed."""
    lean: Tensor
    """[B, 52]: by action, added to `missed` for each trick more."""
    tricks: Tensor
    """[B, 8, 14]: logits of the tricks of each relative seat."""


class OutcomeNet(nn.Module):
    """A multilayer perceptron over the encoded information state that judges every action at once.

    The score of a round follows from bid and tricks, so it predicts these and not the score: the chance that the bid
    is made after an action, and how many tricks are won otherwise. Its policy prefers actions by their expected points.

    Args:
        width: hidden units of each layer.
        layers: hidden layers.
        other_hands: whether it also sees the hands of the other seats, to judge a world.
        trick_points: whether its policy counts a point for each trick of a missed bid, in rounds that score so.

    Raises:
        ConfigError: a size is below 1.
    """

    def __init__(
        self, *, width: int = 256, layers: int = 3, other_hands: bool = False, trick_points: bool = False
    ) -> None:
        super().__init__()
        self.shape = OutcomeShape(width, layers, other_hands, trick_points)
        for name, size in (("width", width), ("layers", layers)):
            if size < 1:
                raise ConfigError(f"OutcomeNet {name} = {size}: should be at least 1")
        inputs = FEATURES + _core.OTHER_HANDS * other_hands
        self.layers = nn.ModuleList(nn.Linear(width if k else inputs, width) for k in range(layers))
        self.play = nn.Linear(width, ACTIONS + SEATS)
        """What play needs: `make`, then `values`."""
        self.detail = nn.Linear(width, TRICKS + ACTIONS + SEATS * TRICKS)
        """What training and analysis need beside: `missed`, `lean`, `tricks`."""
        for layer in self.layers:
            assert isinstance(layer, nn.Linear)
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)
        for head in (self.play, self.detail):
            nn.init.normal_(head.weight, std=0.01)
            nn.init.zeros_(head.bias)
        # Small chances make all actions nearly equal: with even ones an untrained network would always bid the most.
        nn.init.constant_(self.play.bias[:ACTIONS], _UNTRAINED_CHANCE)

    def forward(self, features: Tensor) -> Outcomes:
        """Judges positions.

        Args:
            features: float32[B, 256], encoding v3, scaled; with `other_hands` followed by their 364 flags.
        """
        x = features
        for layer in self.layers:
            x = functional.relu(layer(x))
        make, values = self.play(x).split([ACTIONS, SEATS], dim=1)
        missed, lean, tricks = self.detail(x).split([TRICKS, ACTIONS, SEATS * TRICKS], dim=1)
        return Outcomes(make, torch.tanh(values), missed, lean, tricks.unflatten(1, (SEATS, TRICKS)))


def bids_of_actions(raw: Tensor) -> Tensor:
    """The own bid after each action: the action itself in the bidding.

    Args:
        raw: [B, 256], encoded observations, unscaled.

    Returns:
        float32[B, 52].
    """
    bids = torch.arange(ACTIONS, dtype=torch.float32, device=raw.device)
    own = raw[:, _OWN_BID, None].float() - 1
    return torch.where(raw[:, _BIDDING, None] > 0, bids, own)


def expected_points(make: Tensor, raw: Tensor) -> Tensor:
    """Expected points of each action for making the bid, `10 + bid`: all points of Blob's own scoring.

    Args:
        make: [B, 52], logits.
        raw: [B, 256], encoded observations, unscaled.

    Returns:
        float32[B, 52]; without meaning for actions that are not legal.
    """
    return torch.sigmoid(make.float()) * (10 + bids_of_actions(raw))


def expected_trick_points(make: Tensor, missed: Tensor, lean: Tensor, raw: Tensor) -> Tensor:
    """Expected points of each action for the tricks of a missed bid, one each, float32[B, 52].

    0 in rounds that score none (`Scoring::ExactPlusTricks` in crates/blob_engine/src/rules.rs scores them).

    Args:
        make: [B, 52], logits.
        missed: [B, 14], logits.
        lean: [B, 52].
        raw: [B, 256], encoded observations, unscaled.
    """
    counts = torch.arange(TRICKS, dtype=torch.float32, device=raw.device)
    tricks = missed_chances(missed, lean, raw).exp() @ counts
    return torch.where(raw[:, _TRICK_POINTS, None] > 0, torch.sigmoid(-make.float()) * tricks, 0.0)


def trick_chances(outcomes: Outcomes, raw: Tensor) -> Tensor:
    """The distribution of the own tricks after each action, float32[B, 52, 14].

    The bid is made with the chance of `make`; the rest is shared by the other numbers of tricks. Numbers below the
    tricks won, or above the cards dealt, are as unlikely as the network has learned.
    """
    counts = torch.arange(TRICKS, device=raw.device)
    is_bid = counts == bids_of_actions(raw)[:, :, None]
    made = torch.sigmoid(outcomes.make.float())[:, :, None]
    return torch.where(is_bid, made, (1 - made) * missed_chances(outcomes.missed, outcomes.lean, raw).exp())


def missed_chances(missed: Tensor, lean: Tensor, raw: Tensor) -> Tensor:
    """Logarithm of the chance of each number of own tricks where the bid is missed, float32[B, 52, 14]."""
    counts = torch.arange(TRICKS, device=raw.device)
    is_bid = counts == bids_of_actions(raw)[:, :, None]
    logits = missed.float()[:, None, :] + lean.float()[:, :, None] * counts
    return functional.log_softmax(logits.masked_fill(is_bid, torch.finfo(torch.float32).min), dim=2)
