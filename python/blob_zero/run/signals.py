"""Ctrl-C and SIGTERM: the process ends within two seconds, except that a commit is waited for.

Nothing on disk needs the time: a killed run loses no committed iteration. It serves to finish a commit, to restore the
terminal, and to tell the user how to continue. The first signal raises `Stopped` in the main thread, after the commit
if one is being written. A thread of its own ends the process if that takes too long, or at the second signal. It
receives signals even while the main thread is in a long call of native code, such as the compilation of a network.
"""

import contextlib
import os
import select
import signal
import threading
import time
from collections.abc import Iterator
from types import FrameType

GRACE = 1.25
"""Seconds from the first signal, or from the end of a commit that it met, to the end of the process at the latest."""

COMMIT_GRACE = 30.0
"""Seconds from the first signal to the end of a commit at the latest; slow disks take seconds for one."""

SIGNALS = (signal.SIGINT, signal.SIGTERM)

_SHOW_CURSOR = b"\x1b[?25h\r\n"
_POLL = 0.05


class Stopped(KeyboardInterrupt):
    """The user, or the system, asked this process to stop.

    Attributes:
        number: the signal's number.
    """

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


def exit_status(stop: KeyboardInterrupt) -> int:
    """The exit status that shells expect after a signal: 128 plus its number; 130 for Ctrl-C, 143 for SIGTERM."""
    return 128 + (stop.number if isinstance(stop, Stopped) else signal.SIGINT)


class _Stopping:
    """The state that the handlers of this process share. Signals belong to the whole process, and so does this."""

    def __init__(self) -> None:
        self.active = False
        self.held = 0
        self.number: int | None = None

    def handle(self, number: int, _frame: FrameType | None) -> None:
        """Handles the first signal; the watching thread handles a second one."""
        if self.number is None:
            self.number = number
            if not self.held:
                raise Stopped(number)

    def raise_pending(self) -> None:
        if self.number is not None and not self.held:
            raise Stopped(self.number)


_stopping = _Stopping()


@contextlib.contextmanager
def stoppable(last_words: str) -> Iterator[None]:
    """Handles SIGINT and SIGTERM while a run is at work, in a process that ends soon after it was stopped.

    Only the main thread can; in another thread, and inside another `stoppable`, this does nothing.

    Args:
        last_words: printed on standard error if the process has to be ended without the main thread.

    Raises:
        Stopped: in the main thread, at the first signal. From then on the process has `GRACE` seconds left, in this
            block and after it, and a second signal ends it at once.
    """
    if threading.current_thread() is not threading.main_thread() or _stopping.active:
        yield
        return
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    _stopping.active, _stopping.number = True, None
    # Signals that the parent made this process ignore (nohup) stay ignored.
    handled = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    previous = {number: signal.signal(number, _stopping.handle) for number in handled}
    wakeup = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    watch = threading.Thread(target=_watch, args=(reading, last_words), name="signals", daemon=True)
    watch.start()
    try:
        yield
        _stopping.raise_pending()
    finally:
        _stopping.active = False
        signal.set_wakeup_fd(wakeup)
        for number, handler in previous.items():
            # After a stop nothing is left that is worth a handler: a second signal ends the process.
            signal.signal(number, handler if _stopping.number is None else signal.SIG_DFL)
        if _stopping.number is None:
            os.close(writing)
            watch.join()
            os.close(reading)


@contextlib.contextmanager
def held() -> Iterator[None]:
    """Lets a block of the main thread finish before the first signal is answered, for at most `COMMIT_GRACE` seconds.

    Raises:
        Stopped: at the end of the block, if a signal came.
    """
    _stopping.held += 1
    try:
        yield
    finally:
        _stopping.held -= 1
    if _stopping.active:
        _stopping.raise_pending()


def _watch(reading: int, last_words: str) -> None:
    """Ends the process when its time is over after a first signal, or at a second one."""
    first = _next_signal(reading, timeout=None)
    if first is None:
        return
    second = None
    commit_end = time.monotonic() + COMMIT_GRACE
    while second is None and _stopping.held and time.monotonic() < commit_end:
        second = _next_signal(reading, timeout=_POLL)
    if second is None:
        second = _next_signal(reading, timeout=GRACE)
    # Written past Python's streams, whose locks the main thread may hold.
    with contextlib.suppress(OSError):
        if os.isatty(1):
            os.write(1, _SHOW_CURSOR)
        os.write(2, f"{last_words}\n".encode())
    os._exit(128 + (second or first))


def _next_signal(reading: int, *, timeout: float | None) -> int | None:
    """The next of `SIGNALS` from the pipe, or None if the pipe is closed or the timeout is over."""
    end = None if timeout is None else time.monotonic() + timeout
    while True:
        left = None if end is None else max(0.0, end - time.monotonic())
        if not select.select([reading], [], [], left)[0]:
            return None
        numbers = os.read(reading, 1)
        if not numbers:
            return None
        if numbers[0] in SIGNALS:
            return numbers[0]
