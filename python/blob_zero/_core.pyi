from collections.abc import Callable, Sequence
from typing import Any, Literal, Self, TypedDict, final

import numpy as np
from numpy.typing import NDArray

from blob_zero.inference.evaluator import Evaluator

__all__ = [
    "ACTIONS",
    "ENCODING_VERSION",
    "FEATURES",
    "MAX_PLAYERS",
    "OPEN_FEATURES",
    "OPTIMIZED",
    "PLAYERS_FEATURE",
    "YARDSTICK_VERSION",
    "AgentSpec",
    "Batch",
    "Game",
    "MemoryBlock",
    "Observation",
    "Plan",
    "Progress",
    "Round",
    "RoundRules",
    "RoundStore",
    "SearchResult",
    "Session",
    "__version__",
    "action_playouts",
    "card_index",
    "card_text",
    "feature_scale",
    "ismcts",
    "judge_decisions",
    "look_ahead",
    "outcome_gradients",
    "outcome_losses",
    "rule_action",
    "search",
    "search_many",
]

__version__: str
ENCODING_VERSION: int
OPTIMIZED: bool
YARDSTICK_VERSION: int
FEATURES: int
ACTIONS: int
MAX_PLAYERS: int
PLAYERS_FEATURE: int
OPEN_FEATURES: int

def card_index(text: str) -> int: ...
def card_text(index: int) -> str: ...
def feature_scale() -> NDArray[np.float32]: ...
def rule_action(observation: Observation) -> int: ...
def look_ahead(
    roots: Sequence[Round | Observation],
    /,
    evaluator: Evaluator,
    *,
    seeds: Sequence[int],
    worlds: int,
    own_share: float,
    policy_temperature: float,
    belief: float,
) -> list[tuple[int, list[tuple[int, float]], int, float]]: ...
def action_playouts(
    observations: Sequence[Observation], *, seeds: Sequence[int], worlds: int
) -> list[tuple[NDArray[np.uint32], NDArray[np.uint32], NDArray[np.float64]]]: ...
def judge_decisions(
    *,
    policy: NDArray[np.float32],
    make: NDArray[np.float32],
    legal: NDArray[np.bool_],
    action: NDArray[np.uint8],
    made: NDArray[np.bool_],
    decision: NDArray[np.int64],
    acted: NDArray[np.uint8],
    settled: NDArray[np.float32],
    value: NDArray[np.float32],
) -> _Judged: ...
def outcome_losses(minibatch: dict[str, NDArray[Any]]) -> NDArray[np.float64]: ...
def outcome_gradients(minibatch: dict[str, NDArray[Any]], of_losses: Sequence[float]) -> list[NDArray[np.float32]]: ...
def ismcts(observation: Observation, *, simulations: int, seed: int) -> SearchResult: ...
def search(
    root: Round | Observation,
    /,
    evaluator: str | Evaluator,
    *,
    worlds: int = 3,
    simulations: int = 30,
    seed: int = 0,
    c_puct: float = 1.5,
    fpu_reduction: float = 0.25,
    leaves_in_flight: int = 1,
    virtual_loss: int = 1,
    own_view: bool = False,
    noise_fraction: float = 0.0,
    noise_alpha: float = 1.0,
) -> SearchResult: ...
def search_many(
    roots: Sequence[Round | Observation],
    /,
    evaluator: str | Evaluator,
    *,
    seeds: Sequence[int],
    worlds: int,
    simulations: int,
    c_puct: float,
    fpu_reduction: float,
    leaves_in_flight: int,
    virtual_loss: int,
    own_view: bool,
) -> list[SearchResult]: ...

@final
class RoundRules:
    def __new__(
        cls,
        *,
        hook: bool = True,
        scoring: Literal["exact", "exact_plus_tricks"] = "exact",
        turn_up: bool = False,
    ) -> Self: ...
    @property
    def hook(self) -> bool: ...
    @property
    def scoring(self) -> Literal["exact", "exact_plus_tricks"]: ...
    @property
    def turn_up(self) -> bool: ...
    def __getnewargs_ex__(self) -> tuple[tuple[()], dict[str, Any]]: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    __hash__: None  # type: ignore[assignment]

