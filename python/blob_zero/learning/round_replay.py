"""The rounds that a policy learns from: kept as they were played, drawn as rows."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

import blob_zero as bz
from blob_zero import _core
from blob_zero._core import PLAYERS_FEATURE
from blob_zero.config.schema import TrainingConfig
from blob_zero.config.search_options import POLICY_TEMPERATURE
from blob_zero.errors import CheckpointError, ConfigError
from blob_zero.inference.outcome_forms import OutcomeForm
from blob_zero.inference.plain import PlainNet
from blob_zero.learning.minibatches import Minibatches
from blob_zero.learning.replay import HELD_OUT_EVERY
from blob_zero.model.outcome_net import OutcomeNet

Rounds = Mapping[str, npt.NDArray[Any]]
"""Finished rounds by column, as `Records.rounds` has them."""

_DRAWN_AHEAD = 3
"""Minibatches that are rebuilt while others are learned from."""

_HELD_OUT_ROWS = 16_384
"""Rows measured on, the newest: enough for losses to 1 % and to bound the time."""

_HELD_OUT_BATCH = 4096


class OutcomeBatch(NamedTuple):
    """A minibatch of B decisions on the learner's device, with what came of them."""

    features: Tensor
    """float32[B, 256], scaled."""
    action: Tensor
    """int64[B], the action taken, in the encoding's names."""
    bid: Tensor
    """int64[B], the own bid; of a bid, the bid itself."""
    made: Tensor
    """float32[B], the chance that the bid is made: 1 or 0 as the round ended, or a judgement in between."""
    tricks: Tensor
    """int64[B, 8], tricks won in the end, by relative seat."""
    values: Tensor
    """float32[B, 8], values in the end, by relative seat."""
    players: Tensor
    """uint8[B]: seats in play."""

    @property
    def rows(self) -> int:
        """Number of rows, B."""
        return len(self.features)

    def split(self, parts: int) -> "list[OutcomeBatch]":
        """The batch in at most `parts` batches of equal size, except for a smaller last one."""
        size = -(-self.rows // parts)
        return [OutcomeBatch(*(column[start : start + size] for column in self)) for start in range(0, self.rows, size)]


class RoundReplay:
    """The newest rounds of at most `capacity` decisions; the oldest make room.

    A decision takes about 30 bytes, and 10 on disk, at 4 players with 5 cards (docs/training.md).

    Minibatches depend on the rounds and their order alone, so a replay that is filled again from files goes on like the
    one that wrote them.

    Attributes:
        capacity: the most decisions it holds.
        newest: decisions to learn from among the rounds added last.

    Raises:
        ConfigError: the capacity is below 1.
    """

    def __init__(self, capacity: int) -> None:
        if capacity < 1:
            raise ConfigError(f"replay capacity {capacity}: should be at least 1 row")
        self.capacity = capacity
        self.newest = 0
        self._store = _core.RoundStore(capacity, held_out_every=HELD_OUT_EVERY)

    def __len__(self) -> int:
        return self._store.decisions() + self._store.decisions(held_out=True)

    def append(self, rounds: Rounds) -> None:
        """Adds rounds."""
        self._store.add(dict(rounds))
        held_out = rounds["number"] % np.uint64(HELD_OUT_EVERY) == HELD_OUT_EVERY - 1
        self.newest = int(rounds["decisions"][~held_out].sum())

    def restore(self, rounds: Rounds, *, source: str) -> None:
        """Adds rounds that were read from a file.

        Raises:
            CheckpointError: they are no rounds.
        """
        try:
            self.append(rounds)
        except (ConfigError, KeyError) as error:
            raise CheckpointError(f"{source} does not hold finished rounds: {error}") from error

    def newest_of(self, rounds: Rounds) -> tuple[Rounds, int]:
        """The rounds, and how many decisions they have; the store keeps the newest of them."""
        return rounds, int(rounds["decisions"].sum(dtype=np.int64))

    def minibatches(
        self, rng: np.random.Generator, config: TrainingConfig, *, net: OutcomeNet, device: torch.device
    ) -> Minibatches:
        """Minibatches of decisions from all rounds: as many rows as the newest rounds have, times `reuse`.

        None comes twice in an iteration, unless more are drawn than there are.

        Args:
            rng: draws the rows.
            config: rows of a minibatch, `reuse` and `bootstrap`.
            net: its present weights judge the next decisions.
            device: of the minibatches.
        """
        there = self._store.decisions()
        size = config.batch_size
        if there < size:
            size = 1 << max(there.bit_length() - 1, 0)
        count = max(round(config.reuse * self.newest / size), 1) if there else 0
        drawn = rng.choice(there, size=count * size, replace=count * size > there) if count else np.empty(0, np.int64)
        return Minibatches(count, size, self._batches(drawn.reshape(-1, size), _Judge(net, config, device)))

    def held_out(self, *, device: torch.device) -> Iterator[OutcomeBatch]:
        """The newest decisions of held-out rounds, a batch at a time."""
        there = self._store.decisions(held_out=True)
        newest = np.arange(max(there - _HELD_OUT_ROWS, 0), there)
        for start in range(0, len(newest), _HELD_OUT_BATCH):
            rows = self._store.rows(newest[start : start + _HELD_OUT_BATCH], held_out=True)
            yield _on_device(rows, device)

    def _batches(self, drawn: npt.NDArray[np.int64], judge: "_Judge") -> Iterator[OutcomeBatch]:
        def build(decisions: npt.NDArray[np.int64]) -> OutcomeBatch:
            rows = self._store.rows(decisions, next_decision=judge.share > 0)
            return judge.judged(_on_device(rows, judge.device), rows)

        with ThreadPoolExecutor(1, thread_name_prefix="rows") as ahead:
            pending = [ahead.submit(build, decisions) for decisions in drawn[:_DRAWN_AHEAD]]
            for k in range(len(drawn)):
                batch = pending.pop(0).result()
                if k + _DRAWN_AHEAD < len(drawn):
                    pending.append(ahead.submit(build, drawn[k + _DRAWN_AHEAD]))
                yield batch


class _Judge:
    """Judges the next decision of a row's seat with the weights that the network has now."""

    def __init__(self, net: OutcomeNet, config: TrainingConfig, device: torch.device) -> None:
        self.share = config.bootstrap
        self.device = device
        self._form: OutcomeForm | PlainNet | None = None
        if self.share:
            form = OutcomeForm(net) if net.shape.own is None else PlainNet(net)
            self._form = form.requires_grad_(False).to(device, torch.bfloat16)
            self._form.load(net)

    def judged(self, batch: OutcomeBatch, rows: "_core._Rows") -> OutcomeBatch:
        """The batch, its targets mixed with judgements where the seat decides again."""
        if self._form is None:
            return batch
        raw, legal, again = (
            torch.from_numpy(rows[name]).to(self.device) for name in ("next_features", "next_legal", "decides_again")
        )
        with torch.inference_mode():
            logits, _ = self._form(raw.to(torch.bfloat16))
            policy = torch.softmax(logits.masked_fill(~legal, torch.finfo(torch.float32).min), dim=1)
            # Points over what the bid is worth are the chance to make it: the bid stands by then.
            chance = (policy * logits).sum(dim=1) * POLICY_TEMPERATURE / (10 + batch.bid)
            made = torch.where(again, self.share * chance + (1 - self.share) * batch.made, batch.made)
        return batch._replace(made=made.clone())


def _on_device(rows: "_core._Rows", device: torch.device) -> OutcomeBatch:
    scale = torch.from_numpy(bz.feature_scale()).to(device)
    raw, action, bid, tricks, values = (
        torch.from_numpy(rows[name]).to(device) for name in ("features", "action", "bid", "tricks", "values")
    )
    return OutcomeBatch(
        features=raw.float() * scale,
        action=action.long(),
        bid=bid.long(),
        made=(tricks[:, 0] == bid).float(),
        tricks=tricks.long(),
        values=values,
        players=raw[:, PLAYERS_FEATURE],
    )
