"""The analysis engine: requests as lines of JSON, answers as lines of JSON (docs/analyze.md)."""

import json
import re
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, BinaryIO

from blob_zero.analysis.analyze import Analysis, Request, analyze, read_search
from blob_zero.analysis.judges import DEFAULT_JUDGE, Judges
from blob_zero.analysis.lines import MAX_LINE, Line, batches
from blob_zero.analysis.position import FIELDS, MAX_EXAMPLES, FieldError, Position, read_count, read_positions
from blob_zero.errors import BlobError, ConfigError
from blob_zero.notation.rounds import action_name

BATCH = 256
"""Most lines that are answered together."""

_DIGITS = 5
"""Decimals of the figures in answers."""

_ID = re.compile(rb'"id"\s*:\s*("(?:[^"\\]|\\.){0,200}"|-?\d{1,18})')


@dataclass(frozen=True, kw_only=True)
class _Task:
    """One position that a line asks about."""

    id: Any
    position: Position
    net: str
    request: Request
    warnings: list[str]


class Engine:
    """Answers lines of requests.

    Args:
        net: the judge of requests that name none.
        search: the search of requests that name none; None for no search.

    Raises:
        ConfigError: the judge or the search cannot be read.
    """

    def __init__(self, net: str = DEFAULT_JUDGE, search: str | None = None) -> None:
        self._judges = Judges()
        self._judges.get(net)
        if search is not None:
            read_search(search)
        self._net = net
        self._search = search

    def serve(self, stream: BinaryIO, out: BinaryIO, batch: int = BATCH) -> None:
        """Answers the lines of a stream until it ends; flushes after each batch."""
        for lines in batches(stream, batch):
            for answer in self.answer(lines):
                out.write(json.dumps(answer, separators=(",", ":")).encode() + b"\n")
            out.flush()

    def answer(self, lines: Iterable[Line | str]) -> list[dict[str, Any]]:
        """The answers to some lines: one for each position, and one error for each line that cannot be answered."""
        answers: list[dict[str, Any]] = []
        tasks: dict[str, list[_Task]] = defaultdict(list)
        for line in lines:
            line = Line(line.encode(), oversized=False) if isinstance(line, str) else line
            if not line.content.strip():
                continue
            try:
                for task in self._read(line):
                    tasks[task.net].append(task)
            except _Refused as refused:
                answers.append(refused.answer)
        for net, together in tasks.items():
            answers += self._analyze(net, together)
        return answers

    def _read(self, line: Line) -> list[_Task]:
        if line.oversized:
            raise _Refused(_salvaged_id(line.content), None, f"a line of more than {MAX_LINE:,} bytes")
        try:
            request = json.loads(line.content)
        except (ValueError, RecursionError) as error:
            raise _Refused(_salvaged_id(line.content), None, f"no JSON: {error}") from error
        if not isinstance(request, dict):
            raise _Refused(None, None, "a request is a JSON object")
        id_ = request.get("id")
        if not (id_ is None or isinstance(id_, str) or type(id_) is int):
            raise _Refused(None, "id", "id is a text or a whole number")
        try:
            return self._tasks(request, id_)
        except FieldError as error:
            raise _Refused(id_, error.field, str(error)) from error

    def _tasks(self, request: dict[str, Any], id_: Any) -> list[_Task]:  # noqa: ANN401 - a text or a number
        positions = read_positions(request)
        net = request.get("net") or self._net
        search = request.get("search", self._search)
        worlds = read_count(request, "worlds", MAX_EXAMPLES)
        for field, value in (("net", net), ("search", search)):
            if not (value is None or isinstance(value, str)):
                raise FieldError(field, f"{field} is {value!r:.40}; it is a text")
        search = None if search in (None, "none") else search
        try:
            self._judges.get(net)
        except BlobError as error:
            raise FieldError("net", str(error)) from error
        try:
            _ = None if search is None else read_search(search)
        except ConfigError as error:
            raise FieldError("search", str(error)) from error
        warnings = [_unknown_field(name) for name in request if name not in FIELDS]
        return [
            _Task(
                id=id_,
                position=position,
                net=net,
                request=Request(observation=position.observation, search=search, worlds=worlds),
                warnings=warnings,
            )
            for position in positions
        ]

    def _analyze(self, net: str, tasks: list[_Task]) -> list[dict[str, Any]]:
        start = time.perf_counter()
        found = analyze([task.request for task in tasks], self._judges.get(net))
        milliseconds = 1000 * (time.perf_counter() - start) / len(tasks)
        return [_answer(task, analysis, milliseconds) for task, analysis in zip(tasks, found, strict=True)]


class _Refused(Exception):  # noqa: N818 - carries an answer
    """A line that gets an error for an answer."""

    def __init__(self, id_: Any, field: str | None, message: str) -> None:  # noqa: ANN401 - a text or a number
        super().__init__(message)
        self.answer = {"id": id_, "error": message, "field": field}


def _answer(task: _Task, analysis: Analysis, milliseconds: float) -> dict[str, Any]:
    round_, judgement = task.position.round, analysis.judgement
    answer: dict[str, Any] = {"id": task.id}
    if task.position.turn is not None:
        answer["turn"] = task.position.turn
    answer |= {
        "seat": round_.to_play,
        "phase": round_.phase,
        "actions": [_action(row, analysis, round_.phase, round_.cards) for row in analysis.order],
        "points": _rounded(judgement.seat_points[analysis.order[0]]),
        "net": task.net,
        "search": task.request.search,
        "evaluations": analysis.evaluations,
        "milliseconds": round(milliseconds, 3),
    }
    if analysis.worlds:
        answer["worlds"] = analysis.worlds
    if task.warnings:
        answer["warnings"] = task.warnings
    return answer


def _action(row: int, analysis: Analysis, phase: str, cards: int) -> dict[str, Any]:
    judgement = analysis.judgement
    action: dict[str, Any] = {
        "action": action_name(judgement.actions[row], phase),
        "policy": round(float(analysis.policy[row]), _DIGITS),
        "points": round(float(judgement.points[row]), _DIGITS),
        "make": round(float(judgement.make[row]), _DIGITS),
        "tricks": _rounded(judgement.tricks[row][: cards + 1]),
    }
    if analysis.visits is not None:
        action["visits"] = int(analysis.visits[row])
    return action


def _rounded(values: Iterable[float]) -> list[float]:
    return [round(float(value), _DIGITS) for value in values]


def _unknown_field(name: str) -> str:
    near = get_close_matches(name, FIELDS, 1)
    return f"unknown field {name[:40]!r}" + (f"; did you mean {near[0]!r}?" if near else "")


def _salvaged_id(content: bytes) -> Any:  # noqa: ANN401 - a text or a number
    """The id of a line that is no JSON, as far as it can be seen in it; None if it cannot."""
    found = _ID.search(content)
    try:
        return json.loads(found[1]) if found else None
    except ValueError:
        return None
