"""The charts of a report, each a function from metrics to a figure."""

import numpy as np
import polars as pl
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter

from blob_zero.arena.ratings import ANCHOR, INTERVAL_SIGMAS
from blob_zero.metrics.calibration import Calibration
from blob_zero.report.drawing import (
    COLOURS,
    INK,
    MARKS,
    MOST_MARKED,
    WIDTH,
    finish,
    has,
    label_ends,
    line,
    line_with_interval,
    new_figure,
    plain,
    points,
    thousands,
)


def losses(frame: pl.DataFrame) -> Figure:
    """Policy loss above its floor, and value loss, by iteration; of play without search what it learns instead."""
    if without_search(frame):
        return _outcome_losses(frame)
    figure, (policy, value) = new_figure(frame, panels=2)
    line(policy, frame, "policy_loss", "policy loss", 0)
    line(policy, frame, "policy_entropy", "entropy of the visits: the least it can be", 1)
    line(value, frame, "value_loss", "value loss", 0)
    finish(policy, "Policy: cross-entropy against the search's visits", "nats", legend=True)
    finish(value, "Value: error against the results of the rounds", "squared error, mean\n(results: -1 to 1)")
    return figure


def _outcome_losses(frame: pl.DataFrame) -> Figure:
    figure, (entropy, make, explained) = new_figure(frame, panels=3)
    line(entropy, frame, "policy_entropy", "rows learned from", 0)
    for name, axis in (("make_loss", 0), ("held_out_make_loss", 1)):
        line(make, frame, name, "held-out rows" if axis else "rows learned from", axis)
    line(explained, frame, "held_out_bid_explained", "made bids, from what a seat knows", 0)
    line(explained, frame, "held_out_critic_explained", "results, from all hands (critic)", 1)
    explained.yaxis.set_major_formatter(PercentFormatter(1))
    finish(entropy, "Policy: entropy, how much it still tries", "nats")
    finish(make, "Chance that the bid is made: cross-entropy", "nats", legend=True)
    finish(explained, "Variance explained on held-out rows", "share", legend=True)
    return figure


def selfplay(frame: pl.DataFrame) -> Figure:
    """Points a seat and round in self-play, and the share of bids made."""
    figure, (scored, made) = new_figure(frame, panels=2)
    line(scored, frame, "selfplay_points", "points", 0)
    line(made, frame, "selfplay_exact", "bids made", 0)
    made.yaxis.set_major_formatter(PercentFormatter(1))
    finish(scored, "Points in self-play, a seat and round", "points, mean")
    finish(made, "Bids made exactly in self-play", "share of bids")
    return figure


def strength(frame: pl.DataFrame) -> Figure:
    """Points a round more than each fixed opponent, with the 95 % interval."""
    figure, (axes,) = new_figure(frame)
    met = opponents(frame)
    ends = []
    for index, opponent in enumerate(met):
        iterations, difference = points(frame, f"{opponent}_difference")
        _, low = points(frame, f"{opponent}_low")
        _, high = points(frame, f"{opponent}_high")
        line_with_interval(axes, iterations, difference, low, high, index=index, lines=len(met))
        ends.append(difference[-1])
    axes.axhline(0, color=INK, linewidth=1)
    label_ends(axes, met, ends)
    finish(axes, "Points a round more than each opponent, with 95 % interval", "points a round")
    return figure