@final
class Round:
    def __new__(
        cls,
        *,
        players: int,
        cards: int | None = None,
        trump: Literal["S", "H", "C", "D"] | None = None,
        dealer: int = 0,
        seed: int | None = None,
        hands: list[list[str]] | None = None,
        rules: RoundRules | None = None,
        turned_up: str | None = None,
    ) -> Self: ...
    @property
    def players(self) -> int: ...
    @property
    def cards(self) -> int: ...
    @property
    def trump(self) -> Literal["S", "H", "C", "D"] | None: ...
    @property
    def turned_up(self) -> str | None: ...
    @property
    def dealer(self) -> int: ...
    @property
    def rules(self) -> RoundRules: ...
    @property
    def phase(self) -> Literal["bidding", "playing", "done"]: ...
    @property
    def to_play(self) -> int | None: ...
    @property
    def bids(self) -> list[int | None]: ...
    @property
    def tricks_won(self) -> list[int]: ...
    @property
    def trick(self) -> list[tuple[int, str]]: ...
    def hand(self, seat: int) -> list[str]: ...
    def legal_actions(self) -> list[int]: ...
    def legal_mask(self) -> NDArray[np.bool_]: ...
    def play(self, action: int) -> None: ...
    def copy(self) -> Round: ...
    def __copy__(self) -> Round: ...
    def __deepcopy__(self, memo: object, /) -> Round: ...
    def scores(self) -> list[int]: ...
    def observe(self, seat: int | None = None) -> Observation: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    __hash__: None  # type: ignore[assignment]

@final
class Observation:
    @property
    def seat(self) -> int: ...
    @property
    def hand(self) -> list[str]: ...
    def legal_actions(self) -> list[int]: ...
    def legal_mask(self) -> NDArray[np.bool_]: ...
    def encoded_actions(self) -> NDArray[np.uint8]: ...
    def encode(self) -> NDArray[np.float32]: ...
    def encode_bytes(self) -> NDArray[np.uint8]: ...
    def sample_worlds(self, count: int, seed: int = 1) -> NDArray[np.uint64]: ...
    def sample_rounds(self, count: int, seed: int = 1) -> list[Round]: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    __hash__: None  # type: ignore[assignment]

@final
class Game:
    def __new__(
        cls,
        *,
        players: int,
        cards: int,
        seed: int,
        dealer: int = 0,
        rules: RoundRules | None = None,
        result_share: float = 0.0,
    ) -> Self: ...
    @property
    def players(self) -> int: ...
    @property
    def schedule(self) -> list[int]: ...
    @property
    def round(self) -> Round: ...
    @property
    def rounds_done(self) -> int: ...
    @property
    def totals(self) -> list[int]: ...
    @property
    def history(self) -> list[list[int]]: ...
    @property
    def done(self) -> bool: ...
    def legal_actions(self) -> list[int]: ...
    def play(self, action: int) -> None: ...
    def copy(self) -> Game: ...
    def __copy__(self) -> Game: ...
    def __deepcopy__(self, memo: object, /) -> Game: ...

@final
class SearchResult:
    @property
    def policy(self) -> NDArray[np.float32]: ...
    @property
    def visits(self) -> NDArray[np.uint32]: ...
    @property
    def values(self) -> NDArray[np.float32]: ...
    @property
    def evaluations(self) -> int: ...
    @property
    def simulations(self) -> int: ...

@final
class AgentSpec:
    @staticmethod
    def random() -> AgentSpec: ...
    @staticmethod
    def rule() -> AgentSpec: ...
    @staticmethod
    def ismcts(simulations: int) -> AgentSpec: ...
    @staticmethod
    def flat(worlds: int) -> AgentSpec: ...
    @staticmethod
    def look_ahead(
        model: int, *, worlds: int, own_share: float, policy_temperature: float, belief: float
    ) -> AgentSpec: ...
    @staticmethod
    def policy(model: int, *, temperature: float = 0.0, random_share: float = 0.0) -> AgentSpec: ...
    @staticmethod
    def search(
        *,
        evaluator: str | int,
        worlds: int,
        simulations: int,
        c_puct: float,
        fpu_reduction: float,
        worlds_in_flight: int | None,
        leaves_in_flight: int,
        virtual_loss: int,
        own_view: bool,
        noise_fraction: float,
        noise_alpha: float,
        temperature: float,
        final_temperature: float,
        temperature_decisions: int,
    ) -> AgentSpec: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    __hash__: None  # type: ignore[assignment]

@final
class Progress:
    @property
    def rounds_done(self) -> int: ...
    @property
    def rounds_begun(self) -> int: ...
    @property
    def rounds(self) -> int: ...
    @property
    def decisions(self) -> int: ...
    @property
    def simulations(self) -> int: ...
    @property
    def evaluations(self) -> int: ...
    @property
    def repeats(self) -> int: ...
    @property
    def batches(self) -> int: ...
    @property
    def rows(self) -> int: ...

