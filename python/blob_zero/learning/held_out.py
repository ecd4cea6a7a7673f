"""Measuring a network on the rounds that are never trained on."""

import math
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import torch

import blob_zero as bz
from blob_zero.learning.actor_losses import actor_losses
from blob_zero.learning.minibatches import DeviceBatch
from blob_zero.learning.objective import critic_losses, critic_of_rounds, policy_value_losses
from blob_zero.learning.round_replay import OutcomeBatch
from blob_zero.metrics.calibration import CHANCE_BINS, calibration, network_calibration
from blob_zero.metrics.log import MetricValue
from blob_zero.model.blobnet import BlobNet
from blob_zero.model.critic import ActorCritic

_HELD_OUT_LOSSES = ("value_loss", "make_loss", "missed_loss", "tricks_loss", "critic_loss")
_LOSSES_AFTER_UPDATES = 4
"""The losses before these compare a policy with the one that played, which rows that are never learned from lack."""


def measure_values(net: BlobNet, batches: Iterable[DeviceBatch], *, has_bid_chances: bool) -> dict[str, MetricValue]:
    """Losses and calibration of BlobNet on held-out rows.

    Args:
        net: on the batches' device.
        batches: the rows.
        has_bid_chances: whether the chance of a bid follows from the value targets. It does not where they contain the
            game's result or the search's own values.

    Returns:
        The metrics `held_out_*`; empty without held-out rows.
    """
    sums, rows = np.zeros(4), 0
    features, predicted, outcomes = [], [], []
    with torch.no_grad():
        for batch in batches:
            outputs = net(batch.features)
            sums += batch.rows * policy_value_losses(outputs, batch).double().cpu().numpy()
            rows += batch.rows
            scale = torch.from_numpy(bz.feature_scale()).to(batch.features.device)
            features.append((batch.features / scale).round().to(torch.uint8).cpu().numpy())
            predicted.append(outputs[1].double().cpu().numpy())
            outcomes.append(batch.values.double().cpu().numpy())
    if not rows:
        return {}
    policy_loss, entropy, value_loss, value_error = (float(x) for x in sums / rows)
    calibrated = network_calibration(np.concatenate(features), np.concatenate(predicted), np.concatenate(outcomes))
    return {
        "held_out_rows": rows,
        "held_out_policy_loss": policy_loss,
        "held_out_policy_kl": policy_loss - entropy,
        "held_out_value_loss": value_loss,
        "held_out_value_error": value_error,
        "held_out_value_calibration": _known(calibrated.value.error),
        "held_out_bid_calibration": _known(calibrated.bids.error) if has_bid_chances else None,
    }


def measure_outcomes(net: ActorCritic, batches: Iterable[OutcomeBatch]) -> dict[str, MetricValue]:
    """Losses of OutcomeNet and its critic on held-out rows, and how true and how telling its chances of a bid are.

    Args:
        net: on the batches' device.
        batches: the rows.

    Returns:
        The metrics `held_out_*`; empty without held-out rows.
    """
    sums, rows = np.zeros(len(_HELD_OUT_LOSSES)), 0
    predicted, made, judged, results = [], [], [], []
    with torch.no_grad():
        for batch in batches:
            outcomes = net.actor(batch.features)
            value = critic_of_rounds(net, batch)
            of_actor = actor_losses(outcomes, batch)[_LOSSES_AFTER_UPDATES:]
            losses = torch.cat([of_actor, critic_losses(value, batch)])
            sums += batch.rows * losses.double().cpu().numpy()
            rows += batch.rows
            chances = torch.sigmoid(outcomes.make).gather(1, batch.action[:, None]).squeeze(1)
            predicted.append(chances.double().cpu().numpy())
            made.append(batch.made.double().cpu().numpy())
            known = torch.where(batch.settled.isnan(), value, batch.settled)
            judged.append(known.double().cpu().numpy())
            results.append(batch.values[:, 0].double().cpu().numpy())
    if not rows:
        return {}
    chance, outcome = np.concatenate(predicted), np.concatenate(made)
    return {
        "held_out_rows": rows,
        **{f"held_out_{name}": float(total) for name, total in zip(_HELD_OUT_LOSSES, sums / rows, strict=True)},
        "held_out_bid_calibration": _known(calibration(chance, outcome, CHANCE_BINS).error),
        "held_out_bid_explained": _explained(chance, outcome),
        "held_out_critic_explained": _explained(np.concatenate(judged), np.concatenate(results)),
    }


def _explained(predicted: npt.NDArray[np.float64], outcome: npt.NDArray[np.float64]) -> float | None:
    """The share of the outcome's variance that a prediction explains; None without any."""
    variance = float(outcome.var())
    return 1 - float(np.square(predicted - outcome).mean()) / variance if variance else None


def _known(error: float) -> float | None:
    return None if math.isnan(error) else error
