"""blob-zero's command: as a process of its own, to be sent signals, or in this one."""

import io
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from blob_zero.cli.main import main


def start(
    folder: Path, *arguments: str, options: tuple[str, ...] = (), env: dict[str, str] | None = None
) -> "subprocess.Popen[str]":
    """Starts `blob-zero ARGUMENTS` as its installed script would, in the foreground of a session of its own.

    `options` are the interpreter's. A shell that started the tests in the background made them ignore Ctrl-C, and
    processes inherit that.
    """
    script = folder / "blob-zero"
    script.write_text(
        "import signal, sys\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from blob_zero.cli.main import main\nsys.exit(main())\n"
    )
    return subprocess.Popen(
        [sys.executable, *options, str(script), *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=env,
        start_new_session=True,
    )


def command(monkeypatch, capsys, *arguments):
    """Exit status, standard output and standard error of one call."""
    monkeypatch.setattr(sys, "argv", ["blob-zero", *arguments])
    monkeypatch.setenv("COLUMNS", "100")
    with pytest.raises(SystemExit) as caught:
        main()
    out, err = capsys.readouterr()
    return caught.value.code, out, err


def screen(*, terminal: bool) -> Console:
    return Console(file=io.StringIO(), force_terminal=terminal, width=100, color_system=None)
