"""Many agents, each pair of them on the same deals: who is stronger, by how much, and with which hands.

`play` is the whole of `blob-zero arena`; `to_json` gives all that it found.
"""

import itertools
import json
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

import blob_zero as bz
from blob_zero.arena.judge import LocalJudge, MatchSummary, deal_differences, parse_agent, summarize
from blob_zero.arena.ratings import Rating, Ratings
from blob_zero.config.load import parse_config
from blob_zero.config.schema import BatchRows, InferenceConfig, SearchConfig, parse_search
from blob_zero.errors import CheckpointError, ConfigError
from blob_zero.inference.devices import resolve_device
from blob_zero.model.blobnet import BlobNet
from blob_zero.run.checkpoint import STATE, load_network, network_folder
from blob_zero.seeds import Purpose, stream_seed

TRUMPS = ("S", "H", "C", "D", "none")

_TRUMP_FEATURES = slice(176, 181)  # one bit for each of TRUMPS (docs/observation.md)
_DEALS_AT_A_TIME = 5_000  # the rows that tell a deal's trump are some 10 kB each


@dataclass(frozen=True)
class Settings:
    """What a tournament follows from: the same settings give the same figures, on CPUs at fp32 to the last bit."""

    agents: tuple[str, ...]
    """At least two: a run or checkpoint, `random`, `rule`, or `rollout:WxS`."""
    players: int
    """Seats."""
    cards: tuple[int, ...]
    """Hand sizes; of whole games the one they start from."""
    deals: int
    """Deals of each hand size, at least 2; each is played from every seat, in every pair."""
    search: str
    """`WxS` of every network."""
    seed: int
    """The deals follow from it."""
    device: str
    """Where networks answer."""
    threads: int | None = None
    """Threads of the search; none is one for each core."""
    batch_rows: BatchRows = "auto"
    """Rows of a batch to a network; `auto` leaves them to the device."""
    result_share: float | None = None
    """None for single rounds. A share plays whole games, each as a deal; searches play for so much of its result."""


class Slice(NamedTuple):
    """The part of a pair's deals that have one hand size or one trump in common."""

    what: int | str
    """The hand size, or the trump as one of `TRUMPS`."""
    match: MatchSummary


@dataclass(frozen=True)
class Pairing:
    """What came of one pair: the first agent had one seat, each in turn, the second all others."""

    first: str
    second: str
    match: MatchSummary
    by_cards: tuple[Slice, ...]
    by_trump: tuple[Slice, ...]
    """Trumps with fewer than 2 deals are left out: they have no interval."""


@dataclass(frozen=True)
class Tournament:
    """What came of all pairs."""

    settings: Settings
    searches: dict[str, SearchConfig]
    """How each agent that searches does it."""
    pairings: tuple[Pairing, ...]
    ratings: dict[str, Rating]
    """By agent, the strongest first; on the scale of Elo, `rule` at 0 where it played."""
    rounds: int
    """Rounds played."""
    seconds: float
    """Seconds of play, without what networks take to be read and made ready."""

    @property
    def deals_per_minute(self) -> float:
        """Deals a minute over all pairs, each from every seat."""
        deals = len(self.pairings) * len(self.settings.cards) * self.settings.deals
        return 60 * deals / self.seconds


class _Entrant(NamedTuple):
    """An agent as it comes to its matches."""

    name: str
    net: BlobNet | None
    search: SearchConfig | None


def play(settings: Settings, *, on_match: Callable[[str], None] | None = None) -> Tournament:
    """Play all pairs of agents on the same deals.

    Args:
        settings: who plays what.
        on_match: is told in words which match begins.

    Raises:
        ConfigError: a setting cannot be used.
        CheckpointError: a network cannot be read.
        DeviceError: the device is not there.
    """
    _check(settings)
    entrants = [_entrant(name, parse_search(settings.search)) for name in settings.agents]
    judge = LocalJudge(
        players=settings.players,
        cards=settings.cards[0],
        search=SearchConfig(),
        inference=InferenceConfig(),
        device=str(resolve_device(settings.device)),
        batch_rows=settings.batch_rows,
        threads=settings.threads,
        result_share=settings.result_share,
    )
    seeds = {cards: stream_seed(settings.seed, Purpose.ARENA, cards) for cards in settings.cards}
    pairs = list(itertools.combinations(entrants, 2))
    played: list[list[bz.MatchRecord]] = []
    for first, second in pairs:
        agents = _agent(judge, first, side=0), _agent(judge, second, side=1)
        records = []
        for cards, seed in seeds.items():
            if on_match is not None:
                on_match(f"{first.name} against {second.name}, {cards} card{'s' if cards > 1 else ''}")
            records.append(judge.records(*agents, cards=cards, deals=settings.deals, seed=seed))
        played.append(records)
    kinds = _kinds_of_games(settings) if settings.result_share is not None else _kinds_of_deals(settings, seeds)
    return Tournament(
        settings=settings,
        searches={entrant.name: entrant.search for entrant in entrants if entrant.search is not None},
        pairings=tuple(
            _pairing(first.name, second.name, records, kinds, settings)
            for (first, second), records in zip(pairs, played, strict=True)
        ),
        ratings=_ratings(pairs, played),
        rounds=sum(match.stats.rounds for records in played for match in records),
        seconds=sum(match.stats.seconds for records in played for match in records),
    )


