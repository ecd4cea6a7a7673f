"""Beginning a run in a folder, or continuing the one that is there."""

from pathlib import Path

import torch

from blob_zero.config.load import differences
from blob_zero.config.schema import Config
from blob_zero.errors import ConfigError
from blob_zero.learning.display import Notice
from blob_zero.learning.run import Run, check_format
from blob_zero.learning.start import starting_network
from blob_zero.metrics.steps import keep_steps_until
from blob_zero.run.atomic_files import make_folder
from blob_zero.run.checkpoint import Checkpoint, latest_checkpoint
from blob_zero.run.folder import CHECKPOINTS, CONFIG, METRICS, repair_metrics, saved_settings, write_settings


def open_run(
    config: Config, folder: Path, *, device: torch.device, override: bool = False, notice: Notice = print
) -> Run:
    """Begins a run in a folder, or continues the one that is there from its newest whole checkpoint.

    Args:
        config: the settings asked for.
        folder: the run's folder; made if it is not there.
        device: where the learner is.
        override: continue even if the settings differ from the run's.
        notice: takes a line on what was found.

    Raises:
        ConfigError: the run has other settings; the message lists which. Or `run.start` is a network of another shape.
        CheckpointError: the folder cannot be written, none of its checkpoints is whole, or `run.start` cannot be read.
    """
    checkpoint, damaged = latest_checkpoint(folder / CHECKPOINTS)
    for line in damaged:
        notice(f"skipping a damaged checkpoint: {line}")
    if checkpoint is None:
        return _begin(config, folder, device=device, notice=notice)
    check_format(checkpoint)
    changed, config = _changed_settings(config, folder, checkpoint, override=override, notice=notice)
    repair_metrics(folder / METRICS, checkpoint, notice)
    run = Run(config, folder, device=device)
    run.restore(checkpoint, notice)
    if run.carried is not None and any(line.startswith(("game.", "run.seed")) for line in changed):
        notice(f"{len(run.carried)} unfinished rounds are of another game or seed; they are dropped")
        run.carried = None
    run.tidy()
    if run.iteration >= config.run.iterations:
        notice(f"the run in {folder} is finished; its {run.iteration} iterations are done")
    else:
        notice(f"going on in {folder} after iteration {run.iteration} of {config.run.iterations}")
    write_settings(folder, config)
    return run


def _begin(config: Config, folder: Path, *, device: torch.device, notice: Notice) -> Run:
    start = starting_network(config)
    if start.lineage is not None:
        notice(start.told(config.run.start))
    make_folder(folder)
    run = Run(config, folder, device=device, start=start)
    write_settings(folder, config)
    run.metrics.keep_until(0)
    keep_steps_until(folder, 0)
    run.commit()
    return run


def _changed_settings(
    config: Config, folder: Path, checkpoint: Checkpoint, *, override: bool, notice: Notice
) -> tuple[list[str], Config]:
    """The settings that differ from the run's, a line each; and the settings to go on with."""
    saved = saved_settings(folder / CONFIG, checkpoint, notice)
    changed = differences(saved, config)
    if changed and not override:
        raise ConfigError(
            f"the run in {folder} has other settings: {'; '.join(changed)}. "
            "Use its settings, another --run-dir, or --override to continue with the new ones"
        )
    if saved.run.start != config.run.start:
        notice(f"run.start stays {saved.run.start!r}, since the run has begun")
        config = config.model_copy(update={"run": config.run.model_copy(update={"start": saved.run.start})})
    return changed, config
