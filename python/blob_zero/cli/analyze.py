"""The `analyze` command."""

import os
import signal
import sys
from importlib import resources
from typing import Annotated

import typer


def analyze(
    net: Annotated[
        str | None,
        typer.Option(
            metavar="NET", help="The judge by default: shipped, a run, an .onnx file, or flat:W. (default: shipped)"
        ),
    ] = None,
    search: Annotated[
        str | None, typer.Option(metavar="SEARCH", help="A search in addition: WxS or ismcts:N. (default: none)")
    ] = None,
    batch: Annotated[int, typer.Option(min=1, help="Most lines that are answered together.")] = 256,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON Schema of the lines, and end.")] = False,
) -> None:
    """Analyze positions: lines of JSON from standard input, answers as lines of JSON.

    For each legal action: expected points, the chance to make the bid, and
    the distribution of own tricks. docs/analyze.md describes the lines.
    """
    from blob_zero.analysis.engine import Engine
    from blob_zero.analysis.judges import DEFAULT_JUDGE

    if schema:
        typer.echo(resources.files("blob_zero.analysis").joinpath("schema.json").read_text(encoding="utf-8"), nl=False)
        return
    engine = Engine(net or DEFAULT_JUDGE, search)
    # While the command is being imported, Ctrl-C kills it; from now on it ends between two steps.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # A stream of its own: at Ctrl-C a thread still waits in it, and Python locks sys.stdin at its end.
    requests = open(sys.stdin.fileno(), "rb", closefd=False)  # noqa: SIM115 - read until the process ends
    try:
        engine.serve(requests, sys.stdout.buffer, batch)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    except BrokenPipeError:
        # Nobody reads the answers. Python would flush standard output at its end, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
