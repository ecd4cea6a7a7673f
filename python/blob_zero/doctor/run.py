"""The run: its settings, and the contents of its folder."""

from collections.abc import Iterator
from pathlib import Path

from blob_zero.config.load import differences, load_config, preset_path
from blob_zero.config.schema import Config
from blob_zero.doctor.findings import Finding
from blob_zero.doctor.known import DEFAULT_PRESET, Known
from blob_zero.errors import CheckpointError, ConfigError, RunLockedError
from blob_zero.learning.run import check_format
from blob_zero.run.checkpoint import checkpoint_paths, latest_checkpoint
from blob_zero.run.folder import CONFIG, saved_settings
from blob_zero.run.lock import check_unlocked


def check_run(known: Known) -> Iterator[Finding]:
    """Checks the lock, the newest checkpoint and the settings, and keeps checkpoint and settings in `known`."""
    folder = known.request.folder
    yield _lock(folder)
    notices: list[str] = []
    yield _checkpoint(known)
    saved = None
    if known.checkpoint is not None:
        try:
            saved = saved_settings(folder / CONFIG, known.checkpoint, notices.append)
        except ConfigError as error:  # from a version with other settings
            notices.append(str(error))
    for line in notices:
        yield Finding(CONFIG, "warning", line, "if you changed the settings there on purpose, train with --override")
    yield _settings(known, saved)
    if saved is not None and known.config is not None:
        changed = differences(saved, known.config)
        if changed:
            yield Finding(
                "other settings",
                "failure",
                f"the run in {folder} has other settings: {'; '.join(changed)}",
                "use its settings, another --run-dir, or train with --override to continue with the new ones",
            )


def _lock(folder: Path) -> Finding:
    try:
        check_unlocked(folder)
    except RunLockedError as error:
        found, _, remedy = str(error).rpartition(": ")
        return Finding("lock", "failure", found, remedy)
    except CheckpointError as error:
        return Finding("lock", "failure", str(error), f"let this user read and write {folder}")
    return Finding("lock", "ok", f"no other process is at work in {folder}")


def _checkpoint(known: Known) -> Finding:
    """The newest checkpoint that is whole, as the run would find it; it is kept in `known`."""
    folder = known.request.folder
    checkpoints = folder / "checkpoints"
    try:
        paths = checkpoint_paths(checkpoints)
        known.checkpoint, damaged = latest_checkpoint(checkpoints)
        if known.checkpoint is not None:
            check_format(known.checkpoint)
    except CheckpointError as error:
        remedy = "restore it from a copy, or start again in another --run-dir"
        if isinstance(error.__cause__, PermissionError):
            remedy = f"let this user read {checkpoints}"
        return Finding("checkpoint", "failure", str(error), remedy)
    except OSError as error:
        return Finding("checkpoint", "failure", f"cannot read {checkpoints}: {error.strerror}", "let this user read it")
    if known.checkpoint is None:
        return Finding("checkpoint", "ok", f"{folder} holds no run yet; one would begin there")
    iteration = known.checkpoint.iteration
    if damaged:
        found = f"{'; '.join(damaged)}. The newest whole one is of iteration {iteration}"
        remedy = "nothing: the run continues from the whole one; check the disk unless the power failed"
        return Finding("checkpoint", "warning", found, remedy, {"iteration": iteration, "damaged": len(damaged)})
    found = f"the newest of {len(paths)} is whole; the run would go on after iteration {iteration}"
    return Finding("checkpoint", "ok", found, figures={"iteration": iteration, "damaged": 0})


def _settings(known: Known, saved: Config | None) -> Finding:
    """The settings to examine: the ones named, else the run's in the folder, else a preset's."""
    request = known.request
    try:
        known.config = request.settings()
    except ConfigError as error:
        remedy = "correct the settings; the presets (`blob-zero presets`) explain each of them"
        return Finding("settings", "failure", str(error), remedy)
    if known.config is not None:
        return Finding("settings", "ok", f"{request.config or f'the preset {request.preset}'}: all can be used")
    if saved is not None:
        known.config = saved
        return Finding("settings", "ok", f"the settings of the run in {request.folder}")
    known.config = load_config(preset_path(DEFAULT_PRESET))
    return Finding("settings", "ok", f"none were named: the preset {DEFAULT_PRESET}, which asks for the most")
