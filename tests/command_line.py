"""blob-zero's command as a process of its own, to be sent signals."""

import subprocess
import sys
from pathlib import Path


def start(folder: Path, *arguments: str, options: tuple[str, ...] = ()) -> "subprocess.Popen[str]":
    """Starts `blob-zero ARGUMENTS` as its installed script would; `options` are the interpreter's."""
    script = folder / "blob-zero"
    script.write_text("import sys\nfrom blob_zero.cli import main\nsys.exit(main())\n")
    return subprocess.Popen(
        [sys.executable, *options, str(script), *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
