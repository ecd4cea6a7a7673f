"""Measuring a network on the rounds that are never trained on."""

import math

import numpy as np
import torch

from blob_zero.learning.loss import batch_losses
from blob_zero.learning.minibatches import DeviceRows
from blob_zero.metrics.calibration import network_calibration
from blob_zero.metrics.log import MetricValue
from blob_zero.model.blobnet import BlobNet

_MOST_ROWS = 16_384
"""Rows measured on, the newest: enough for losses to 1 % and to bound the time."""

_BATCH_ROWS = 2048


def measure_held_out(net: BlobNet, rows: DeviceRows, *, has_bid_chances: bool) -> dict[str, MetricValue]:
    """Losses and calibration on the newest held-out rows of the ring.

    Args:
        net: on the rows' device.
        rows: the ring's rows, updated.
        has_bid_chances: whether the chance of a bid follows from the value targets. It does not where they contain the
            game's result or the search's own values.

    Returns:
        The metrics `held_out_*`; empty without held-out rows.
    """
    slots = rows.ring.held_out(most=_MOST_ROWS)
    if not len(slots):
        return {}
    sums, predicted = np.zeros(4), []
    with torch.no_grad():
        for part in torch.split(rows.upload(slots), _BATCH_ROWS):
            batch = rows.batch(part)
            logits, values = net(batch.features)
            losses = batch_losses(logits, values, batch)
            means = torch.stack([losses.policy, losses.entropy, losses.value, losses.value_error])
            sums += batch.rows * means.double().cpu().numpy()
            predicted.append(values.double().cpu().numpy())
    columns = rows.ring.columns()
    calibrated = network_calibration(
        columns["features"][slots], np.concatenate(predicted), columns["values"][slots].astype(np.float64)
    )
    policy_loss, entropy, value_loss, value_error = (float(x) for x in sums / len(slots))
    return {
        "held_out_rows": len(slots),
        "held_out_policy_loss": policy_loss,
        "held_out_policy_kl": policy_loss - entropy,
        "held_out_value_loss": value_loss,
        "held_out_value_error": value_error,
        "held_out_value_calibration": _known(calibrated.value.error),
        "held_out_bid_calibration": _known(calibrated.bids.error) if has_bid_chances else None,
    }


def _known(error: float) -> float | None:
    return None if math.isnan(error) else error
