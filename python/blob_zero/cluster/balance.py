"""Whether the learner keeps up with the workers that play for it."""

import math

from blob_zero.config.schema import Config
from blob_zero.learning.display import Notice


class Balance:
    """Says once that a run has more workers than its learner can use.

    Args:
        config: the run's settings.
        notice: takes the line.
    """

    def __init__(self, config: Config, notice: Notice) -> None:
        self._options = config
        self._notice = notice
        self._iterations = 0
        self._said = False

    def iteration(self, *, workers: int, played: float, learned: float) -> None:
        """Takes the seconds that an iteration was played by some workers, and learned from."""
        self._iterations += 1
        # In its first iteration a learner also compiles and warms up.
        if self._said or self._iterations == 1 or played <= 0:
            return
        useful = max(math.ceil(workers * played / learned), 1)
        if useful >= workers:
            return
        self._said = True
        advice = [f"--workers {useful}", "fewer uses of a row (training.epochs)"]
        if self._options.selfplay.agent == "search":
            advice.append("more search")
        if not self._options.selfplay.lag:
            advice.append("selfplay.lag = 1, with which they play while it learns")
        self._notice(
            f"{workers} workers play an iteration in {played:.1f} s and the learner needs {learned:.1f} s for it: "
            f"it can use {useful} of them. Better: {', or '.join(advice)}"
        )
