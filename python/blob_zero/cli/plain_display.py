"""A run as plain lines, for logs and pipes."""

from rich.console import Console

from blob_zero._core import Progress
from blob_zero.cli.clock import Clock
from blob_zero.cli.metrics_text import OPPONENTS, fill_text, interval_text, number, promotion_text, rating_text
from blob_zero.metrics.log import MetricsRow
from blob_zero.selfplay.serving import Counts


class PlainDisplay:
    """One line for each message and iteration, for logs and pipes."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.clock = Clock()

    def message(self, text: str) -> None:
        """Prints the line."""
        self.console.print(text, highlight=False, soft_wrap=True, markup=False)

    def iteration_started(self, iteration: int, iterations: int) -> None:
        """Starts the clock of the iteration."""
        self.clock.started(iteration, iterations)

    def self_play(self, progress: Progress | Counts, *, batch_rows: int | None, unit: str = "rounds") -> None:
        """Prints nothing."""

    def training(self, step: int, steps: int, loss: float) -> None:
        """Prints nothing."""

    def judging(self, opponent: str) -> None:
        """Prints a line for each match of the final table, which takes a while."""
        if self.clock.done():
            self.message(f"playing against {opponent} for the table")

    def iteration_done(self, row: MetricsRow) -> None:
        """Prints the iteration."""
        self.clock.finished()
        parts = [
            f"iteration {row['iteration']}/{self.clock.iterations}",
            f"{number(row['rounds_per_minute'], ',.0f')} rounds/min",
            "by playouts" if row["batch_fill"] is None else f"batch fill {fill_text(row)}",
            *_loss_of_choices(row),
            f"value loss {number(row['value_loss'], '.3f')}",
        ]
        if promotion := interval_text(row, "promotion"):
            parts.append(f"vs best {promotion}, {promotion_text(row)}")
        parts += [f"vs {name} {strength}" for name in OPPONENTS if (strength := interval_text(row, name))]
        if rating := rating_text(row):
            parts.append(f"rating {rating}")
        parts.append(f"{self.clock.left()} left")
        self.message(" · ".join(parts))


def _loss_of_choices(row: MetricsRow) -> list[str]:
    """The loss of a policy that learns from searches, or of chances of bids, with the points of their play."""
    if row.get("make_loss") is None:
        return [f"policy loss {number(row['policy_loss'], '.3f')}"]
    return [f"{number(row['selfplay_points'], '.2f')} points", f"bid loss {number(row['make_loss'], '.3f')}"]
