"""The field protocol: one seat of an agent among others of a field, against the field itself in that seat.

On every deal the field plays once in every seat, and each guest once in each seat among the field. A deal's difference
is the guest's points less the field's own in the same seat, mean over seats (docs/strength.md says why). Guests share
the field's rounds.
"""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

import blob_zero as bz
from blob_zero import _core
from blob_zero.arena.entrant import Entrant, read_entrant
from blob_zero.arena.judge import LocalJudge
from blob_zero.arena.match import MatchRecord, play_in_field
from blob_zero.arena.statistics import bootstrap_interval
from blob_zero.config.bots import Bot
from blob_zero.config.load import parse_config
from blob_zero.config.rules import parse_rules
from blob_zero.config.schema import BatchRows, InferenceConfig
from blob_zero.config.search_options import SearchOptions, parse_search
from blob_zero.errors import ConfigError
from blob_zero.inference.devices import resolve_device
from blob_zero.seeds import Purpose, stream, stream_seed

_TIMED_SECONDS = 1.0
"""An agent's speed is taken from a run of at least this long, or of all deals."""

_FIRST_TIMED_DEALS = 32


@dataclass(frozen=True)
class FieldSettings:
    """All that the figures depend on, apart from speed."""

    guests: tuple[str, ...]
    """Paths of runs or checkpoints, and names of bots (`config/bots.py`); at least one."""
    field: str
    """The agent in all other seats."""
    players: tuple[int, ...]
    """Numbers of players."""
    cards: tuple[int, ...]
    """Hand sizes; each is played with each number of players that it can be dealt to."""
    deals: int
    """Deals of each shape, at least 2."""
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


class Shape(NamedTuple):
    """Players, and cards dealt to each."""

    players: int
    cards: int


@dataclass(frozen=True)
class FieldResult:
    """A guest in the field, over some deals."""

    deals: int
    points: float
    """Mean points a round of the guest."""
    field_points: float
    """Mean points a round of the field in the same seats, without the guest."""
    difference: float
    """Mean over deals of the guest's points a round less the field's own."""
    low: float
    """Lower end of the difference's 95 % interval, by deal."""
    high: float
    """Upper end of it."""
    exact: float
    """Share of the guest's bids made exactly."""
    field_exact: float
    """Share of the field's own."""

    @property
    def verdict(self) -> Literal["above", "not told apart", "below"]:
        """`above` or `below` the field where the interval excludes 0."""
        if self.low > 0:
            return "above"
        return "below" if self.high < 0 else "not told apart"


@dataclass(frozen=True)
class Guest:
    """The results of one guest."""

    name: str
    all: FieldResult
    by_shape: tuple[tuple[Shape, FieldResult], ...]


@dataclass(frozen=True)
class FieldMatch:
    """The results of all guests."""

    settings: FieldSettings
    shapes: tuple[Shape, ...]
    guests: tuple[Guest, ...]
    search: str | None
    """`WxS` of the networks that search; None where none does."""
    milliseconds: dict[str, float]
    """By agent, the milliseconds of a decision at the first shape: wall time over decisions, all threads at work."""
    seconds: float
    """Seconds of play, timing included."""


def play_field(settings: FieldSettings, *, on_match: Callable[[str], None] = lambda _: None) -> FieldMatch:
    """Plays all guests in the field, in all shapes.

    Args:
        settings: agents, shapes, deals and seed.
        on_match: called with a description of each match before it begins.

    Raises:
        ConfigError: a setting cannot be used.
        CheckpointError: a network cannot be read.
        DeviceError: the device is not there.
    """
    started = time.perf_counter()
    shapes = _shapes(settings)
    search = parse_search(settings.search)
    names = dict.fromkeys((settings.field, *settings.guests))
    entrants = {name: read_entrant(name, search, device=settings.device) for name in names}
    judges = _Judges(settings, search)
    own = {}
    for shape in shapes:
        on_match(f"{settings.field} everywhere, {_words(shape)}")
        own[shape] = judges.play(None, entrants[settings.field], shape)
    guests = []
    for name in settings.guests:
        played = []
        for shape in shapes:
            on_match(f"{name} in a field of {settings.field}, {_words(shape)}")
            played.append(_compare(judges.play(entrants[name], entrants[settings.field], shape), own[shape]))
        by_shape = tuple((shape, _result([part], settings.seed)) for shape, part in zip(shapes, played, strict=True))
        guests.append(Guest(name, _result(played, settings.seed), by_shape))
    milliseconds = {}
    for name, entrant in entrants.items():
        on_match(f"timing {name}")
        milliseconds[name] = judges.milliseconds(entrant, shapes[0])
    # A bot's search is in its name, and so is a look-ahead.
    searching = any(
        not isinstance(entrant, Bot) and isinstance(entrant.search, SearchOptions) for entrant in entrants.values()
    )
    return FieldMatch(
        settings=settings,
        shapes=shapes,
        guests=tuple(guests),
        search=settings.search if searching else None,
        milliseconds=milliseconds,
        seconds=time.perf_counter() - started,
    )


