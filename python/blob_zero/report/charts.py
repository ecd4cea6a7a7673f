"""The charts of a report, each a function from metrics to a figure.

Colours are those of Okabe and Ito, which people with any kind of colour vision tell apart; lines differ in style too.
Legends stand above the axes, never over a line.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from blob_zero.report.calibration import Calibration, NetworkCalibration

_INK, _GRID = "#333333", "#dddddd"
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_STYLES = ("-", "--", "-.", ":")
_MARKS = ("o", "s", "^", "D", "v", "P")

_MOST_MARKED = 60
"""Points of a line that still carry marks; more run into each other."""

Numbers = npt.NDArray[np.float64]


def losses(frame: pl.DataFrame) -> Figure:
    """Policy loss above its floor, and value loss, by iteration."""
    figure, (policy, value) = _figure(panels=2)
    _line(policy, frame, "policy_loss", "policy loss", 0)
    _line(policy, frame, "policy_entropy", "entropy of the visits: the least it can be", 1)
    _line(value, frame, "value_loss", "value loss", 0)
    _finish(policy, "cross-entropy (nats)", legend=True)
    _finish(value, "mean squared error\n(values from -1 to 1)")
    return figure


def strength(frame: pl.DataFrame) -> Figure:
    """Points a round more than each fixed opponent, with the 95 % interval as a band."""
    figure, (axes,) = _figure()
    for index, opponent in enumerate(opponents(frame)):
        _line(axes, frame, f"{opponent}_difference", f"against {opponent}", index)
        _band(axes, frame, f"{opponent}_low", f"{opponent}_high", index)
    axes.axhline(0, color=_INK, linewidth=1)
    _finish(axes, "points a round more\n(band: 95 % interval)", legend=True)
    return figure


def speed(frame: pl.DataFrame) -> Figure:
    """Rounds a minute and rows in a batch."""
    figure, (rounds, batch) = _figure(panels=2)
    _line(rounds, frame, "rounds_per_minute", "self-play", 0)
    _line(batch, frame, "mean_batch", "mean batch", 2)
    for axes in (rounds, batch):
        axes.set_ylim(0, 1.1 * axes.dataLim.y1 if np.isfinite(axes.dataLim.y1) and axes.dataLim.y1 > 0 else 1)
        axes.yaxis.set_major_formatter(FuncFormatter(_thousands))
    _finish(rounds, "rounds of self-play\na minute")
    _finish(batch, "rows in a batch, mean")
    return figure


def promotion(frame: pl.DataFrame) -> Figure:
    """The candidate against the best network, with the interval, and which candidates were promoted."""
    figure, (axes,) = _figure()
    iterations, difference = _points(frame, "promotion_difference")
    _, low = _points(frame, "promotion_low")
    _, high = _points(frame, "promotion_high")
    matches = frame.filter(pl.col("promotion_difference").is_not_null())
    promoted = matches["promoted"].fill_null(value=False).to_numpy()
    axes.axhline(0, color=_INK, linewidth=1)
    small = len(iterations) > _MOST_MARKED
    for chosen, label, style in ((promoted, "promoted", 0), (~promoted, "not promoted", 1)):
        axes.errorbar(
            iterations[chosen],
            difference[chosen],
            yerr=np.stack([difference - low, high - difference])[:, chosen],
            fmt=_MARKS[style],
            color=_COLOURS[style],
            markersize=3 if small else 6,
            linewidth=0.6 if small else 1.4,
            label=f"{label} ({chosen.sum()})",
        )
    _finish(axes, "points a round more than the best\n(bar: 95 % interval)", legend=True)
    return figure


def ratings(frame: pl.DataFrame) -> Figure:
    """The rating of the run's networks, with its interval where there is one."""
    figure, (axes,) = _figure()
    _line(axes, frame, "rating", "rating", 0)
    if {"rating_low", "rating_high"} <= set(frame.columns):
        _band(axes, frame, "rating_low", "rating_high", 0)
    _finish(axes, "rating")
    return figure


