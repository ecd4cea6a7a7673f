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
    "untrained": "the network that the run began with",
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
    policy = charts.without_search(frame)
    yield from _strength(frame)
    yield from _learning_without_search(frame) if policy else _losses(frame)
    yield from _matches_in_the_run(frame)
    if calibrated is not None:
        yield _value_calibration(calibrated, blended=blended, scores_alone=has_bid_chances)
        if policy or has_bid_chances:
            yield _bid_calibration(calibrated, policy=policy)
    playouts = (
        ""
        if policy
        else "In the first iterations random playouts may judge positions instead of the network. They need no batches "
        "and are many times faster. Where they would compress the network's line, their marks stand above it, not to "
        "scale. "
    )
    yield CaptionedChart(
        "speed",
        "Speed",
        f"Self-play alone, without training and matches. {playouts}Batches should be nearly full: the network takes "
        "the same time for a half-empty one.",
        lambda: charts.speed(frame),
    )


def _strength(frame: pl.DataFrame) -> Iterator[CaptionedChart]:
    met = charts.opponents(frame)
    policy = charts.without_search(frame)
    played = "without search" if policy else "with the run's search"
    names = _OPPONENTS | ({"rollout": "a search with random playouts"} if policy else {})
    if met:
        yield CaptionedChart(
            "strength",
            "Strength",
            f"The best network, {played}, against fixed opponents: "
            + "; ".join(f"{name}, {names[name]}" for name in met)
            + ". The network has one seat and the opponent all others, always on the same deals. Training never uses "
            "these matches. Above zero the network scores more. If an interval contains zero, the match does not show "
            "which of the two is stronger.",
            lambda: charts.strength(frame),
        )


def _losses(frame: pl.DataFrame) -> Iterator[CaptionedChart]:
    yield CaptionedChart(
        "losses",
        "Losses",
        "The distance of the network from its training targets; lower is better. The policy learns the visits of the "
        "search. Its loss cannot fall below their entropy: the distance between the two lines is what can still be "
        "learned. The value learns the result of each seat. With hidden cards its error cannot fall to zero. Both "
        "losses may rise again when the search gets stronger and its rounds change." + _undone(frame),
        lambda: charts.losses(frame),
    )


def _learning_without_search(frame: pl.DataFrame) -> Iterator[CaptionedChart]:
    yield CaptionedChart(
        "losses",
        "Losses",
        "The distance of the network's predictions from what came of the actions taken; lower is better. Above, the "
        "chance that the bid is made: with hidden cards its loss cannot fall to zero. If the loss on held-out rows, "
        "which are never trained on, rises while the other falls, the network memorizes its rows. In the middle, how "
        "much better than a single chance for all actions the network predicts made bids: 0 % is no better, 100 % is "
        "always right. Below, the value, which is the result of each seat. Losses rise in the first iterations: an "
        "untrained network makes hardly any bid, which is easy to predict. Later they may rise when play gets stronger."
        + _undone(frame),
        lambda: charts.losses(frame),
    )
    yield CaptionedChart(
        "selfplay",
        "Self-play",
        "The mean points of a seat in a round in which the network has all seats, and the share of bids made exactly. "
        "A share of random actions is among them (selfplay.random_share), and the network has learned to stop the "
        "others too: points in self-play show that a run learns, not how strong the network is.",
        lambda: charts.selfplay(frame),
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


def _value_calibration(of: NetworkCalibration, *, blended: float, scores_alone: bool) -> CaptionedChart:
    return CaptionedChart(
        "value_calibration",
        "Do its values come true?",
        "The network predicts the result of each seat, from -1 (no points) to 1 (the most that the hand allows)"
        f"{'' if scores_alone else ', mixed with the place in the game'}. Each point is a group of similar "
        "predictions: their mean on the horizontal axis, the mean result on the vertical one. On the dashed line "
        "predictions came true; above it they were too low, below it too high. The mean distance from the line is "
        f"{of.value.error:.3f}. The bars below count the predictions of each group. {_about_rows(of, blended)}",
        lambda: charts.value_calibration(of.value),
    )


def _bid_calibration(of: NetworkCalibration, *, policy: bool) -> CaptionedChart:
    if policy:
        about = (
            "The network predicts for each action the chance that the seat makes its bid after it; here for the action "
            "that was taken, in bidding and in the play of cards. "
        )
        counted = ""
    else:
        about = (
            "A bid that is made scores 10 points plus the bid, and any other scores 0. So a seat's expected points, "
            "divided by the score of its bid, are its chance of making the bid. "
        )
        counted = "A row counts if its decision is in the play of cards, for the seat that decides. "
    return CaptionedChart(
        "bid_calibration",
        "Does it know which bids will be made?",
        f"{about}Of the bids with a predicted chance "
        "of about 70 %, seven in ten should have been made: then the point lies on the dashed line. Above it the "
        "network's chances were too low, below it too high. The mean distance from the line is "
        f"{of.bids.error:.1%}. {counted}The rows are from the same rounds as in the chart above.",
        lambda: charts.bid_calibration(of.bids),
    )


def _about_rows(calibrated: NetworkCalibration, blended: float) -> str:
    text = (
        f"The best network predicts without search, for {calibrated.rows:,} held-out rows of the newest checkpoint's "
        "replay: the run played these rounds with exploration and never trained on them."
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