def speed(frame: pl.DataFrame) -> Figure:
    """Rounds a minute, and how full the batches were.

    The axis is that of the rounds judged by the network; those judged by playouts are marked at its upper end.
    """
    figure, (rounds, fill) = new_figure(frame, panels=2)
    by_network = judged_by_network(frame)
    by_playouts = frame.join(by_network, on="iteration", how="anti")
    if len(by_network):
        line(rounds, by_network, "rounds_per_minute", "network", 0)
    if len(by_playouts):
        iterations, values = points(by_playouts, "rounds_per_minute")
        label = "playouts"
        highest = 1.2 * rounds.dataLim.y1
        if len(by_network) and values.max() > highest:
            label += f", off the scale: up to {values.max():,.0f}"
            values = np.minimum(values, highest)
        rounds.plot(iterations, values, marker="^", markersize=4, linestyle="none", color=COLOURS[1], label=label)
    rounds.set_ylim(0, 1.08 * rounds.dataLim.y1)
    rounds.yaxis.set_major_formatter(FuncFormatter(thousands))
    line(fill, frame, "batch_fill", "batch fill", 0)
    fill.set_ylim(0, 1.05)
    fill.yaxis.set_major_formatter(PercentFormatter(1))
    finish(rounds, "Rounds of self-play a minute", "rounds/min", legend=len(by_playouts) > 0)
    finish(fill, "Batch fill: how full the network's batches were", "share of rows, mean")
    return figure


def promotion(frame: pl.DataFrame) -> Figure:
    """The candidate against the best network, with the interval, and which candidates were promoted."""
    figure, (axes,) = new_figure(frame)
    iterations, difference = points(frame, "promotion_difference")
    _, low = points(frame, "promotion_low")
    _, high = points(frame, "promotion_high")
    matches = frame.filter(pl.col("promotion_difference").is_not_null())
    promoted = matches["promoted"].fill_null(value=False).to_numpy()
    axes.axhline(0, color=INK, linewidth=1)
    small = len(iterations) > MOST_MARKED
    for chosen, label, style in ((promoted, "promoted", 0), (~promoted, "not promoted", 1)):
        axes.errorbar(
            iterations[chosen],
            difference[chosen],
            yerr=np.stack([difference - low, high - difference])[:, chosen],
            fmt=MARKS[style],
            color=COLOURS[style],
            markersize=3 if small else 6,
            linewidth=0.6 if small else 1.4,
            label=f"{label} ({chosen.sum()})",
        )
    finish(
        axes,
        "Points a round of the candidate more than the best network,\nwith 95 % interval",
        "points a round",
        legend=True,
    )
    return figure


def ratings(frame: pl.DataFrame) -> Figure:
    """The rating of the best network, with its 95 % interval."""
    figure, (axes,) = new_figure(frame)
    iterations, rating = points(frame, "rating")
    _, sigma = points(frame, "rating_sigma")
    half = INTERVAL_SIGMAS * sigma
    line_with_interval(axes, iterations, rating, rating - half, rating + half)
    if ANCHOR in opponents(frame):
        axes.axhline(0, color=INK, linewidth=1)
        label_ends(axes, ["rule bot"], [0.0], colours=[INK])
    finish(axes, "Rating of the best network, with 95 % interval", "rating (Elo's scale)")
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
    figure = Figure(figsize=(WIDTH, 5.2), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    ends = of.edges[[0, -1]]
    upper.plot(ends, ends, color=INK, linestyle="--", linewidth=1, label="predictions that come true")
    shown = np.isfinite(of.predicted)
    upper.plot(of.predicted[shown], of.realized[shown], marker="o", color=COLOURS[0], label="the network's")
    lower.bar(of.edges[:-1], of.counts, width=np.diff(of.edges), align="edge", color=COLOURS[5], ec="white")
    lower.set_xlabel(predicted)
    lower.yaxis.set_major_formatter(FuncFormatter(thousands))
    lower.yaxis.set_major_locator(MaxNLocator(3, integer=True))
    for axes in (upper, lower):
        plain(axes)
        axes.set_xlim(*ends)
        axes.set_xticks(np.linspace(ends[0], ends[1], 5))
    if share:
        for axis in (upper.xaxis, upper.yaxis):
            axis.set_major_formatter(PercentFormatter(1))
    finish(upper, title, realized, legend=True)
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


def without_search(frame: pl.DataFrame) -> bool:
    """Whether the run plays without search, and learns what comes of each action."""
    return has(frame, "make_loss")
