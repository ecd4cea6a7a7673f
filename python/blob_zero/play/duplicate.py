"""The same deals with another in your seat: a bot, or a friend."""

from collections.abc import Iterable
from dataclasses import dataclass

from blob_zero.play.levels import act, find_level
from blob_zero.play.session import Session
from blob_zero.play.table import YOU, Table


@dataclass(frozen=True, kw_only=True)
class Result:
    """Points of one player in your seat.

    Attributes:
        name: who played.
        points: points of each finished round.
        made: number of bids made exactly.
    """

    name: str
    points: list[int]
    made: int


def play_for_you(table: Table, agent: str, rounds: int) -> Result:
    """A bot in your seat for a number of rounds, on the same deals and against the same bots."""
    deals, levels = table.deals(), [find_level(one) for one in (agent, *table.levels)]
    made, before = 0, 0
    while len(deals.history) < rounds:
        round_ = deals.round
        seat = round_.to_play
        if seat is None:
            break
        action = act(levels[seat], round_.observe(seat), table.bot_seed)
        round_.play(action)
        deals.play(action)
        if len(deals.history) > before:
            before = len(deals.history)
            made += round_.bids[YOU] == round_.tricks_won[YOU]
    return Result(name=levels[YOU].title, points=[points[YOU] for points in deals.history[:rounds]], made=made)


def result_of(session: Session) -> Result:
    """The result of a person."""
    ends = [round_.after() for round_ in session.finished]
    return Result(
        name=session.table.name,
        points=[points[YOU] for points in session.history],
        made=sum(end.bids[YOU] == end.tricks_won[YOU] for end in ends),
    )


def friends(session: Session, others: Iterable[Session]) -> list[Result]:
    """The results of other games with the same deals and bots."""
    same = session.table.same_deals
    return [result_of(other) for other in others if other is not session and other.table.same_deals == same]