def parse_hand_sizes(text: str) -> tuple[int, ...]:
    """Read hand sizes: a number, a range such as `1-8`, or several with commas between; ascending, each once.

    Raises:
        ConfigError: it has another form, or a number is outside 1 to 13.
    """
    sizes: set[int] = set()
    for part in text.split(","):
        form = re.fullmatch(r"(\d{1,2})(?:-(\d{1,2}))?", part.strip())
        low, high = (int(form[1]), int(form[2] or form[1])) if form else (0, 0)
        if not 1 <= low <= high <= 13:
            raise ConfigError(f"cannot read the hand sizes {text!r}; should be such as 5, 1,3,5 or 1-8, within 1 to 13")
        sizes.update(range(low, high + 1))
    return tuple(sorted(sizes))


def trumps_of_deals(
    *, players: int, cards: int, deals: int, seed: int, threads: int | None = None
) -> npt.NDArray[np.int8]:
    """The trump of each deal of a match.

    A match's records do not say it. Self-play with the same seed has the same deals, and the rows of its search do;
    with one simulation a decision that costs next to nothing.

    Returns:
        int8[deals], indices into `TRUMPS`.
    """
    trumps = np.empty(deals, np.int8)
    for start in range(0, deals, _DEALS_AT_A_TIME):
        count = min(_DEALS_AT_A_TIME, deals - start)
        records = bz.SelfPlay(
            players=players,
            cards=cards,
            worlds=1,
            simulations=1,
            rounds=count,
            seed=seed,
            first_round=start,
            threads=threads,
        ).run("uniform")
        # Every round has a row: whoever bids first has a choice.
        numbers, rows = np.unique(records.round, return_index=True)
        trumps[numbers.astype(np.int64)] = records.features[rows, _TRUMP_FEATURES].argmax(axis=1)
    return trumps


def to_json(tournament: Tournament) -> str:
    """All figures and settings as one JSON object."""
    report: dict[str, Any] = {
        "version": metadata.version("blob-zero"),
        "settings": asdict(tournament.settings),
        "searches": {name: search.model_dump(mode="json") for name, search in tournament.searches.items()},
        "matches": [
            {
                "first_agent": pairing.first,
                "second_agent": pairing.second,
                **_figures(pairing.match),
                "by_cards": [{"cards": cards, **_figures(match)} for cards, match in pairing.by_cards],
                "by_trump": [{"trump": trump, **_figures(match)} for trump, match in pairing.by_trump],
            }
            for pairing in tournament.pairings
        ],
        "ratings": [
            {"agent": name, "rating": rating.mean, "sigma": rating.sigma} for name, rating in tournament.ratings.items()
        ],
        "rounds": tournament.rounds,
        "seconds": tournament.seconds,
        "deals_per_minute": tournament.deals_per_minute,
    }
    return json.dumps(report, indent=2)


def _check(settings: Settings) -> None:
    if len(settings.agents) < 2:
        raise ConfigError(f"{' '.join(settings.agents) or 'nobody'} cannot play alone; name at least 2 agents")
    twice = [name for name in settings.agents if settings.agents.count(name) > 1]
    if twice and len(settings.agents) > 2:
        raise ConfigError(f"{twice[0]!r} is named {len(twice)} times; of more than 2 agents each is named once")
    if settings.deals < 2:
        raise ConfigError(f"{settings.deals} deal(s) have no interval; at least 2 are needed")
    if settings.result_share is not None and len(settings.cards) > 1:
        raise ConfigError(f"whole games start from one number of cards, not from {', '.join(map(str, settings.cards))}")
    for cards in settings.cards:
        parse_config({"game": {"players": settings.players, "cards": cards}}, source="arena")


def _entrant(name: str, search: SearchConfig) -> _Entrant:
    spec = parse_agent(name)
    match spec:
        case SearchConfig():
            return _Entrant(name, None, spec)
        case Path():
            trained = _search_of_run(spec)
            shape = {"worlds": search.worlds, "simulations": search.simulations}
            return _Entrant(name, load_network(spec), trained.model_copy(update=shape))
        case _:
            return _Entrant(name, None, None)


