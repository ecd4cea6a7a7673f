"""OutcomeNet: maps what one seat knows to a policy, and to what comes of each of its actions."""

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from blob_zero.errors import ConfigError
from blob_zero.model.blobnet import ACTIONS, FEATURES, SEATS

TRICKS = 14
"""Possible numbers of tricks, 0 to 13."""

_UNTRAINED_CHANCE = -5.0

JUDGEMENT_TEMPERATURE = 0.5
"""Points that make an action e times as likely, whatever else the policy has learned of it."""

# Places in the encoding (docs/observation.md), and the scale of a bid.
_OWN_BID, _BIDDING, _BID_SCALE = 185, 225, 14


class OutcomeShape(NamedTuple):
    """The sizes of an OutcomeNet. Networks of equal shape can exchange weights."""

    width: int
    layers: int
    own: str | None = None
    """`module:Class` of a network of your own in place of OutcomeNet."""


class Outcomes(NamedTuple):
    """What OutcomeNet predicts for B positions, and for the first D of them in more detail."""

    policy: Tensor
    """[B, 52]: logits of the actions (`policy_logits`)."""
    values: Tensor
    """[B, 8]: expected value in (-1, 1) of each relative seat, on the scale `2 * score / (10 + cards) - 1`."""
    make: Tensor
    """[B, 52]: logits of the chance that the seat to play makes its bid after each action; a bid is its own."""
    missed: Tensor
    """[D, 14]: logits of the own tricks where the bid is missed."""
    lean: Tensor
    """[D, 52]: by action, added to `missed` for each trick more."""
    tricks: Tensor
    """[D, 8, 14]: logits of the tricks of each relative seat."""


class OutcomeNet(nn.Module):
    """A multilayer perceptron over the encoded information state: a policy, and what comes of each action.

    The score of a round follows from bid and tricks, so these are what it predicts: the chance that the bid is made
    after an action, and how many tricks are won otherwise. The policy begins with the points that this chance is worth,
    and adds what it has learned besides.

    Args:
        width: hidden units of each layer.
        layers: hidden layers.

    Raises:
        ConfigError: a size is below 1.
    """

    def __init__(self, *, width: int = 256, layers: int = 3) -> None:
        super().__init__()
        self.shape = OutcomeShape(width, layers)
        for name, size in (("width", width), ("layers", layers)):
            if size < 1:
                raise ConfigError(f"OutcomeNet {name} = {size}: should be at least 1")
        self.layers = hidden_layers(FEATURES, width, layers)
        self.play = nn.Linear(width, ACTIONS + SEATS + ACTIONS)
        """What play needs: preferences, `values`, `make`."""
        self.detail = nn.Linear(width, TRICKS + ACTIONS + SEATS * TRICKS)
        """What analysis needs beside: `missed`, `lean`, `tricks`."""
        for head in (self.play, self.detail):
            nn.init.normal_(head.weight, std=0.01)
            nn.init.zeros_(head.bias)
        # Small chances make all actions nearly equal: with even ones an untrained network would always bid the most.
        nn.init.constant_(self.play.bias[-ACTIONS:], _UNTRAINED_CHANCE)

    def forward(self, features: Tensor, *, detailed: int | None = None) -> Outcomes:
        """Judges positions.

        Args:
            features: float32[B, 256], encoding v3, scaled.
            detailed: rows to judge in detail, the first D; None for all.
        """
        x = through(self.layers, features)
        preferences, values, make = self.play(x).split([ACTIONS, SEATS, ACTIONS], dim=1)
        missed, lean, tricks = self.detail(x[:detailed]).split([TRICKS, ACTIONS, SEATS * TRICKS], dim=1)
        policy = policy_logits(preferences, make, features[:, _OWN_BID] * _BID_SCALE - 1, features[:, _BIDDING])
        return Outcomes(policy, torch.tanh(values), make, missed, lean, tricks.unflatten(1, (SEATS, TRICKS)))


def hidden_layers(inputs: int, width: int, layers: int) -> nn.ModuleList:
    """Linear layers for ReLU between them (He et al. 2015, "Delving deep into rectifiers")."""
    stack = [nn.Linear(width if k else inputs, width) for k in range(layers)]
    for layer in stack:
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        nn.init.zeros_(layer.bias)
    return nn.ModuleList(stack)


def through(layers: Iterable[nn.Module], x: Tensor) -> Tensor:
    """Maps [B, inputs] to the last of these layers' units, float[B, width]."""
    for layer in layers:
        x = functional.relu(layer(x))
    return x


def policy_logits(preferences: Tensor, make: Tensor, own_bid: Tensor, bidding: Tensor) -> Tensor:
    """The policy: preferences of the actions, and the points that the chances to make the bid are worth.

    A policy that learns from its own play never meets again what it has unlearned; the chances are learned from random
    actions too. They are no part of the policy's gradient: how good a chance is does not depend on its use.

    Args:
        preferences: [B, 52].
        make: [B, 52], logits.
        own_bid: [B], the bid; it does not count in the bidding.
        bidding: [B], above 0 in the bidding.

    Returns:
        float32[B, 52].
    """
    points = torch.sigmoid(make.detach().float()) * (10 + _bids(own_bid, bidding))
    return preferences.float() + points / JUDGEMENT_TEMPERATURE


def policy_of_outputs(outputs: Tensor, raw: Tensor) -> tuple[Tensor, Tensor]:
    """The policy's logits [B, 52] and the values [B, 8], from the outputs of `play` and raw features [B, 256]."""
    preferences, values, make = outputs[:, :ACTIONS], outputs[:, ACTIONS:-ACTIONS], outputs[:, -ACTIONS:]
    return policy_logits(preferences, make, raw[:, _OWN_BID] - 1, raw[:, _BIDDING]), torch.tanh(values)


def bids_of_actions(raw: Tensor) -> Tensor:
    """The own bid after each action: the action itself in the bidding.

    Args:
        raw: [B, 256], encoded observations, unscaled.

    Returns:
        float32[B, 52].
    """
    return _bids(raw[:, _OWN_BID].float() - 1, raw[:, _BIDDING])


def _bids(own: Tensor, bidding: Tensor) -> Tensor:
    bids = torch.arange(ACTIONS, dtype=torch.float32, device=own.device)
    return torch.where(bidding[:, None] > 0, bids, own[:, None].float())


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
