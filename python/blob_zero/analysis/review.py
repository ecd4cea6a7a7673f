"""The review of a played round: each decision of a seat against the best one, by what was known then."""

from collections.abc import Sequence
from dataclasses import dataclass

from blob_zero import _core
from blob_zero.analysis.analyze import Analysis, Request, analyze
from blob_zero.analysis.judge import Judge, Judgement
from blob_zero.notation.rounds import RoundText, action_name

CLOSE = 0.1
"""An action within this many expected points of the best is as good: judges are no more exact than that."""

_WORLDS = 4
"""Example worlds of each decision."""


@dataclass(frozen=True, kw_only=True)
class Decision:
    """A decision that was made, and what it was worth.

    Attributes:
        turn: number of bids and plays before it.
        round: the round before it, with all hands.
        chosen: the row of the action that was taken.
        analysis: the analysis from what the seat knew.
        open_points: [A] own points of each legal action if all play on as the rule bot does, with the real cards.
    """

    turn: int
    round: _core.Round
    chosen: int
    analysis: Analysis
    open_points: list[int]

    @property
    def judgement(self) -> Judgement:
        """What the judge says about the legal actions."""
        return self.analysis.judgement

    @property
    def lost(self) -> float:
        """Expected points lost against the best action."""
        return float(self.judgement.points[self.judgement.best] - self.judgement.points[self.chosen])

    def name(self, row: int) -> str:
        """The text of the action in a row."""
        return action_name(self.judgement.actions[row], self.round.phase)

    def sentence(self) -> str:
        """What was done, and what was worth more."""
        verb = "bid" if self.round.phase == "bidding" else "played"
        chosen, best, make = self.name(self.chosen), self.name(self.judgement.best), self.judgement.make
        if self.lost <= CLOSE:
            return f"you {verb} {chosen}, as good as any"
        aim, best_make, own_make = "it" if verb == "bid" else "your bid", make[self.judgement.best], make[self.chosen]
        return (
            f"you {verb} {chosen}; {best} was worth {self.lost:.1f} more: "
            f"chance to make {aim} {percent(best_make)} against {percent(own_make)}"
        )


def review_round(played: RoundText, seat: int, judge: Judge) -> list[Decision]:
    """The decisions of a seat in a round, in the order made; forced actions are no decisions.

    Raises:
        BlobError: the round is not possible.
    """
    turns = []
    round_ = played.after(0)
    for turn, action in enumerate(played.actions):
        if round_.to_play == seat and len(round_.legal_actions()) > 1:
            turns.append((turn, round_.copy(), action))
        round_.play(action)
    requests = [Request(observation=before.observe(), worlds=_WORLDS) for _, before, _ in turns]
    return [
        Decision(
            turn=turn,
            round=before,
            chosen=analysis.judgement.actions.index(action),
            analysis=analysis,
            open_points=[_open_points(before, seat, action) for action in analysis.judgement.actions],
        )
        for (turn, before, action), analysis in zip(turns, analyze(requests, judge), strict=True)
    ]


def percent(chance: float) -> str:
    """A chance in whole percent; a half is rounded up."""
    return f"{int(100 * chance + 0.5)} %"


def worst_first(decisions: Sequence[Decision]) -> list[Decision]:
    """Decisions by expected points lost."""
    return sorted(decisions, key=lambda decision: -decision.lost)


def _open_points(before: _core.Round, seat: int, action: int) -> int:
    round_ = before.copy()
    round_.play(action)
    while round_.phase != "done":
        round_.play(_core.rule_action(round_.observe()))
    return round_.scores()[seat]
