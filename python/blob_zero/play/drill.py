"""Positions of your own mistakes, to try again."""

import random
from collections.abc import Iterable
from dataclasses import dataclass

from blob_zero.analysis.judge import Judge
from blob_zero.analysis.review import CLOSE, Decision, review_round
from blob_zero.play.session import Session
from blob_zero.play.table import YOU

MISTAKE = 0.5
"""Expected points that a decision must have lost to be drilled."""


@dataclass(frozen=True, kw_only=True)
class Exercise:
    """A decision that was a mistake.

    Attributes:
        names: the names of the seats.
        decision: the decision as it was made.
    """

    names: list[str]
    decision: Decision

    def right(self, action: int) -> bool:
        """Whether an action is as good as the best, or nearly."""
        judgement = self.decision.judgement
        row = judgement.actions.index(action)
        return bool(judgement.points[judgement.best] - judgement.points[row] <= CLOSE)


def exercises(sessions: Iterable[Session], judge: Judge, seed: int, most: int = 50) -> list[Exercise]:
    """The mistakes of games, shuffled; the games are read until `most` are found."""
    found: list[Exercise] = []
    for session in sessions:
        for round_ in session.finished:
            found += [
                Exercise(names=session.table.names, decision=decision)
                for decision in review_round(round_, YOU, judge)
                if decision.lost >= MISTAKE
            ]
        if len(found) >= most:
            break
    random.Random(seed).shuffle(found)
    return found[:most]
