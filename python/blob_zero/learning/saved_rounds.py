"""Rounds of self-play as text, so that people can look at the games of a run."""

from itertools import islice

from blob_zero.learning.run import Run
from blob_zero.notation import GameText, write_game
from blob_zero.notation.columns import rounds_of
from blob_zero.run.atomic_files import make_folder, write_atomically
from blob_zero.run.folder import ROUNDS
from blob_zero.selfplay.records import Records


def save_rounds(run: Run, records: Records) -> None:
    """Writes the first `run.save_rounds` rounds of the iteration in progress to RUN/rounds/N.txt.

    Raises:
        CheckpointError: the file cannot be written.
    """
    most = run.config.run.save_rounds
    if not most:
        return
    iteration = run.iteration + 1
    rounds = tuple(islice(rounds_of(records.rounds), most))
    text = write_game(GameText(tags={"Game": "self-play", "Iteration": str(iteration)}, rounds=rounds))
    make_folder(run.folder / ROUNDS)
    write_atomically(run.folder / ROUNDS / f"{iteration:04d}.txt", text.encode())
