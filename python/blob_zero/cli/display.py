"""What a person sees of a run at work."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live

from blob_zero.cli.live_display import LiveDisplay
from blob_zero.cli.plain_display import PlainDisplay
from blob_zero.learning.display import Display


@contextmanager
def open_display(console: Console) -> Iterator[Display]:
    """A live screen where the console is a terminal, plain lines where it is not."""
    if not console.is_terminal:
        yield PlainDisplay(console)
        return
    with Live(console=console, refresh_per_second=4) as live:
        yield LiveDisplay(live)
