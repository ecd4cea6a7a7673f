"""Tournaments: many agents, every pair of them on the same deals.

`play` is the whole of `blob-zero arena`.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

import blob_zero as bz
from blob_zero.arena.breakdown import Pairing, break_down
from blob_zero.arena.deal_kinds import kinds_of_deals, kinds_of_rounds
from blob_zero.arena.entrant import read_entrant
from blob_zero.arena.judge import EntrantJudge, LocalJudge
from blob_zero.arena.ratings import Rating, Ratings
from blob_zero.arena.statistics import deal_differences
from blob_zero.config.load import parse_config
from blob_zero.config.rules import parse_rules
from blob_zero.config.schema import BatchRows, InferenceConfig
from blob_zero.config.search_options import LookAhead, SearchOptions, parse_search
from blob_zero.errors import ConfigError
from blob_zero.inference.devices import resolve_device
from blob_zero.seeds import Purpose, stream_seed


@dataclass(frozen=True)
class Settings:
    """All that a tournament depends on: equal settings give equal figures, to the last bit on a CPU in fp32."""

    agents: tuple[str, ...]
    """At least two: paths of runs or checkpoints, and names of bots (`config/bots.py`)."""
    players: int
    """Seats."""
    cards: tuple[int, ...]
    """Hand sizes; one for whole games, which start from it."""
    deals: int
    """Deals of each hand size, at least 2; each is played from every seat, in every pair."""
    search: str
    """`WxS` of every network."""
    seed: int
    """Decides the deals."""
    device: str
    """Where networks compute."""
    threads: int | None = None
    """Search threads; one for each core if None."""
    batch_rows: BatchRows = "auto"
    """Rows of a batch; `auto` chooses by device and number of rounds."""
    rules: str = ""
    """Rule variants by name (`config/rules.py`)."""
    result_share: float | None = None
    """None plays single rounds; a share plays whole games, each in place of a deal, as in `bz.play_match`."""


@dataclass(frozen=True)
class Tournament:
    """The results of all pairs."""

    settings: Settings
    searches: dict[str, SearchOptions | LookAhead]
    """The search of each agent that searches."""
    pairings: tuple[Pairing, ...]
    ratings: dict[str, Rating]
    """By agent, the strongest first; on the scale of Elo, `rule` at 0 where it played."""
    rounds: int
    """Rounds played."""
    seconds: float
    """Seconds of play; loading and preparing networks does not count."""

    @property
    def deals_per_minute(self) -> float:
        """Deals a minute over all pairs, each from every seat."""
        deals = len(self.pairings) * len(self.settings.cards) * self.settings.deals
        return 60 * deals / self.seconds


OnRecord = Callable[[str, str, bz.MatchRecord], object]
"""Is called with the names of both agents and the records of their match."""


def play(
    settings: Settings,
    *,
    on_match: Callable[[str], None] = lambda _: None,
    on_record: OnRecord = lambda *_: None,
    judge: EntrantJudge | None = None,
) -> Tournament:
    """Plays all pairs of agents on the same deals.

    Args:
        settings: agents, hand sizes, deals and seed.
        on_match: called with a description of each match before it begins.
        on_record: called after each match of a hand size.
        judge: plays the matches; in this process by default.

    Raises:
        ConfigError: a setting cannot be used.
        CheckpointError: a network cannot be read.
        DeviceError: the device is not there.
    """
    _check(settings)
    search = parse_search(settings.search)
    entrants = {name: read_entrant(name, search, device=settings.device) for name in settings.agents}
    if judge is None:
        judge = local_judge(settings, device=resolve_device(settings.device))
    seeds = {cards: stream_seed(settings.seed, Purpose.ARENA, cards) for cards in settings.cards}
    pairs = list(itertools.combinations(settings.agents, 2))
    played: list[list[bz.MatchRecord]] = []
    for first, second in pairs:
        sides = entrants[first], entrants[second]
        records = []
        for cards, seed in seeds.items():
            on_match(f"{first} against {second}, {cards} card{'s' if cards > 1 else ''}")
            records.append(judge.meet(*sides, cards=cards, deals=settings.deals, seed=seed))
            on_record(first, second, records[-1])
        played.append(records)
    whole_games = settings.result_share is not None
    kinds = (
        kinds_of_rounds(players=settings.players, cards=settings.cards[0])
        if whole_games
        else kinds_of_deals(played[0], settings.cards)
    )
    return Tournament(
        settings=settings,
        searches={name: entrant.search.greedy() for name, entrant in entrants.items() if entrant.search is not None},
        pairings=tuple(
            break_down(first, second, records, kinds, whole_games=whole_games, seed=settings.seed)
            for (first, second), records in zip(pairs, played, strict=True)
        ),
        ratings=_ratings(pairs, played),
        rounds=sum(match.stats.rounds for records in played for match in records),
        seconds=sum(match.stats.seconds for records in played for match in records),
    )


def local_judge(settings: Settings, *, device: torch.device) -> LocalJudge:
    """A judge in this process that plays as the settings say."""
    return LocalJudge(
        players=settings.players,
        cards=settings.cards[0],
        search=parse_search(settings.search),
        inference=InferenceConfig(),
        device=str(device),
        batch_rows=settings.batch_rows,
        threads=settings.threads,
        result_share=settings.result_share,
        rules=parse_rules(settings.rules),
    )


def _check(settings: Settings) -> None:
    if len(settings.agents) < 2:
        raise ConfigError(f"{' '.join(settings.agents) or 'no agent'} cannot play alone; name at least 2 agents")
    twice = [name for name in settings.agents if settings.agents.count(name) > 1]
    if twice and len(settings.agents) > 2:
        raise ConfigError(f"{twice[0]!r} is named {len(twice)} times; of more than 2 agents each is named once")
    if settings.deals < 2:
        raise ConfigError(f"{settings.deals} deal(s) have no interval; at least 2 are needed")
    if settings.result_share is not None and len(settings.cards) > 1:
        raise ConfigError(f"whole games start from one number of cards, not from {', '.join(map(str, settings.cards))}")
    turn_up = parse_rules(settings.rules).turn_up
    for cards in settings.cards:
        game = {"players": settings.players, "cards": cards, "rules": {"turn_up": turn_up}}
        parse_config({"game": game}, source="arena")


def _ratings(pairs: Sequence[tuple[str, str]], played: Sequence[Sequence[bz.MatchRecord]]) -> dict[str, Rating]:
    """Ratings from all deals, deal by deal through all pairs, so that no pair counts for more by being the last."""
    outcomes = [
        np.sign(np.concatenate([deal_differences(each.points) for each in records])).astype(int) for records in played
    ]
    ratings = Ratings()
    for deal in range(len(outcomes[0])):
        for (first, second), outcome in zip(pairs, outcomes, strict=True):
            ratings.add_deal(first, second, outcome[deal])
    found = {name: rating for name in ratings if (rating := ratings.get(name)) is not None}
    return dict(sorted(found.items(), key=lambda item: -item[1].mean))
