"""The reports of a run at work, and the interface that shows them."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from blob_zero._core import Progress
from blob_zero.selfplay.serving import Counts

if TYPE_CHECKING:  # it needs polars, which workers of a cluster need not load
    from blob_zero.metrics.log import MetricsRow

Notice = Callable[[str], None]
"""Takes one line of text for the user."""


def silent(_: str) -> None:
    """Drops a notice."""


class Display(Protocol):
    """Shows the user how a run goes. The command line has one for terminals and one for logs."""

    def message(self, text: str) -> None:
        """Shows one line that stays on the screen."""

    def iteration_started(self, iteration: int, iterations: int) -> None:
        """Iteration `iteration`, from 1, of `iterations` begins."""

    def self_play(self, progress: Progress | Counts, *, batch_rows: int | None, unit: str = "rounds") -> None:
        """Reports the progress of self-play.

        Args:
            progress: counters of the session.
            batch_rows: rows of a full batch; None where playouts judge.
            unit: what is counted, `rounds` or `games`.
        """

    def training(self, step: int, steps: int, loss: float) -> None:
        """Reports the optimizer steps done, all steps of the iteration, and the mean loss so far."""

    def judging(self, opponent: str) -> None:
        """A match against this opponent begins."""

    def iteration_done(self, row: "MetricsRow") -> None:
        """An iteration with these metrics is committed."""
