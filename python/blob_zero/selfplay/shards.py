"""Ranges of rounds in shards, which any worker can play, and their results put together again.

A round follows from its number, the seed and the network. So the results of any split, put together, are those of the
whole range, byte for byte.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blob_zero.selfplay.carry_over import CarryOver
from blob_zero.selfplay.records import Records, Stats
from blob_zero.selfplay.serving import Serving
from blob_zero.selfplay.worker import RoundRange, SelfPlayResult

_OF_DECISIONS = frozenset({"features", "legal", "policy", "values", "root_values", "round", "seat"})
_OF_ROUNDS = frozenset({"number", "game_round", "players", "cards", "trump", "points", "bids", "tricks"})

Columns = dict[str, NDArray[Any]]


def split(rounds: RoundRange, shards: int) -> list[RoundRange]:
    """Cuts a range into shards of nearly equal size, each of at least one round; every carried round is in one.

    Args:
        rounds: the range.
        shards: shards wanted; fewer are returned if there are fewer rounds.
    """
    count = min(shards, rounds.rounds)
    cuts = _cuts(rounds.rounds, count)
    carried = [None] * count if rounds.carried is None else _deal_out(rounds.carried, count)
    return [
        replace(
            rounds,
            first_round=rounds.first_round + start,
            rounds=end - start,
            carried=part,
            range_end=rounds.first_round + rounds.rounds,
        )
        for (start, end), part in zip(pairwise(cuts), carried, strict=True)
    ]


def merge(parts: Sequence[SelfPlayResult], *, seconds: float) -> SelfPlayResult:
    """The result of the range whose shards have these results.

    Args:
        parts: a result for each shard, in any order.
        seconds: wall time of the whole range.
    """
    return SelfPlayResult.of(merge_records([part.records for part in parts], seconds=seconds))


def merge_records(parts: Sequence[Records], *, seconds: float) -> Records:
    """The records of a range from those of its shards."""
    rows = join_columns([{name: getattr(part, name) for name in _OF_DECISIONS} for part in parts])
    results = join_columns([{name: getattr(part, name) for name in _OF_ROUNDS} for part in parts])
    by_round = np.argsort(results["number"], kind="stable")
    return Records(
        **_taken(rows, np.argsort(rows["round"], kind="stable")),
        **_taken(results, by_round),
        rounds=_with_parts(join_columns([part.rounds for part in parts]), by_round, {"decisions": ("action",)}),
        carry_over=_merge_carried([part.carry_over for part in parts]),
        stats=merge_stats([part.stats for part in parts], seconds=seconds),
    )


def _merge_carried(parts: Sequence[CarryOver]) -> CarryOver:
    columns = join_columns([part.arrays() for part in parts])
    return _carried(columns, np.argsort(columns["round"], kind="stable"))


def _deal_out(carried: CarryOver, shards: int) -> list[CarryOver | None]:
    cuts = _cuts(len(carried), shards)
    return [_carried(carried.arrays(), np.arange(start, end)) if end > start else None for start, end in pairwise(cuts)]


def _carried(columns: Columns, order: NDArray[np.intp]) -> CarryOver:
    of_recorded = ("features", "legal", "policy", "root_values", "seat", "game_round")
    return CarryOver(**_with_parts(columns, order, {"decisions": ("action",), "recorded": of_recorded}))


def merge_stats(parts: Sequence[Stats], *, seconds: float) -> Stats:
    """The statistics of a range, or a match, from those of its parts."""
    counted = ("rounds", "decisions", "simulations", "evaluations", "repeats", "batches", "rows")
    timed = ("threads", "total", "waiting", "evaluating", "handing_over")
    return Stats(
        **{name: sum(getattr(part, name) for part in parts) for name in counted},
        batch_rows=parts[0].batch_rows,
        seconds=seconds,
        serving=Serving(
            batch_sizes=np.concatenate([part.serving.batch_sizes for part in parts]),
            **{name: sum(getattr(part.serving, name) for part in parts) for name in timed},
        ),
    )


def _cuts(count: int, shards: int) -> list[int]:
    return [count * k // shards for k in range(shards + 1)]


def join_columns(parts: Sequence[Mapping[str, NDArray[Any]]]) -> Columns:
    """The columns of all parts, one part after the other."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _taken(columns: Columns, order: NDArray[np.intp]) -> Columns:
    """The columns with their rows in this order."""
    if len(order) and np.array_equal(order, np.arange(len(next(iter(columns.values()))))):
        return columns
    return {name: column[order] for name, column in columns.items()}


def _with_parts(columns: Columns, order: NDArray[np.intp], parts: Mapping[str, Sequence[str]]) -> Columns:
    """The columns with their items in this order, where some columns hold a number of rows for each item.

    Args:
        columns: by name.
        order: the items to take.
        parts: by the column that holds an item's number of rows, the columns that hold these rows.
    """
    of_rows = {name: _rows_of(columns[counts], order) for counts, names in parts.items() for name in names}
    return {name: column[of_rows.get(name, order)] for name, column in columns.items()}


def _rows_of(counts: NDArray[Any], order: NDArray[np.intp]) -> NDArray[np.intp]:
    """The rows of these items, where item k has `counts[k]` rows, one item after the other."""
    wide = counts.astype(np.intp)
    starts, taken = np.cumsum(wide) - wide, wide[order]
    return np.repeat(starts[order] - (np.cumsum(taken) - taken), taken) + np.arange(taken.sum())
