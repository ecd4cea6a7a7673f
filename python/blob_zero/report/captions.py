"""The charts of the page and their captions."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import polars as pl
from matplotlib.figure import Figure

from blob_zero.arena.ratings import ANCHOR
from blob_zero.metrics.calibration import NetworkCalibration
from blob_zero.report import charts
from blob_zero.report.drawing import has

_OPPONENTS = {
    "untrained": "the network before training",
    "random": "which plays any legal action",
    "rule": "a bot with simple rules",
    "rollout": "the same search with random playouts instead of a network",
    "ismcts": "a search of one tree over information states, judged by playouts of the rule bot",
    "flat": "a search of one step, judged by playouts of the rule bot",
}


@dataclass(frozen=True)
class CaptionedChart:
    """A chart of the page.

    Attributes:
        name: of the PNG, without its ending.
        title: heading above it.
        caption: text below it.
        draw: makes the figure.
    """

    name: str
    title: str
    caption: str
    draw: Callable[[], Figure]


def captioned_charts(
    frame: pl.DataFrame, calibrated: NetworkCalibration | None, *, blended: float, has_bid_chances: bool
) -> Iterator[CaptionedChart]:
    """The charts that the run has numbers for."""
    yield from _strength_and_losses(frame)
    yield from _matches_in_the_run(frame)
    if calibrated is not None:
        yield from _calibration(calibrated, blended=blended, has_bid_chances=has_bid_chances)
    yield CaptionedChart(
        "speed",
        "Speed",
        "Self-play alone, without training and matches. In the first iterations random playouts may judge positions "
        "instead of the network. They need no batches and are many times faster. Where they would compress the "
        "network's line, their marks stand above it, not to scale. Batches should be nearly full: the network takes "
        "the same time for a half-empty one.",
        lambda: charts.speed(frame),
    )


def _strength_and_losses(frame: pl.DataFrame) -> Iterator[CaptionedChart]:
    met = charts.opponents(frame)
    if met:
        yield CaptionedChart(
            "strength",
            "Strength",
            "The best network, with the run's search, against fixed opponents: "
            + "; ".join(f"{name}, {_OPPONENTS[name]}" for name in met)
            + ". The network has one seat and the opponent all others, always on the same deals. Training never uses "
            "these matches. Above zero the network scores more. If an interval contains zero, the match does not show "
            "which of the two is stronger.",
            lambda: charts.strength(frame),
        )
    yield CaptionedChart(
        "losses",
        "Losses",
        "The distance of the network from its training targets; lower is better. The policy learns the visits of the "
        "search. Its loss cannot fall below their entropy: the distance between the two lines is what can still be "
        "learned. The value learns the result of each seat. With hidden cards its error cannot fall to zero. Both "
        "losses may rise again when the search gets stronger and its rounds change." + _undone(frame),
        lambda: charts.losses(frame),
    )


def _matches_in_the_run(frame: pl.DataFrame) -> Iterator[CaptionedChart]:
    if has(frame, "promotion_difference"):
        yield CaptionedChart(
            "promotion",
            "Promotion",
            "The candidate, which is the network after each training, against the best network so far, on fresh deals "
            "each time. It becomes the best network if the lower end of the interval exceeds promotion.margin of the "
            "settings.",
            lambda: charts.promotion(frame),
        )
    if has(frame, "rating"):
        yield CaptionedChart(
            "ratings",
            "Ratings",
            "One number for the strength of the best network, from all of its matches. A rating that is 400 higher "
            "means ten deals won for each one lost. "
            + ("The rule bot is at 0. " if ANCHOR in charts.opponents(frame) else "It compares within this run only. ")
            + "All measurements use the same deals, so differences between two networks are more certain than the "
            "intervals suggest.",
            lambda: charts.ratings(frame),
        )


def _calibration(of: NetworkCalibration, *, blended: float, has_bid_chances: bool) -> Iterator[CaptionedChart]:
    yield CaptionedChart(
        "value_calibration",
        "Do its values come true?",
        "The network predicts the result of each seat, from -1 (no points) to 1 (the most that the hand allows)"
        f"{'' if has_bid_chances else ', mixed with the place in the game'}. Each point is a group of similar "
        "predictions: their mean on the horizontal axis, the mean result on the vertical one. On the dashed line "
        "predictions came true; above it they were too low, below it too high. The mean distance from the line is "
        f"{of.value.error:.3f}. The bars below count the predictions of each group. {_about_rows(of, blended)}",
        lambda: charts.value_calibration(of.value),
    )
    if has_bid_chances:
        yield CaptionedChart(
            "bid_calibration",
            "Does it know which bids will be made?",
            "A bid that is made scores 10 points plus the bid, and any other scores 0. So a seat's expected points, "
            "divided by the score of its bid, are its chance of making the bid. Of the bids with a predicted chance "
            "of about 70 %, seven in ten should have been made: then the point lies on the dashed line. Above it the "
            "network's chances were too low, below it too high. The mean distance from the line is "
            f"{of.bids.error:.1%}. A row counts if its decision is in the play of cards, for the seat that decides. "
            "The rows are from the same rounds as in the chart above.",
            lambda: charts.bid_calibration(of.bids),
        )


def _about_rows(calibrated: NetworkCalibration, blended: float) -> str:
    text = (
        f"The best network predicts without search, for {calibrated.rows:,} held-out rows of the newest checkpoint's "
        "replay ring: the run played these rounds with exploration and never trained on them."
    )
    if blended:
        text += (
            f" The results contain {blended:.0%} of the search's own expectation, as in training "
            "(training.root_value_weight). That makes the predictions look better than they are."
        )
    return text


def _undone(frame: pl.DataFrame) -> str:
    """A sentence about the trainings that were undone, if there are any."""
    if "training_undone" not in frame.columns:  # metrics of an older version
        return ""
    iterations = frame.filter(pl.col("training_undone"))["iteration"].to_list()
    if not iterations:
        return ""
    return (
        f" Training in iteration{'s' if len(iterations) > 1 else ''} {', '.join(map(str, iterations))} was undone, "
        "because it left weights that are not finite."
    )
