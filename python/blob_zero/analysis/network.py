"""A network as a judge: what it predicts of every action, at one evaluation for each position."""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from blob_zero import _core
from blob_zero.analysis.judge import Floats, Judgement
from blob_zero.inference.evaluator import Evaluator, Outputs
from blob_zero.inference.inference import Inference
from blob_zero.inference.onnx_evaluator import OnnxEvaluator
from blob_zero.model.outcome_net import OutcomeNet, bids_of_actions, trick_chances

_BATCH_ROWS = 32
"""Rows of every batch: one shape, so that a judgement does not depend on the positions beside it."""

# Places in the encoding (docs/observation.md).
_WON, _CARDS, _TRICK_POINTS = 193, 229, 255


Predicted = tuple[Floats, Floats, Floats, Floats]
"""For B positions the chance to make the bid after each action, [B, 52], the own tricks, [B, 52, 14], values, [B, 8],
and the policy's logits, [B, 52]."""


class NetworkJudge:
    """Judges by an OutcomeNet. Its policy is the one that the network plays.

    Expected points of the other seats are those of the position, whatever the action.

    Args:
        name: how a user names it.
        net: the network, or the ONNX file of one; it is evaluated on the CPU in float32.
    """

    def __init__(self, name: str, net: OutcomeNet | OnnxEvaluator) -> None:
        self.name = name
        if isinstance(net, OnnxEvaluator):
            self._predict: Callable[[NDArray[np.uint8]], Predicted] = partial(_predict_by_onnx, net)
            self._evaluate: Evaluator = net
        else:
            self._predict = partial(_predict, net.float().eval())
            self._evaluate = Inference(net, device="cpu", dtype="fp32")

    def evaluator(self, features: NDArray[np.float32], legal: NDArray[np.bool_]) -> Outputs:
        """The network as a search asks it."""
        padding = ((0, -len(features) % _BATCH_ROWS), (0, 0))
        padded, mask = np.pad(features, padding), np.pad(legal, padding)
        parts = [
            self._evaluate(padded[start : start + _BATCH_ROWS], mask[start : start + _BATCH_ROWS])
            for start in range(0, len(padded), _BATCH_ROWS)
        ]
        policy, values = (np.concatenate(outputs)[: len(features)] for outputs in zip(*parts, strict=True))
        return policy, values

    def judge(self, observations: Sequence[_core.Observation]) -> list[Judgement]:
        """The judgement of each observation."""
        found: list[Judgement] = []
        for start in range(0, len(observations), _BATCH_ROWS):
            found += self._judge(observations[start : start + _BATCH_ROWS])
        return found

    def _judge(self, observations: Sequence[_core.Observation]) -> list[Judgement]:
        raw = np.zeros((_BATCH_ROWS, _core.FEATURES), np.uint8)
        raw[: len(observations)] = [observation.encode_bytes() for observation in observations]
        make, tricks, values, logits = self._predict(raw)
        bids = bids_of_actions(torch.from_numpy(raw)).double().numpy()
        return [
            _judgement(observation, raw[row], tricks[row], make[row], bids[row], values[row], logits[row])
            for row, observation in enumerate(observations)
        ]


@torch.inference_mode()
def _predict(net: OutcomeNet, raw: NDArray[np.uint8]) -> Predicted:
    outcomes = net(torch.from_numpy(raw * _core.feature_scale()))
    tricks = trick_chances(outcomes, torch.from_numpy(raw)).double().numpy()
    make, values, logits = torch.sigmoid(outcomes.make.double()), outcomes.values.double(), outcomes.policy.double()
    return make.numpy(), tricks, values.numpy(), logits.numpy()


def _predict_by_onnx(evaluator: OnnxEvaluator, raw: NDArray[np.uint8]) -> Predicted:
    legal = np.ones((len(raw), _core.ACTIONS), np.bool_)
    outputs = evaluator.compute(["make", "tricks", "values", "policy"], raw * _core.feature_scale(), legal)
    make, tricks, values, policy = (part.astype(np.float64) for part in outputs)
    return make, tricks, values, np.log(np.maximum(policy, np.finfo(np.float32).tiny))


def _judgement(
    observation: _core.Observation,
    raw: NDArray[np.uint8],
    tricks: Floats,
    make: Floats,
    bids: Floats,
    values: Floats,
    logits: Floats,
) -> Judgement:
    actions = observation.legal_actions()
    places = observation.encoded_actions()[actions]
    bid = bids[places].astype(np.int64)
    tricks = _possible(tricks[places], make[places], bid, won=int(raw[_WON]), left=len(observation.hand))
    make = tricks[np.arange(len(actions)), bid]
    points = 10 * make + (tricks @ np.arange(tricks.shape[1]) if raw[_TRICK_POINTS] else make * bid)
    weights = np.exp(logits[places] - logits[places].max())
    players, cards = int(raw[_core.PLAYERS_FEATURE]), int(raw[_CARDS])
    by_seat = np.roll((values[:players] + 1) / 2 * (10 + cards), observation.seat)
    seat_points = np.tile(by_seat, (len(actions), 1))
    seat_points[:, observation.seat] = points
    return Judgement(
        actions=tuple(actions),
        policy=weights / weights.sum(),
        points=points,
        make=make,
        tricks=tricks,
        seat_points=seat_points,
        evaluations=1,
    )


def _possible(tricks: Floats, make: Floats, bids: NDArray[np.int64], *, won: int, left: int) -> Floats:
    """The distributions without what can no longer be: fewer tricks than won, more than cards are left for.

    The chance to make the bid stays, unless it is such a number itself.
    """
    counts = np.arange(tricks.shape[1])
    possible = (won <= counts) & (counts <= won + left)
    is_bid = counts == bids[:, None]
    missed = np.where(possible & ~is_bid, tricks, 0.0)
    total = missed.sum(axis=1, keepdims=True)
    # Where only the bid is possible, it is made.
    made = np.where(possible[bids], np.where(total[:, 0] > 0, make, 1.0), 0.0)
    return np.where(is_bid, made[:, None], missed * (1 - made[:, None]) / np.maximum(total, 1e-300))
