"""Undoing an iteration's training that left numbers which are not finite."""

from blob_zero.errors import BlobError, CheckpointError
from blob_zero.learning.display import Notice
from blob_zero.learning.run import Run
from blob_zero.run.checkpoint import latest_checkpoint, not_finite

_MOST_ROLLBACKS = 3
"""Consecutive iterations whose training may be undone; the run ends at this one."""


def undo_broken_training(run: Run, notice: Notice) -> None:
    """Puts the learner back to the last checkpoint if it or its optimizer holds a NaN or an infinity.

    The iteration counts: its rounds stay in the replay ring, and the next iteration draws other minibatches.

    Raises:
        BlobError: it happened in too many iterations in a row.
    """
    broken = not_finite({**run.learner.net.state_dict(), **run.learner.state()})
    if not broken:
        run.rollbacks = 0
        return
    run.rollbacks += 1
    what = f"training of iteration {run.iteration + 1} left numbers that are not finite in {_named(broken)}"
    if run.rollbacks >= _MOST_ROLLBACKS:
        raise BlobError(
            f"{what}, as in the {run.rollbacks - 1} iterations before: lower training.learning_rate, or set "
            "training.precision to fp32 (with --override)"
        )
    checkpoint, _ = latest_checkpoint(run.checkpoints)
    if checkpoint is None:
        raise CheckpointError(f"{what}, and {run.checkpoints} has no checkpoint to go back to")
    run.restore_learner(checkpoint)
    notice(f"{what}; the learner is back where iteration {checkpoint.iteration} left it")


def _named(broken: list[str]) -> str:
    others = len(broken) - 1
    return broken[0] + (f" and {others} more tensor{'' if others == 1 else 's'}" if others else "")
