"""How charts are drawn: figures, lines, intervals and labels in one style.

Colours are the palette of Okabe and Ito ("Color universal design", 2008), which people with any kind of colour vision
can tell apart; lines differ in style too. Legends stand above the axes and names of lines beside them, never over a
line. Figures are narrow, so that their text can still be read when a phone scales them down.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

Numbers = npt.NDArray[np.float64]

INK, _GRID = "#333333", "#dddddd"
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_STYLES = ("-", "--", "-.", ":")
MARKS = ("o", "s", "^", "D", "v", "P")

MOST_MARKED = 60
"""Most points of a line that carry marks; more would overlap."""

_MOST_BARS = 10
"""Most points of a line whose intervals are drawn as bars; more points have a band."""

_LINE_SPACING = 14.0
"""Distance of lines of text, in points."""

WIDTH = 6.4
"""Width of all figures, in inches; their text has 10 points."""

_HEIGHT = 3.6
"""Height of figures with one panel, in inches."""


def has(frame: pl.DataFrame, column: str) -> bool:
    """Whether the column is there and not empty."""
    return column in frame.columns and frame[column].null_count() < len(frame)


def new_figure(frame: pl.DataFrame, panels: int = 1) -> tuple[Figure, Sequence[Axes]]:
    """A figure with panels one above the other, whose common axis is the iterations of the run."""
    figure = Figure(figsize=(WIDTH, _HEIGHT if panels == 1 else 2.6 * panels), layout="constrained")
    axes = figure.subplots(panels, 1, sharex=True, squeeze=False)[:, 0]
    # The same for all charts, whatever was measured when.
    first, last = (float(end) for end in frame["iteration"].to_numpy()[[0, -1]])
    # Room for intervals that stand side by side at the last iteration.
    margin = max(0.5, 0.045 * (last - first))
    for each in axes:
        plain(each)
        each.set_xlim(first - margin, last + margin)
        each.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes[-1].set_xlabel("iteration")
    return figure, list(axes)


def plain(axes: Axes) -> None:
    """Leaves axes with a light grid and without a frame."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color=_GRID, linewidth=0.7)
    axes.set_axisbelow(True)


def finish(axes: Axes, title: str, unit: str, *, legend: bool = False) -> None:
    """Adds title and unit, and the legend if wanted."""
    axes.set_title(title, loc="left", fontsize=11, fontweight="bold", pad=24 if legend else 6)
    axes.set_ylabel(unit)
    if legend:
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, frameon=False, borderaxespad=0.2)


def points(frame: pl.DataFrame, column: str) -> tuple[Numbers, Numbers]:
    """Iterations and values of a column where it is not empty."""
    filled = frame.filter(pl.col(column).is_not_null())
    return filled["iteration"].to_numpy().astype(np.float64), filled[column].to_numpy().astype(np.float64)


def line(axes: Axes, frame: pl.DataFrame, column: str, label: str, index: int) -> None:
    """Draws line `index` of a chart from a column of the metrics."""
    if not has(frame, column):
        axes.text(0.5, 0.5, "not measured", transform=axes.transAxes, ha="center", color=INK)
        return
    iterations, values = points(frame, column)
    axes.plot(
        iterations,
        values,
        label=label,
        color=COLOURS[index % len(COLOURS)],
        linestyle=_STYLES[index % len(_STYLES)],
        marker=MARKS[index % len(MARKS)] if len(iterations) <= MOST_MARKED else None,
        markersize=4,
        linewidth=1.6,
    )


def line_with_interval(
    axes: Axes, iterations: Numbers, y: Numbers, low: Numbers, high: Numbers, *, index: int = 0, lines: int = 1
) -> None:
    """Draws line `index` of `lines` with its intervals: bars where there are few, a band where there are many."""
    colour, style = COLOURS[index % len(COLOURS)], _STYLES[index % len(_STYLES)]
    if len(iterations) <= _MOST_BARS:
        # Bars of the same iteration stand side by side, a sixtieth of the width apart.
        x = iterations + np.ptp(axes.get_xlim()) / 60 * (index - (lines - 1) / 2)
        bars = np.stack([y - low, high - y])
        mark = MARKS[index % len(MARKS)]
        axes.errorbar(x, y, yerr=bars, color=colour, linestyle=style, marker=mark, markersize=4, capsize=3)
    else:
        axes.plot(iterations, y, color=colour, linestyle=style, linewidth=1.4)
        axes.fill_between(iterations, low, high, color=colour, alpha=0.2, linewidth=0)


def label_ends(axes: Axes, names: Sequence[str], ends: Sequence[float], colours: Sequence[str] = COLOURS) -> None:
    """Writes names beside the right ends of lines, in their order and none over another."""
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
    """Ascending heights, moved as little as possible to lie `spacing` apart: isotonic regression.

    By pool-adjacent-violators (Ayer et al. 1955): heights that would overlap form a group, which keeps its mean.
    """
    # With the spacing subtracted, heights need only not descend.
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


def thousands(value: float, _: object) -> str:
    """Label of a tick, with thousands separated."""
    return f"{value:,.0f}"
