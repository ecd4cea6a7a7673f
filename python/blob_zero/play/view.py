"""What the person may see, as plain data for a page or a terminal."""

from collections.abc import Sequence
from typing import Any

from blob_zero import _core
from blob_zero.analysis.judge import Judge, Judgement
from blob_zero.analysis.review import Decision, percent
from blob_zero.notation.rounds import RoundText, action_name
from blob_zero.play.fairness import hash_of
from blob_zero.play.levels import find_level
from blob_zero.play.session import Session
from blob_zero.play.table import YOU

Json = dict[str, Any]


def table_view(session: Session) -> Json:
    """The table as the person sees it: no hidden card is in it."""
    round_, table = session.round, session.table
    mine = session.your_turn
    view: Json = {
        "players": table.players,
        "names": table.names,
        "levels": ["", *[find_level(agent).title for agent in table.levels]],
        "rules": {"hook": table.rules.hook, "scoring": table.rules.scoring, "turn_up": table.rules.turn_up},
        "length": table.length,
        "schedule": session.schedule,
        "round": session.round_number,
        "cards": round_.cards,
        "trump": round_.trump,
        "turned_up": round_.turned_up,
        "dealer": round_.dealer,
        "phase": round_.phase,
        "to_play": round_.to_play,
        "your_turn": mine,
        "bids": round_.bids,
        "tricks_won": round_.tricks_won,
        "hand": round_.hand(YOU),
        "hand_sizes": [len(round_.hand(seat)) for seat in range(table.players)],
        "legal": [action_name(action, round_.phase) for action in round_.legal_actions()] if mine else [],
        "forbidden_bid": session.forbidden_bid,
        "trick": round_.trick,
        "last_trick": None
        if session.last_trick is None
        else {"plays": session.last_trick.plays, "winner": session.last_trick.winner},
        "totals": [sum(points) for points in zip(*session.history, strict=True)] or [0] * table.players,
        "sheet": [_sheet_row(one) for one in session.finished],
        "done": session.done,
        "turns": session.turns,
        "undos": session.undos,
        "hints": session.hints,
        "hash": hash_of(table.secret),
        "cut": table.cut,
    }
    if session.done:
        view["secret"] = table.secret
    return view


def _sheet_row(played: RoundText) -> Json:
    end = played.after()
    return {
        "cards": end.cards,
        "trump": end.trump,
        "dealer": end.dealer,
        "bids": end.bids,
        "tricks": end.tricks_won,
        "points": end.scores(),
    }


def hint_view(session: Session, judge: Judge) -> Json:
    """What each of your legal actions is worth."""
    (judgement,) = judge.judge([session.round.observe(YOU)])
    actions = actions_view(judgement, session.round)
    best = actions[judgement.best]
    verb = "bid" if session.round.phase == "bidding" else "play"
    worth = f"{best['points']:.1f} points expected, chance to make the bid {percent(best['make'])}"
    return {
        "actions": actions,
        "best": best["action"],
        "sentence": f"{verb} {best['action']}: {worth}",
        "net": judge.name,
    }


def actions_view(judgement: Judgement, round_: _core.Round) -> list[Json]:
    """The legal actions in ascending order, with their figures."""
    return [
        {
            "action": action_name(action, round_.phase),
            "points": round(float(judgement.points[row]), 3),
            "make": round(float(judgement.make[row]), 3),
            "policy": round(float(judgement.policy[row]), 3),
            "tricks": [round(float(chance), 3) for chance in judgement.tricks[row][: round_.cards + 1]],
        }
        for row, action in enumerate(judgement.actions)
    ]


def position_view(round_: _core.Round, names: Sequence[str], you: int = YOU) -> Json:
    """What was known at a decision of the seat `you`."""
    return {
        "names": names,
        "cards": round_.cards,
        "trump": round_.trump,
        "turned_up": round_.turned_up,
        "dealer": round_.dealer,
        "phase": round_.phase,
        "hand": round_.hand(you),
        "trick": round_.trick,
        "bids": round_.bids,
        "tricks_won": round_.tricks_won,
        "legal": [action_name(action, round_.phase) for action in round_.legal_actions()],
    }


def decision_view(decision: Decision, names: Sequence[str], number: int, you: int = YOU) -> Json:
    """A reviewed decision of the seat `you` in round `number`, with what was known then; open cards stand apart."""
    judgement, round_ = decision.judgement, decision.round
    return {
        "round": number,
        "turn": decision.turn,
        "position": position_view(round_, names, you),
        "chosen": decision.name(decision.chosen),
        "best": decision.name(judgement.best),
        "lost": round(decision.lost, 3),
        "sentence": decision.sentence(),
        "actions": actions_view(judgement, round_),
        "worlds": decision.analysis.worlds,
        "open": {
            "hands": [round_.hand(seat) for seat in range(round_.players)],
            "points": decision.open_points,
        },
    }
