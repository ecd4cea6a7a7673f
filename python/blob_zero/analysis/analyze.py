"""The analysis of positions: a judge, and on request a search."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from blob_zero import _core
from blob_zero.analysis.judge import Floats, Judge, Judgement, seed_of
from blob_zero.config.search_options import SearchOptions, parse_search
from blob_zero.errors import ConfigError

MAX_SIMULATIONS = 1_000_000
"""Most simulations of one search, over all its worlds."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """A position to analyze.

    Attributes:
        observation: what the seat to play knows.
        search: `WxS` or `ismcts:N`; None for the judgement alone.
        worlds: number of deals that fit, to return as examples.
    """

    observation: _core.Observation
    search: str | None = None
    worlds: int = 0


@dataclass(frozen=True, kw_only=True)
class Analysis:
    """What is known about the actions of a position.

    Attributes:
        judgement: what the judge says.
        policy: [A] the judge's policy, or the share of each action in the visits of the search.
        visits: [A] visits of the search; None without one.
        order: rows of the judgement, the best action first: by visits after a search, else by expected points.
        worlds: deals that fit, each the hands of all seats as they are now.
        evaluations: what judgement and search cost.
    """

    judgement: Judgement
    policy: Floats
    visits: NDArray[np.uint32] | None
    order: tuple[int, ...]
    worlds: list[list[list[str]]]
    evaluations: int


def analyze(requests: Sequence[Request], judge: Judge) -> list[Analysis]:
    """Analyzes positions together.

    Each answer depends on its request and the judge alone.

    Raises:
        ConfigError: an observation is of a seat that is not to play, or a search cannot be read.
    """
    judgements = judge.judge([request.observation for request in requests])
    searches = [_search(request, judge) for request in requests]
    return [
        _combined(request, judgement, found)
        for request, judgement, found in zip(requests, judgements, searches, strict=True)
    ]


def read_search(text: str) -> SearchOptions | int:
    """A search by its name: options for `WxS`, simulations for `ismcts:N`.

    Raises:
        ConfigError: it is neither, or larger than `MAX_SIMULATIONS`.
    """
    tree = re.fullmatch(r"ismcts:([1-9]\d{0,6})", text)
    if tree is None and not re.fullmatch(r"\d{1,6}x\d{1,6}", text):
        raise ConfigError(f"cannot read the search {text[:40]!r}; it is WxS, such as 3x30, or ismcts:N")
    search = parse_search(text) if tree is None else int(tree[1])
    size = search if isinstance(search, int) else search.worlds * search.simulations
    if size > MAX_SIMULATIONS:
        raise ConfigError(f"search {text} has {size:,} simulations; at most {MAX_SIMULATIONS:,}")
    return search.greedy() if isinstance(search, SearchOptions) else search


def _search(request: Request, judge: Judge) -> _core.SearchResult | None:
    if request.search is None:
        return None
    search, seed = read_search(request.search), seed_of(request.observation, 0)
    if isinstance(search, int):
        return _core.ismcts(request.observation, simulations=search, seed=seed)
    return _core.search(
        request.observation, judge.evaluator, worlds=search.worlds, simulations=search.simulations, seed=seed
    )


def _combined(request: Request, judgement: Judgement, found: _core.SearchResult | None) -> Analysis:
    policy, visits, evaluations = judgement.policy, None, judgement.evaluations
    merit = judgement.points
    if found is not None:
        actions = list(judgement.actions)
        policy, visits = found.policy[actions].astype(np.float64), found.visits[actions]
        evaluations += found.evaluations
        # Equal visits are told apart by expected points, which are far below a thousand.
        merit = visits + judgement.points / 1000
    return Analysis(
        judgement=judgement,
        policy=policy,
        visits=visits,
        order=tuple(np.argsort(-merit, kind="stable").tolist()),
        worlds=_example_worlds(request),
        evaluations=evaluations,
    )


def _example_worlds(request: Request) -> list[list[list[str]]]:
    if not request.worlds:
        return []
    hands = request.observation.sample_worlds(request.worlds, seed_of(request.observation, 0))
    return [
        [[_core.card_text(card) for card in range(52) if int(bits) >> card & 1] for bits in world] for world in hands
    ]