def _search_of_run(path: Path) -> SearchConfig:
    """The search that a network was trained with, from the checkpoint it lies in; the defaults outside of one."""
    with warnings.catch_warnings():  # what is damaged was said when the network was loaded
        warnings.simplefilter("ignore", RuntimeWarning)
        folder = network_folder(path)
    state = (folder if folder.is_dir() else folder.parent) / STATE
    if not state.exists():
        return SearchConfig()
    try:
        section = json.loads(state.read_bytes())["config"]["search"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{state} does not say which search its network was trained with: {error!r}") from error
    return parse_config({"search": section}, source=str(state)).search


def _agent(judge: LocalJudge, entrant: _Entrant, *, side: Literal[0, 1]) -> bz.Agent:
    if entrant.net is None:
        return judge.agent(entrant.name, side=side)
    return judge.network_agent(entrant.net, side=side, search=entrant.search)


class _Joined(NamedTuple):
    """The records of several hand sizes as one match, each as in `MatchRecord`."""

    points: npt.NDArray[np.int16]
    bids: npt.NDArray[np.int16]
    tricks: npt.NDArray[np.int16]

    def part(self, chosen: npt.NDArray[np.bool_]) -> "_Joined":
        """Some of the deals, or of whole games some of the rounds of each."""
        axis = 2 if self.points.ndim == 4 else 0
        return _Joined(*(column.compress(chosen, axis=axis) for column in self))


class _Kinds(NamedTuple):
    """Hand size and trump, an index into `TRUMPS`, of each deal; of whole games, those of each round of a game."""

    cards: npt.NDArray[np.int64]
    trumps: npt.NDArray[np.int8]


def _kinds_of_deals(settings: Settings, seeds: Mapping[int, int]) -> _Kinds:
    trumps = [
        trumps_of_deals(
            players=settings.players, cards=cards, deals=settings.deals, seed=seed, threads=settings.threads
        )
        for cards, seed in seeds.items()
    ]
    return _Kinds(np.repeat(settings.cards, settings.deals), np.concatenate(trumps))


def _kinds_of_games(settings: Settings) -> _Kinds:
    schedule = bz.Game(players=settings.players, cards=settings.cards[0], seed=0).schedule
    return _Kinds(np.array(schedule), np.arange(len(schedule), dtype=np.int8) % len(TRUMPS))


def _pairing(first: str, second: str, records: Sequence[bz.MatchRecord], kinds: _Kinds, settings: Settings) -> Pairing:
    whole = _Joined(
        np.concatenate([each.points for each in records]),
        np.concatenate([each.bids for each in records]),
        np.concatenate([each.tricks for each in records]),
    )
    of_games = settings.result_share is not None

    def slices(what: Sequence[int | str], kind: npt.NDArray[Any], keys: Sequence[int]) -> tuple[Slice, ...]:
        parts = [(label, kind == key) for label, key in zip(what, keys, strict=True)]
        return tuple(
            Slice(label, _without_games_won(summarize(whole.part(chosen), seed=settings.seed)))
            for label, chosen in parts
            if chosen.sum() > (0 if of_games else 1)
        )

    sizes = sorted(set(kinds.cards.tolist()))

    return Pairing(
        first=first,
        second=second,
        match=summarize(whole, seed=settings.seed),
        by_cards=slices(sizes, kinds.cards, sizes),
        by_trump=slices(TRUMPS, kinds.trumps, range(len(TRUMPS))),
    )


def _without_games_won(part: MatchSummary) -> MatchSummary:
    """Of some rounds of each game: a game is not won by them."""
    return replace(part, games_won=None)


def _ratings(
    pairs: Sequence[tuple[_Entrant, _Entrant]], played: Sequence[Sequence[bz.MatchRecord]]
) -> dict[str, Rating]:
    """Ratings from all deals, deal by deal through all pairs, so that no pair counts for more by being the last."""
    outcomes = [
        np.sign(np.concatenate([deal_differences(each.points) for each in records])).astype(int) for records in played
    ]
    ratings = Ratings()
    for deal in range(len(outcomes[0])):
        for (first, second), outcome in zip(pairs, outcomes, strict=True):
            ratings.add_deal(first.name, second.name, outcome[deal])
    found = {name: rating for name in ratings if (rating := ratings.get(name)) is not None}
    return dict(sorted(found.items(), key=lambda item: -item[1].mean))


def _figures(match: MatchSummary) -> dict[str, Any]:
    return {**asdict(match), "verdict": match.verdict}