def field_to_json(match: FieldMatch) -> str:
    """The settings and results as one JSON object."""

    def figures(result: FieldResult) -> dict[str, object]:
        return {**asdict(result), "verdict": result.verdict}

    report = {
        "version": metadata.version("blob-zero"),
        "yardstick_version": _core.YARDSTICK_VERSION,
        "settings": asdict(match.settings),
        "guests": [
            {
                "agent": guest.name,
                **figures(guest.all),
                "milliseconds": match.milliseconds[guest.name],
                "by_shape": [{**shape._asdict(), **figures(result)} for shape, result in guest.by_shape],
            }
            for guest in match.guests
        ],
        "field_milliseconds": match.milliseconds[match.settings.field],
        "seconds": match.seconds,
    }
    return json.dumps(report, indent=2)


class _Judges:
    """A judge for each number of players, so that networks are compiled once."""

    def __init__(self, settings: FieldSettings, search: SearchOptions) -> None:
        self._settings = settings
        self._search = search
        self._judges: dict[int, LocalJudge] = {}

    def play(self, guest: Entrant | None, field: Entrant, shape: Shape) -> MatchRecord:
        """The records of a guest in the field, or of the field alone."""
        return self._play(guest, field, shape, deals=self._settings.deals)

    def milliseconds(self, entrant: Entrant, shape: Shape) -> float:
        """The milliseconds of a decision of an agent, with it in every seat."""
        deals = min(self._settings.deals, _FIRST_TIMED_DEALS)
        while True:
            stats = self._play(None, entrant, shape, deals=deals).stats
            if stats.seconds >= _TIMED_SECONDS or deals >= self._settings.deals:
                return 1000 * stats.seconds / max(stats.decisions, 1)
            deals = min(4 * deals, self._settings.deals)

    def _play(self, guest: Entrant | None, field: Entrant, shape: Shape, *, deals: int) -> MatchRecord:
        judge = self._judge(shape.players)
        agents: tuple[bz.Agent | None, bz.Agent] = (
            None if guest is None else judge.agent(guest, side=0),
            judge.agent(field, side=1),
        )
        rows = judge.prepare([agent for agent in agents if agent is not None], rounds=shape.players * deals)
        return play_in_field(
            *agents,
            players=shape.players,
            cards=shape.cards,
            deals=deals,
            seed=stream_seed(self._settings.seed, Purpose.ARENA, 100 * shape.players + shape.cards),
            rules=parse_rules(self._settings.rules),
            threads=self._settings.threads,
            batch_rows=rows,
        )

    def _judge(self, players: int) -> LocalJudge:
        if players not in self._judges:
            self._judges[players] = LocalJudge(
                players=players,
                cards=1,
                search=self._search,
                inference=InferenceConfig(),
                device=str(resolve_device(self._settings.device)),
                batch_rows=self._settings.batch_rows,
                threads=self._settings.threads,
            )
        return self._judges[players]


class _Compared(NamedTuple):
    """A guest and the field in the same seats of the same deals: arrays [deals, players]."""

    points: npt.NDArray[np.float64]
    field_points: npt.NDArray[np.float64]
    exact: npt.NDArray[np.bool_]
    field_exact: npt.NDArray[np.bool_]


def _compare(guest: MatchRecord, own: MatchRecord) -> _Compared:
    def in_its_seat(column: npt.NDArray[np.int16]) -> npt.NDArray[np.int16]:
        return np.diagonal(column, axis1=1, axis2=2)

    return _Compared(
        points=in_its_seat(guest.points).astype(np.float64),
        field_points=own.points.astype(np.float64),
        exact=in_its_seat(guest.bids) == in_its_seat(guest.tricks),
        field_exact=own.bids == own.tricks,
    )


def _result(parts: Sequence[_Compared], seed: int) -> FieldResult:
    """The result over all deals of the parts, which weigh the same, since they have equally many deals."""
    differences = np.concatenate([(part.points - part.field_points).mean(axis=1) for part in parts])
    low, high = bootstrap_interval(differences, stream(seed, Purpose.BOOTSTRAP))

    def mean(columns: Sequence[npt.NDArray[np.float64] | npt.NDArray[np.bool_]]) -> float:
        return float(np.mean([column.mean() for column in columns]))

    return FieldResult(
        deals=len(differences),
        points=mean([part.points for part in parts]),
        field_points=mean([part.field_points for part in parts]),
        difference=float(differences.mean()),
        low=low,
        high=high,
        exact=mean([part.exact for part in parts]),
        field_exact=mean([part.field_exact for part in parts]),
    )


def _shapes(settings: FieldSettings) -> tuple[Shape, ...]:
    """The shapes to play; hand sizes that cannot be dealt to a number of players are left out of several."""
    if not settings.guests:
        raise ConfigError(f"nobody plays in the field of {settings.field}; name at least 1 agent")
    if settings.deals < 2:
        raise ConfigError(f"{settings.deals} deal(s) have no interval; at least 2 are needed")
    shapes = []
    for players in settings.players:
        dealt = [cards for cards in settings.cards if players * cards <= 52] or [settings.cards[0]]
        for cards in dealt:
            turn_up = parse_rules(settings.rules).turn_up
            parse_config({"game": {"players": players, "cards": cards, "rules": {"turn_up": turn_up}}}, source="arena")
            shapes.append(Shape(players, cards))
    return tuple(shapes)


def _words(shape: Shape) -> str:
    return f"{shape.players} players, {shape.cards} card{'s' if shape.cards > 1 else ''}"