def calibration(of: NetworkCalibration) -> Figure:
    """Realized against predicted, of values and of bids, over how many predictions there are."""
    figure = Figure(figsize=(9, 5.2), layout="constrained")
    grid = figure.subplots(2, 2, sharex="col", height_ratios=(3, 1))
    both: Sequence[tuple[Calibration, str, str, str]] = (
        (of.value, "value of a seat", "value predicted", "value realized, mean"),
        (of.bids, "bids made", "chance of the bid predicted", "share of bids made"),
    )
    for column, (data, title, predicted, realized) in enumerate(both):
        upper, lower = grid[0, column], grid[1, column]
        ends = data.edges[[0, -1]]
        upper.plot(ends, ends, color=_INK, linestyle="--", linewidth=1, label="perfect")
        shown = np.isfinite(data.predicted)
        upper.plot(data.predicted[shown], data.realized[shown], marker="o", color=_COLOURS[0], label="network")
        upper.set(ylabel=realized)
        upper.set_title(f"{title}: {data.error:.3f} off on average", pad=26, fontsize=11)
        _legend(upper)
        lower.bar(data.edges[:-1], data.counts, width=np.diff(data.edges), align="edge", color=_COLOURS[5], ec="white")
        lower.set(xlabel=predicted, ylabel="predictions")
        lower.yaxis.set_major_formatter(FuncFormatter(_thousands))
        lower.yaxis.set_major_locator(MaxNLocator(3, integer=True))
        for axes in (upper, lower):
            _plain(axes)
            axes.set_xlim(*ends)
            axes.xaxis.set_major_locator(MaxNLocator(5))
    return figure


def opponents(frame: pl.DataFrame) -> list[str]:
    """The fixed opponents that were met at least once, in the order of the columns."""
    names = [name.removesuffix("_difference") for name in frame.columns if name.endswith("_difference")]
    return [
        name
        for name in names
        if name != "promotion" and {f"{name}_low", f"{name}_high"} <= set(frame.columns) and has(frame, f"{name}_low")
    ]


def has(frame: pl.DataFrame, column: str) -> bool:
    """Whether the column is there and not empty."""
    return column in frame.columns and frame[column].null_count() < len(frame)


def _figure(panels: int = 1) -> tuple[Figure, Sequence[Axes]]:
    figure = Figure(figsize=(9, 2.4 + 2.2 * (panels - 1) if panels > 1 else 4), layout="constrained")
    axes = figure.subplots(panels, 1, sharex=True, squeeze=False)[:, 0]
    for each in axes:
        _plain(each)
        each.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes[-1].set_xlabel("iteration")
    return figure, list(axes)


def _plain(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color=_GRID, linewidth=0.7)
    axes.set_axisbelow(True)


def _finish(axes: Axes, unit: str, *, legend: bool = False) -> None:
    axes.set_ylabel(unit)
    if legend:
        _legend(axes)


def _legend(axes: Axes) -> None:
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, frameon=False, borderaxespad=0.2)


def _points(frame: pl.DataFrame, column: str) -> tuple[Numbers, Numbers]:
    """Iterations and values of a column where it is not empty."""
    filled = frame.filter(pl.col(column).is_not_null())
    return filled["iteration"].to_numpy().astype(np.float64), filled[column].to_numpy().astype(np.float64)


def _line(axes: Axes, frame: pl.DataFrame, column: str, label: str, index: int) -> None:
    if not has(frame, column):
        axes.text(0.5, 0.5, "not measured", transform=axes.transAxes, ha="center", color=_INK)
        return
    iterations, values = _points(frame, column)
    axes.plot(
        iterations,
        values,
        label=label,
        color=_COLOURS[index % len(_COLOURS)],
        linestyle=_STYLES[index % len(_STYLES)],
        marker=_MARKS[index % len(_MARKS)] if len(iterations) <= _MOST_MARKED else None,
        markersize=4,
        linewidth=1.6,
    )


def _band(axes: Axes, frame: pl.DataFrame, low: str, high: str, index: int) -> None:
    iterations, below = _points(frame, low)
    _, above = _points(frame, high)
    colour = _COLOURS[index % len(_COLOURS)]
    if len(iterations) == 1:  # a band of no width cannot be seen
        axes.vlines(iterations, below, above, color=colour, alpha=0.5)
    axes.fill_between(iterations, below, above, color=colour, alpha=0.2, linewidth=0)


def _thousands(value: float, _: object) -> str:
    return f"{value:,.0f}"
