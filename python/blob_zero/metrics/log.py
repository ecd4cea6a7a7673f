"""The run's metrics: a Parquet file with one row for each iteration. Every column is defined here."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from blob_zero.errors import CheckpointError
from blob_zero.run.atomic_files import write_atomically

MetricValue = int | float | bool | None
MetricsRow = Mapping[str, MetricValue]


@dataclass(frozen=True)
class Column:
    """A column: its name, its type, and its meaning with the unit."""

    name: str
    dtype: type[pl.DataType]
    meaning: str


def _against(opponent: str, whom: str) -> tuple[Column, ...]:
    """The columns of a measurement against one opponent; empty in iterations without one."""
    return (
        Column(f"{opponent}_difference", pl.Float64, f"points a round more than {whom}, paired by deal"),
        Column(f"{opponent}_low", pl.Float64, "lower end of its 95 % interval"),
        Column(f"{opponent}_high", pl.Float64, "upper end of its 95 % interval"),
        Column(f"{opponent}_points", pl.Float64, f"points a round of the best network against {whom}"),
        Column(f"{opponent}_exact", pl.Float64, "share of the best network's bids made exactly in that match"),
    )


_POLICY_UPDATES = (
    Column("replicator_loss", pl.Float64, "minus the logits of the legal actions, weighted by their advantages, a row"),
    Column("entropy_loss", pl.Float64, "minus the policy's entropy times its weight"),
    Column("update_kl", pl.Float64, "divergence of the policy from the one that the iteration began with, nats"),
)
OUTCOME_LOSSES = (
    Column("critic_loss", pl.Float64, "mean squared error of the critic, which sees all hands"),
    Column("make_loss", pl.Float64, "cross-entropy of the chance that the bid is made by the action taken, nats"),
    Column(
        "missed_loss", pl.Float64, "cross-entropy of the own tricks where the bid is missed, 0 where it is made, nats"
    ),
    Column(
        "tricks_loss", pl.Float64, "cross-entropy of the tricks of a seat, over the seats of a row and then rows, nats"
    ),
)
POLICY_LOSSES = (*_POLICY_UPDATES, *OUTCOME_LOSSES)
"""Losses of networks of kind outcome; those of searches are empty there, and these for BlobNet."""

POLICY_ENTROPY = "entropy of the visits, the lower bound of `policy_loss`; without search, of the policy; nats"

COLUMNS: tuple[Column, ...] = (
    Column("iteration", pl.Int64, "iterations done, from 1"),
    Column("rounds", pl.Int64, "rounds of self-play begun since the run began; games, where whole games are played"),
    Column("rows", pl.Int64, "rows from this iteration's self-play"),
    Column("replay_rows", pl.Int64, "rows in the replay"),
    Column("rounds_per_minute", pl.Float64, "speed of self-play"),
    Column(
        "batch_fill",
        pl.Float64,
        "share of the rows of self-play's batches that were filled; empty where playouts judged",
    ),
    Column("selfplay_points", pl.Float64, "points a seat and round in self-play, mean"),
    Column("selfplay_exact", pl.Float64, "share of bids made exactly in self-play"),
    Column("policy_loss", pl.Float64, "cross-entropy of the network's policy against the search's visits, nats"),
    Column("policy_entropy", pl.Float64, POLICY_ENTROPY),
    Column("policy_kl", pl.Float64, "`policy_loss` less `policy_entropy`, nats"),
    *POLICY_LOSSES,
    Column("value_loss", pl.Float64, "mean squared error of the values, over the seats of a row and then over rows"),
    Column("value_error", pl.Float64, "mean absolute error in the same way, on the scale of -1 to 1"),
    Column("gradient_norm", pl.Float64, "norm of the gradient before clipping, mean over steps"),
    Column("learning_rate", pl.Float64, "learning rate of the network in the last step"),
    Column("steps", pl.Int64, "optimizer steps taken"),
    Column("skipped_steps", pl.Int64, "steps left out because the loss or the gradient was not finite"),
    Column(
        "training_undone",
        pl.Boolean,
        "whether training left weights that are not finite, so that the learner went back to the last checkpoint",
    ),
    Column("examples_per_second", pl.Float64, "rows learned from, a second"),
    Column("held_out_rows", pl.Int64, "newest rows of rounds that are never trained on"),
    Column("held_out_policy_loss", pl.Float64, "`policy_loss` on the held-out rows, after the iteration's training"),
    Column("held_out_policy_kl", pl.Float64, "`policy_kl` on the held-out rows"),
    *(Column(f"held_out_{loss.name}", pl.Float64, f"`{loss.name}` on the held-out rows") for loss in OUTCOME_LOSSES),
    Column("held_out_value_loss", pl.Float64, "`value_loss` on the held-out rows"),
    Column("held_out_value_error", pl.Float64, "`value_error` on the held-out rows"),
    Column("held_out_value_calibration", pl.Float64, "distance of predicted from realized values, mean over bins"),
    Column(
        "held_out_bid_calibration",
        pl.Float64,
        "the same for the chance that a bid is made; empty where the values hold more than the round's result",
    ),
    Column(
        "held_out_bid_explained",
        pl.Float64,
        "share of the variance of made bids that networks of kind outcome explain on the held-out rows",
    ),
    Column(
        "held_out_critic_explained",
        pl.Float64,
        "share of the variance of the seat's result that the critic explains on the held-out rows",
    ),
    *_against("untrained", "the network that the run began with, which plays in the same way"),
    *_against("random", "random play"),
    *_against("rule", "the rule bot"),
    *_against("rollout", "a search by random playouts, `rollout:WxS` of the settings"),
    *_against("ismcts", "the tree over information states, `ismcts:N` of the settings"),
    *_against("flat", "the search of one step, `flat:W` of the settings"),
    Column("rating", pl.Float64, "rating of the best network after this iteration; empty until it has played a match"),
    Column("rating_sigma", pl.Float64, "standard deviation of that rating"),
    Column("promotion_difference", pl.Float64, "points a round that the candidate scores more than the best network"),
    Column("promotion_low", pl.Float64, "lower end of its 95 % interval"),
    Column("promotion_high", pl.Float64, "upper end of its 95 % interval"),
    Column("promoted", pl.Boolean, "whether the candidate became the best"),
    Column("best_iteration", pl.Int64, "iteration of the best network, 0 for the one that the run began with"),
    Column("selfplay_seconds", pl.Float64, "seconds of self-play; on a cluster with lag 1, seconds of waiting for it"),
    Column("training_seconds", pl.Float64, "seconds of training"),
    Column("judging_seconds", pl.Float64, "seconds of promotion and measurement"),
    Column(
        "commit_seconds",
        pl.Float64,
        "seconds of the commit before this one; empty in the first iteration after a restart",
    ),
)

SCHEMA = {column.name: column.dtype for column in COLUMNS}


class MetricsLog:
    """The Parquet file of a run. Each new row replaces the file by one rename.

    Raises:
        CheckpointError: the file exists and cannot be read, or has columns that are not defined.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.frame = pl.DataFrame(schema=SCHEMA)
        if path.exists():
            try:
                saved = pl.read_parquet(path)
            except (OSError, pl.exceptions.PolarsError) as error:
                raise CheckpointError(f"cannot read the metrics {path}: {error}") from error
            if any(SCHEMA.get(name) != dtype for name, dtype in saved.schema.items()):
                raise CheckpointError(f"{path} has other columns than this version writes; move it away")
            # An earlier version may have had fewer columns.
            self.frame = pl.concat([self.frame, saved], how="diagonal")

    def append(self, row: MetricsRow) -> None:
        """Adds an iteration; columns that the row lacks are empty.

        Raises:
            KeyError: the row has a column that is not defined.
            CheckpointError: the file cannot be written.
        """
        unknown = sorted(set(row) - set(SCHEMA))
        if unknown:
            raise KeyError(f"undefined metrics: {', '.join(unknown)}")
        self.frame = pl.concat([self.frame, pl.DataFrame([row], schema=SCHEMA)])
        self._write()

    def keep_until(self, iteration: int) -> None:
        """Drops the rows of later iterations, which were not committed and will be played again."""
        kept = self.frame.filter(pl.col("iteration") <= iteration)
        if len(kept) != len(self.frame):
            self.frame = kept
            self._write()

    def content(self) -> bytes:
        """The bytes of the file."""
        content = io.BytesIO()
        self.frame.write_parquet(content)
        return content.getvalue()

    def _write(self) -> None:
        write_atomically(self.path, self.content())


def columns_markdown(columns: Sequence[Column]) -> str:
    """The columns as a table of docs/metrics.md."""
    types = {pl.Int64: "integer", pl.Float64: "number", pl.Boolean: "yes or no"}
    lines = ["| column | type | meaning |", "| --- | --- | --- |"]
    lines += [f"| `{column.name}` | {types[column.dtype]} | {column.meaning} |" for column in columns]
    return "\n".join(lines) + "\n"
