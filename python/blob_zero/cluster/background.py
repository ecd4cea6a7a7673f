"""A range of self-play that is played while the learner works."""

from collections.abc import Callable
from concurrent.futures import Future, wait
from threading import Thread

from blob_zero.selfplay.serving import PROGRESS_INTERVAL, Counts, OnCounts
from blob_zero.selfplay.worker import RoundRange, SelfPlayResult


class BackgroundPlay:
    """Plays a range on a thread of its own.

    Args:
        rounds: the range.
        play: plays it; takes a callback for its progress.
    """

    def __init__(self, rounds: RoundRange, play: Callable[[Callable[[Counts], None]], SelfPlayResult]) -> None:
        self.rounds = rounds
        self._counts: Counts | None = None
        self._played: Future[SelfPlayResult] = Future()
        # A thread that waits for workers must not keep a stopped process alive.
        self._thread = Thread(target=self._run, args=(play,), name="self-play", daemon=True)
        self._thread.start()

    def result(self, progress: OnCounts | None) -> SelfPlayResult:
        """Waits for the result.

        Raises:
            BaseException: whatever `play` raised.
        """
        while not wait([self._played], timeout=PROGRESS_INTERVAL).done:
            if progress is not None and self._counts is not None:
                progress(self._counts)
        return self._played.result()

    def join(self, seconds: float) -> None:
        """Waits for the end of the thread."""
        self._thread.join(seconds)

    def _run(self, play: Callable[[Callable[[Counts], None]], SelfPlayResult]) -> None:
        try:
            self._played.set_result(play(self._came))
        except BaseException as error:
            self._played.set_exception(error)

    def _came(self, counts: Counts) -> None:
        self._counts = counts