class _Columns(TypedDict):
    features: NDArray[np.uint8]
    legal: NDArray[np.bool_]
    policy: NDArray[np.float16]
    values: NDArray[np.float32]
    root_values: NDArray[np.float32]
    round: NDArray[np.uint64]
    seat: NDArray[np.uint8]
    number: NDArray[np.uint64]
    game_round: NDArray[np.uint8]
    players: NDArray[np.uint8]
    cards: NDArray[np.uint8]
    trump: NDArray[np.uint8]
    points: NDArray[np.int16]
    bids: NDArray[np.int16]
    tricks: NDArray[np.int16]
    rounds: dict[str, NDArray[Any]]

class _Rows(TypedDict):
    features: NDArray[np.uint8]
    legal: NDArray[np.bool_]
    action: NDArray[np.uint8]
    bid: NDArray[np.uint8]
    tricks: NDArray[np.uint8]
    values: NDArray[np.float32]

class _AfterRows(TypedDict):
    features: NDArray[np.uint8]
    decision: NDArray[np.int64]
    action: NDArray[np.uint8]
    settled: NDArray[np.float32]

class _Judged(TypedDict):
    log_probability: NDArray[np.float32]
    value: NDArray[np.float32]
    taken_value: NDArray[np.float32]
    make_error: NDArray[np.float32]
    advantage: NDArray[np.float16]
    squares: NDArray[np.float64]

class _CarryOverColumns(TypedDict):
    round: NDArray[np.uint64]
    decisions: NDArray[np.uint16]
    recorded: NDArray[np.uint16]
    action: NDArray[np.uint8]
    features: NDArray[np.uint8]
    legal: NDArray[np.bool_]
    policy: NDArray[np.float16]
    root_values: NDArray[np.float32]
    seat: NDArray[np.uint8]
    game_round: NDArray[np.uint8]

@final
class Plan:
    def __new__(
        cls,
        *,
        agents: list[AgentSpec],
        rounds: int,
        seed: int,
        players: int | None = None,
        cards: int | None = None,
        shapes: list[tuple[int, int, float]] | None = None,
        result_share: float | None = None,
        first_round: int = 0,
        carry_over: int = 0,
        range_end: int | None = None,
        seating: Literal["one", "rotate", "field"] = "one",
        rules: RoundRules | None = None,
        threads: int | None = None,
        batch_rows: int = 1024,
        rounds_in_flight: int | None = None,
        evaluator_threads: int = 2,
        cache_entries: int | None = None,
        record: bool = True,
    ) -> Self: ...
    @property
    def worker_threads(self) -> int: ...
    @property
    def rounds_in_flight(self) -> int: ...
    def deal(self, index: int) -> Game: ...
    def seats(self, index: int) -> list[int]: ...
    def play_with_null_evaluator(self, keep_going: Callable[[], bool]) -> Progress: ...
    def start(self, carried: dict[str, NDArray[Any]] | None = None) -> Session: ...

@final
class Session:
    @property
    def batch_rows(self) -> int: ...
    def next_batch(self, while_waiting: Callable[[], None] | None = None) -> Batch | None: ...
    def progress(self) -> Progress: ...
    def close(self) -> None: ...
    def take_records(self) -> _Columns: ...
    def take_carry_over(self) -> _CarryOverColumns: ...

@final
class RoundStore:
    def __new__(cls, capacity: int, *, held_out_every: int) -> Self: ...
    @property
    def rounds(self) -> int: ...
    def add(self, rounds: dict[str, NDArray[Any]]) -> None: ...
    def decisions(self, *, held_out: bool = False) -> int: ...
    def rows(self, decisions: NDArray[np.int64], *, held_out: bool = False) -> _Rows: ...
    def after_taken(self, decisions: NDArray[np.int64], *, held_out: bool = False) -> _AfterRows: ...
    def after_each(self, decisions: NDArray[np.int64], *, held_out: bool = False) -> _AfterRows: ...
    def next_decisions(self, first: int) -> NDArray[np.int64]: ...

@final
class Batch:
    @property
    def rows(self) -> int: ...
    @property
    def model(self) -> int: ...
    @property
    def memory(self) -> MemoryBlock: ...
    @property
    def features(self) -> NDArray[np.uint8]: ...
    @property
    def legal(self) -> NDArray[np.bool_]: ...
    @property
    def policy(self) -> NDArray[np.float32]: ...
    @property
    def values(self) -> NDArray[np.float32]: ...
    def decode(self) -> tuple[NDArray[np.float32], NDArray[np.bool_]]: ...
    def complete(self, outputs: tuple[NDArray[np.float32], NDArray[np.float32]]) -> None: ...
    def complete_in_place(self) -> None: ...

@final
class MemoryBlock:
    @property
    def address(self) -> int: ...
    @property
    def nbytes(self) -> int: ...
