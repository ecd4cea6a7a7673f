"""The command line: runs the checks, each in a process of its own, and says at the end what failed."""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

from blob_zero.gpu_check.page import Result, write
from blob_zero.gpu_check.place import Place
from blob_zero.gpu_check.registry import Check, all_checks

_FOR_TRAINING = 240
"""Seconds that are left for a training run when no more of the other checks are begun."""


def main() -> int:
    """Runs the checks; returns 1 if one failed."""
    arguments = _arguments()
    if arguments.small:
        # Compilation would take most of the time, and a CPU's compiler tells nothing about a GPU's.
        os.environ.setdefault("TORCHDYNAMO_DISABLE", "1")
    if arguments.one is not None:
        return _run_one(arguments)
    checks = [check for check in all_checks() if arguments.only is None or check.part in arguments.only]
    end = time.monotonic() + 60 * arguments.minutes
    results = []
    with tempfile.TemporaryDirectory(prefix="blob-zero-") as folder:
        for check in checks:
            # The training run comes last and needs its time.
            kept = _FOR_TRAINING if checks[-1].part == "training" and check is not checks[-1] else 0
            result = _result(check, arguments, Path(folder), left=end - kept - time.monotonic())
            print(f"{result.outcome:8} {result.seconds:6.1f} s  {result.name}", flush=True)  # noqa: T201
            results.append(result)
            page = write(results, _machine(arguments.device), arguments.out)
    print(f"\n{page}\nwritten: {arguments.out / 'gpu_check.json'} and gpu_check.txt")  # noqa: T201
    return int(any(result.bad for result in results))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m blob_zero.gpu_check", description=__doc__)
    parser.add_argument("--device", default="cuda", help="cuda, cuda:N, or cpu with --small (default: cuda)")
    parser.add_argument("--small", action="store_true", help="small sizes in one process, as for a CPU")
    parser.add_argument(
        "--only", action="append", choices=("checks", "bench", "training"), help="a part; may be repeated"
    )
    parser.add_argument("--minutes", type=float, default=9.5, help="no check begins after so long (default: 9.5)")
    parser.add_argument("--out", type=Path, default=Path("gpu_check"), help="folder for the results")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=float, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.device == "cpu" and not arguments.small:
        parser.error("the full sizes are for a GPU: give --small with --device cpu")
    return arguments


def _result(check: Check, arguments: argparse.Namespace, folder: Path, *, left: float) -> Result:
    if check.needs_gpu and arguments.device == "cpu":
        return Result(check.name, "no GPU", 0.0)
    if left < min(check.seconds, 20):
        return Result(check.name, "no time", 0.0)
    if arguments.small:
        return _here(check, Place(arguments.device, True, folder, check.seconds))
    return _in_a_process(check, arguments, folder, limit=min(check.seconds, left))


def _here(check: Check, place: Place) -> Result:
    began = time.monotonic()
    try:
        figures = check.run(place)
    except Exception:
        return Result(check.name, "failed", time.monotonic() - began, error=traceback.format_exc())
    return Result(check.name, "ok", time.monotonic() - began, figures)


def _in_a_process(check: Check, arguments: argparse.Namespace, folder: Path, *, limit: float) -> Result:
    """Runs a check in a process that may hang, run out of memory or bring the device down."""
    found = folder / "figures.json"
    found.unlink(missing_ok=True)
    command = [sys.executable, "-m", "blob_zero.gpu_check", "--one", check.name]
    command += ["--device", arguments.device, "--folder", str(folder), "--seconds", str(limit)]
    began = time.monotonic()
    log = folder / "log.txt"
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            status = process.wait(limit)
        except subprocess.TimeoutExpired:
            status = None
        finally:
            # With the compiler's own processes.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, 9)
            process.wait()
    seconds = time.monotonic() - began
    said = log.read_text(encoding="utf-8", errors="replace")[-4000:]
    if status is None:
        return Result(check.name, "too slow", seconds, error=f"not done after {limit:.0f} s\n{said}")
    if status != 0 or not found.exists():
        return Result(check.name, "failed", seconds, error=f"status {status}\n{said}")
    return Result(check.name, "ok", seconds, json.loads(found.read_text(encoding="utf-8")))


def _run_one(arguments: argparse.Namespace) -> int:
    """One check in this process; its figures go to a file."""
    check = next(check for check in all_checks() if check.name == arguments.one)
    with _own_folder(arguments.folder, check.name) as folder:
        figures = check.run(Place(arguments.device, arguments.small, folder, arguments.seconds))
    (arguments.folder / "figures.json").write_text(json.dumps(figures, default=str), encoding="utf-8")
    return 0


@contextlib.contextmanager
def _own_folder(parent: Path, name: str) -> Iterator[Path]:
    folder = parent / name.replace(" ", "-").replace(",", "")
    folder.mkdir(parents=True, exist_ok=True)
    yield folder


def _machine(device: str) -> dict[str, object]:
    import torch

    from blob_zero.machine.facts import machine

    found: dict[str, object] = {**machine(), "device": device}
    if device != "cpu" and torch.cuda.is_available():
        properties = torch.cuda.get_device_properties(torch.device(device))
        found |= {"gpu": properties.name, "gpu_memory": properties.total_memory, "cuda": torch.version.cuda}
    return found


if __name__ == "__main__":
    sys.exit(main())
