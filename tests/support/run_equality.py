"""Whether two runs ended the same: every file of their folders, but for times and what belongs to a process."""

import io
import json
from pathlib import Path

import polars as pl

from blob_zero.errors import CheckpointError
from blob_zero.run.checkpoint import checkpoint_paths, load_checkpoint

WALL_CLOCK = (
    "rounds_per_minute",
    "batch_fill",  # how full batches are depends on how the threads take turns
    "selfplay_seconds",
    "training_seconds",
    "judging_seconds",
    "commit_seconds",
    "examples_per_second",
)


def contents(folder: Path) -> dict[str, object]:
    """What each file of a run says, with the wall clock taken out; nothing may be left over from interrupted writes."""
    return {
        str(path.relative_to(folder)): _content(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in (".lock", ".lock.json")
    }


def assert_same_end(run: Path, other: Path) -> None:
    mine, theirs = contents(run), contents(other)
    assert sorted(mine) == sorted(theirs)
    different = [name for name in mine if mine[name] != theirs[name]]
    assert not different, f"{run} and {other} differ in {', '.join(different)}"


def committed(folder: Path) -> int:
    """The newest whole checkpoint of a run, -1 where there is none; whatever else is there must not be called one."""
    for path in reversed(checkpoint_paths(folder / "checkpoints")):
        try:
            return load_checkpoint(path).iteration
        except CheckpointError:
            continue
    return -1


def _content(path: Path) -> object:
    content = path.read_bytes()
    if path.name == "metrics.parquet":
        return pl.read_parquet(io.BytesIO(content)).drop(WALL_CLOCK).write_csv()
    if path.name == "state.json":
        state = json.loads(content)
        row = state["metrics"] or {}
        state["metrics"] = {name: value for name, value in row.items() if name not in WALL_CLOCK}
        return state
    if path.name == "manifest.json":
        manifest = json.loads(content)
        manifest["sha256"] = {
            name: digest for name, digest in manifest["sha256"].items() if name.endswith(".safetensors")
        }
        return manifest
    return content
