"""Lines of requests from a stream, as many at once as have come."""

import queue
import threading
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

MAX_LINE = 1 << 20
"""Most bytes of a line."""

_WAITING = 4096
"""Lines that are read ahead of the answers."""


class Line(NamedTuple):
    """A line of input.

    Attributes:
        content: the line; its beginning where it is too long.
        oversized: whether it has more than `MAX_LINE` bytes.
    """

    content: bytes
    oversized: bool


def batches(stream: BinaryIO, most: int) -> Iterator[list[Line]]:
    """Lines as they come: waits for one, then takes with it those that are there already, up to `most`.

    Ends with the stream. A thread reads ahead, so that the wait ends at Ctrl-C.
    """
    ahead: queue.Queue[Line | None] = queue.Queue(_WAITING)
    threading.Thread(target=_read, args=(stream, ahead), daemon=True, name="reader of requests").start()
    while (line := ahead.get()) is not None:
        batch = [line]
        while len(batch) < most:
            try:
                line = ahead.get_nowait()
            except queue.Empty:
                break
            if line is None:
                yield batch
                return
            batch.append(line)
        yield batch


def _read(stream: BinaryIO, ahead: "queue.Queue[Line | None]") -> None:
    try:
        while content := stream.readline(MAX_LINE + 1):
            oversized = len(content) > MAX_LINE
            rest = content
            while oversized and rest and not rest.endswith(b"\n"):
                rest = stream.readline(MAX_LINE)
            ahead.put(Line(content, oversized))
    except (OSError, ValueError):
        pass  # the stream was closed: the end of input
    finally:
        ahead.put(None)
