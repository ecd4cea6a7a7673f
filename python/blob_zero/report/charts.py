"""The charts of a report, each a function from metrics to a figure.

Colours are those of Okabe and Ito, which people with any kind of colour vision tell apart; lines differ in style too.
Legends stand above the axes and names of lines beside them, never over a line. Figures are narrow, so that their text
can still be read when a phone scales them down.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter

from blob_zero.arena.ratings import ANCHOR, INTERVAL_SIGMAS
from blob_zero.metrics.calibration import Calibration

_INK, _GRID = "#333333", "#dddddd"
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_STYLES = ("-", "--", "-.", ":")
_MARKS = ("o", "s", "^", "D", "v", "P")

_MOST_MARKED = 60
"""Points of a line that still carry marks; more run into each other."""

_MOST_BARS = 10
"""Points of a line whose intervals are drawn as bars, which tell overlapping ones apart; of more, a band."""

_LINE_SPACING = 14.0
"""Points from one line of text to the next."""

Numbers = npt.NDArray[np.float64]


def losses(frame: pl.DataFrame) -> Figure:
    """Policy loss above its floor, and value loss, by iteration."""
    figure, (policy, value) = _figure(frame, panels=2)
    _line(policy, frame, "policy_loss", "policy loss", 0)
    _line(policy, frame, "policy_entropy", "entropy of the visits: the least it can be", 1)
    _line(value, frame, "value_loss", "value loss", 0)
    _finish(policy, "Policy: cross-entropy against the search's visits", "nats", legend=True)
    _finish(value, "Value: error against the results of the rounds", "squared error, mean\n(results: -1 to 1)")
    return figure


def strength(frame: pl.DataFrame) -> Figure:
    """Points a round more than each fixed opponent, with the 95 % interval."""
    figure, (axes,) = _figure(frame)
    met = opponents(frame)
    ends = []
    for index, opponent in enumerate(met):
        iterations, difference = _points(frame, f"{opponent}_difference")
        _, low = _points(frame, f"{opponent}_low")
        _, high = _points(frame, f"{opponent}_high")
        _with_interval(axes, iterations, difference, low, high, index=index, lines=len(met))
        ends.append(difference[-1])
    axes.axhline(0, color=_INK, linewidth=1)
    _label_ends(axes, met, ends)
    _finish(axes, "Points a round more than each opponent, with 95 % interval", "points a round")
    return figure


def speed(frame: pl.DataFrame) -> Figure:
    """Rounds a minute, and how full the batches were.

    The axis is that of the rounds judged by the network; those judged by playouts are marked at its upper end.
    """
    figure, (rounds, fill) = _figure(frame, panels=2)
    by_network = judged_by_network(frame)
    by_playouts = frame.join(by_network, on="iteration", how="anti")
    if len(by_network):
        _line(rounds, by_network, "rounds_per_minute", "network", 0)
    if len(by_playouts):
        iterations, values = _points(by_playouts, "rounds_per_minute")
        label = "playouts"
        highest = 1.2 * rounds.dataLim.y1
        if len(by_network) and values.max() > highest:
            label += f", off the scale: up to {values.max():,.0f}"
            values = np.minimum(values, highest)
        rounds.plot(iterations, values, marker="^", markersize=4, linestyle="none", color=_COLOURS[1], label=label)
    rounds.set_ylim(0, 1.08 * rounds.dataLim.y1)
    rounds.yaxis.set_major_formatter(FuncFormatter(_thousands))
    _line(fill, frame, "batch_fill", "batch fill", 0)
    fill.set_ylim(0, 1.05)
    fill.yaxis.set_major_formatter(PercentFormatter(1))
    _finish(rounds, "Rounds of self-play a minute", "rounds/min", legend=len(by_playouts) > 0)
    _finish(fill, "Batch fill: how full the network's batches were", "share of rows, mean")
    return figure


def promotion(frame: pl.DataFrame) -> Figure:
    """The candidate against the best network, with the interval, and which candidates were promoted."""
    figure, (axes,) = _figure(frame)
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
    _finish(
        axes,
        "Points a round of the candidate more than the best network,\nwith 95 % interval",
        "points a round",
        legend=True,
    )
    return figure


def ratings(frame: pl.DataFrame) -> Figure:
    """The rating of the best network, with its 95 % interval."""
    figure, (axes,) = _figure(frame)
    iterations, rating = _points(frame, "rating")
    _, sigma = _points(frame, "rating_sigma")
    half = INTERVAL_SIGMAS * sigma
    _with_interval(axes, iterations, rating, rating - half, rating + half)
    if ANCHOR in opponents(frame):
        axes.axhline(0, color=_INK, linewidth=1)
        _label_ends(axes, ["rule bot"], [0.0], colours=[_INK])
    _finish(axes, "Rating of the best network, with 95 % interval", "rating (Elo's scale)")
    return figure


def value_calibration(of: Calibration) -> Figure:
    """Realized against predicted values, over how many predictions there are."""
    return _calibration(of, "Values: what was predicted and what came of it", "value predicted", "value realized, mean")


def bid_calibration(of: Calibration) -> Figure:
    """Bids made against the predicted chance of them, over how many predictions there are."""
    return _calibration(
        of, "Bids: predicted chance and share made", "chance predicted", "share of bids made", share=True
    )


def _calibration(of: Calibration, title: str, predicted: str, realized: str, *, share: bool = False) -> Figure:
    figure = Figure(figsize=(_WIDTH, 5.2), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    ends = of.edges[[0, -1]]
    upper.plot(ends, ends, color=_INK, linestyle="--", linewidth=1, label="predictions that come true")
    shown = np.isfinite(of.predicted)
    upper.plot(of.predicted[shown], of.realized[shown], marker="o", color=_COLOURS[0], label="the network's")
    lower.bar(of.edges[:-1], of.counts, width=np.diff(of.edges), align="edge", color=_COLOURS[5], ec="white")
    lower.set_xlabel(predicted)
    lower.yaxis.set_major_formatter(FuncFormatter(_thousands))
    lower.yaxis.set_major_locator(MaxNLocator(3, integer=True))
    for axes in (upper, lower):
        _plain(axes)
        axes.set_xlim(*ends)
        axes.set_xticks(np.linspace(ends[0], ends[1], 5))
    if share:
        for axis in (upper.xaxis, upper.yaxis):
            axis.set_major_formatter(PercentFormatter(1))
    _finish(upper, title, realized, legend=True)
    lower.set_ylabel("predictions")
    return figure


def opponents(frame: pl.DataFrame) -> list[str]:
    """The fixed opponents that were met at least once, in the order of the columns."""
    names = [name.removesuffix("_difference") for name in frame.columns if name.endswith("_difference")]
    return [
        name
        for name in names
        if name != "promotion" and {f"{name}_low", f"{name}_high"} <= set(frame.columns) and has(frame, f"{name}_low")
    ]


def judged_by_network(frame: pl.DataFrame) -> pl.DataFrame:
    """The iterations whose self-play the network judged; random playouts are many times faster and send no batches."""
    if "batch_fill" not in frame.columns:  # metrics of an older version
        return frame
    return frame.filter(pl.col("batch_fill").is_not_null())


def has(frame: pl.DataFrame, column: str) -> bool:
    """Whether the column is there and not empty."""
    return column in frame.columns and frame[column].null_count() < len(frame)


_WIDTH = 6.4
"""Of all figures, in inches; with 10-point text."""

_HEIGHT = 3.6
"""Of figures with one panel, in inches."""


def _figure(frame: pl.DataFrame, panels: int = 1) -> tuple[Figure, Sequence[Axes]]:
    figure = Figure(figsize=(_WIDTH, _HEIGHT if panels == 1 else 2.6 * panels), layout="constrained")
    axes = figure.subplots(panels, 1, sharex=True, squeeze=False)[:, 0]
    # The same for all charts, whatever was measured when.
    first, last = (float(end) for end in frame["iteration"].to_numpy()[[0, -1]])
    margin = max(0.5, 0.03 * (last - first))
    for each in axes:
        _plain(each)
        each.set_xlim(first - margin, last + margin)
        each.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes[-1].set_xlabel("iteration")
    return figure, list(axes)


def _plain(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color=_GRID, linewidth=0.7)
    axes.set_axisbelow(True)


def _finish(axes: Axes, title: str, unit: str, *, legend: bool = False) -> None:
    axes.set_title(title, loc="left", fontsize=11, fontweight="bold", pad=24 if legend else 6)
    axes.set_ylabel(unit)
    if legend:
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


def _with_interval(
    axes: Axes, iterations: Numbers, y: Numbers, low: Numbers, high: Numbers, *, index: int = 0, lines: int = 1
) -> None:
    """Draw line `index` of `lines` with its intervals: bars where there are few, a band where there are many."""
    colour, style = _COLOURS[index % len(_COLOURS)], _STYLES[index % len(_STYLES)]
    if len(iterations) <= _MOST_BARS:
        # Bars of the same iteration stand side by side, a sixtieth of the width apart.
        x = iterations + np.ptp(axes.get_xlim()) / 60 * (index - (lines - 1) / 2)
        bars = np.stack([y - low, high - y])
        mark = _MARKS[index % len(_MARKS)]
        axes.errorbar(x, y, yerr=bars, color=colour, linestyle=style, marker=mark, markersize=4, capsize=3)
    else:
        axes.plot(iterations, y, color=colour, linestyle=style, linewidth=1.4)
        axes.fill_between(iterations, low, high, color=colour, alpha=0.2, linewidth=0)


def _label_ends(axes: Axes, names: Sequence[str], ends: Sequence[float], colours: Sequence[str] = _COLOURS) -> None:
    """Write names beside the right ends of lines, in their order and none over another."""
    bottom, top = axes.get_ylim()
    axes.set_ylim(bottom, top)
    spacing = (top - bottom) * _LINE_SPACING / (72 * 0.7 * _HEIGHT)  # the axes have some 70 % of the figure's height
    order = np.argsort(ends)
    at = apart(np.array(ends)[order], spacing)
    for which, height in zip(order, at, strict=True):
        axes.annotate(
            names[which],
            (1, height),
            xycoords=("axes fraction", "data"),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            color=colours[which % len(colours)],
            annotation_clip=False,
        )


def apart(heights: Numbers, spacing: float) -> Numbers:
    """Heights, ascending, moved as little as keeps each `spacing` above the one below it: groups keep their mean."""
    # With their least distances taken off, heights may be equal but not descend: the nearest such row is isotonic.
    base = spacing * np.arange(len(heights))
    groups: list[tuple[float, int]] = []
    for height in heights - base:
        mean, size = float(height), 1
        while groups and groups[-1][0] > mean:
            before, many = groups.pop()
            mean, size = (mean * size + before * many) / (size + many), size + many
        groups.append((mean, size))
    moved: Numbers = np.repeat([mean for mean, _ in groups], [size for _, size in groups]) + base
    return moved


def _thousands(value: float, _: object) -> str:
    return f"{value:,.0f}"
