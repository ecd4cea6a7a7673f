"""Metrics of an iteration as text for people."""

from blob_zero.arena.ratings import INTERVAL_SIGMAS
from blob_zero.metrics.log import MetricsRow, MetricValue

OPPONENTS = ("untrained", "random", "rule", "rollout", "ismcts", "flat")
"""Fixed opponents, as the metrics' columns name them."""


def number(value: MetricValue, form: str) -> str:
    """A value in a format; empty if there is none."""
    return "" if value is None else format(value, form)


def fill_text(row: MetricsRow) -> str:
    """Mean batch fill in percent; empty if no batch was sent."""
    return number(row["batch_fill"], ".0%")


def interval_text(row: MetricsRow, name: str) -> str:
    """A difference in points a round with its 95 % interval, `+1.20 ± 0.31`; empty if it was not measured."""
    difference, low, high = (row.get(f"{name}_{part}") for part in ("difference", "low", "high"))
    if difference is None or low is None or high is None:
        return ""
    return f"{difference:+.2f} ± {(high - low) / 2:.2f}"


def promotion_text(row: MetricsRow) -> str:
    """Whether the candidate was promoted; empty if it played no match."""
    if row.get("promotion_difference") is None:
        return ""
    return "promoted" if row["promoted"] else "not promoted"


def rating_text(row: MetricsRow) -> str:
    """A rating with its 95 % interval, `196 ± 107`; empty if there is none."""
    mean, sigma = row.get("rating"), row.get("rating_sigma")
    if mean is None or sigma is None:
        return ""
    return f"{mean:.0f} ± {INTERVAL_SIGMAS * sigma:.0f}"
