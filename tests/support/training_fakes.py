"""Small stand-ins for the core, whose answers follow from their arguments alone."""

from dataclasses import dataclass, field

import numpy as np

from blob_zero.arena.statistics import MatchSummary, Side
from blob_zero.config.load import parse_config
from blob_zero.config.schema import Config
from blob_zero.learning.replay import ReplayRing, columns_of
from blob_zero.model.blobnet import BlobNet
from blob_zero.selfplay.sizes import Sizes
from blob_zero.selfplay.worker import SelfPlayResult

SMALL = {"width": 16, "layers": 1, "heads": 2, "feed_forward": 32, "policy_hidden": 16, "value_hidden": 8}


@dataclass(frozen=True)
class FakeRows:
    features: np.ndarray
    legal: np.ndarray
    policy: np.ndarray
    values: np.ndarray
    root_values: np.ndarray
    round: np.ndarray


def random_rows(rng: np.random.Generator, count: int, *, players: int = 4, first_round: int | None = None) -> FakeRows:
    """Rows that keep every promise of self-play's records, with nothing to learn in them.

    Ten rows a round from `first_round` on; without it all are of round 0.
    """
    features = rng.integers(0, 2, (count, 256), dtype=np.uint8)
    features[:, 228] = players
    legal = rng.random((count, 52)) < 0.2
    legal[np.arange(count), rng.integers(0, 52, count)] = True
    policy = np.where(legal, rng.random((count, 52)) + 0.01, 0)
    values = rng.uniform(-1, 1, (count, 8)).astype(np.float32)
    values[:, players:] = 0
    policy /= policy.sum(axis=1, keepdims=True)
    rounds = (
        np.zeros(count, np.uint64) if first_round is None else first_round + np.arange(count, dtype=np.uint64) // 10
    )
    return FakeRows(features, legal, policy.astype(np.float16), values, 0.5 * values, rounds)


def ring_of(*batches: FakeRows, capacity: int | None = None) -> ReplayRing:
    """A ring with these rows, exactly full by default."""
    ring = ReplayRing(capacity or sum(len(rows.features) for rows in batches))
    for rows in batches:
        ring.append(columns_of(rows))
    return ring


def small_config(**sections: dict[str, object]) -> Config:
    """Three short iterations of a tiny network, every iteration measured."""
    settings: dict[str, dict[str, object]] = {
        "run": {"seed": 5, "iterations": 3, "keep_checkpoints": 2, "torch_threads": 1},
        "selfplay": {"rounds": 10},
        "network": dict(SMALL),
        "training": {"epochs": 2, "batch_size": 32, "replay_rows": 250, "precision": "fp32"},
        "evaluation": {"every": 1, "deals": 11, "final_deals": 22},
        "promotion": {"enabled": False},
    }
    # Sizes of BlobNet mean nothing to networks of another kind.
    if "kind" in sections.get("network", {}):
        settings["network"] = {}
    for name, values in sections.items():
        settings[name] = settings.get(name, {}) | values
    return parse_config(settings, source="test")


def fingerprint(net: BlobNet) -> float:
    """A number that any change of the weights changes."""
    return float(sum(p.detach().double().cos().sum() for p in net.parameters()))


FAKE_SIZES = Sizes(batch_rows=30, rounds_in_flight=9, search_threads=1, evaluator_threads=2)


@dataclass
class FakeWorker:
    """Ten rows a round, drawn from seed, round and weights; in call `stop_at` it is interrupted instead."""

    stop_at: int | None = None
    calls: list[tuple[int, int, int]] = field(default_factory=list)
    fingerprints: list[float] = field(default_factory=list)
    searches: list[tuple[int | None, int | None]] = field(default_factory=list)
    begun: list[tuple[int, float]] = field(default_factory=list)

    def prepare(self, _net, _rounds):
        return FAKE_SIZES

    def begin(self, net, rounds):
        self.begun.append((rounds.first_round, fingerprint(net)))

    def learned(self, seconds):
        assert seconds > 0

    def play(self, net, rounds, *, progress):
        del progress
        if len(self.calls) == self.stop_at:
            raise KeyboardInterrupt
        self.calls.append((rounds.seed, rounds.first_round, rounds.rounds))
        self.searches.append((rounds.worlds, rounds.simulations))
        self.fingerprints.append(fingerprint(net))
        weights = int(abs(fingerprint(net)) * 1e6)
        rng = np.random.default_rng([rounds.seed, rounds.first_round, weights])
        rows = random_rows(rng, 10 * rounds.rounds, first_round=rounds.first_round)
        return SelfPlayResult(rows, rounds.rounds, None, seconds=1.0, batch_fill=0.25, points=5.0, exact=0.5)


@dataclass
class FakeJudge:
    """Gives every match the same difference and remembers who met whom."""

    difference: float = 1.0
    matches: list[tuple[object, int, int]] = field(default_factory=list)

    def match(self, _net, opponent, *, deals, seed):
        self.matches.append((opponent, deals, seed))
        side = Side(points=5.0, exact=0.5, over=0.25, under=0.25)
        low, high = self.difference - 0.5, self.difference + 0.5
        return MatchSummary(deals, side, side, self.difference, low, high, won=deals // 2 + 1, tied=0)


class SilentDisplay:
    """Keeps messages and rows."""

    def __init__(self):
        self.messages: list[str] = []
        self.rows: list[dict] = []

    def message(self, text):
        self.messages.append(text)

    def iteration_started(self, iteration, iterations):
        pass

    def self_play(self, progress, *, batch_rows, unit):
        pass

    def training(self, step, steps, loss):
        assert 1 <= step <= steps
        assert np.isfinite(loss)

    def judging(self, opponent):
        pass

    def iteration_done(self, row):
        self.rows.append(row)
