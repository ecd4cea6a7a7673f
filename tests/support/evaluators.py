"""Evaluators for tests: (features [B, 256], legal [B, 52]) -> (policy [B, 52], values [B, 8])."""

import numpy as np

import blob_zero as bz

_RANDOM = np.random.default_rng(20260101)
_MIX = _RANDOM.integers(1, 2**20, bz.FEATURES)
_PRIORS = _RANDOM.integers(1, 2**20, bz.ACTIONS)
_VALUES = _RANDOM.integers(1, 2**20, bz.MAX_PLAYERS)


def hash_bytes(raw):
    """Policy and values that depend on every byte of a row and on nothing else, in integers."""
    key = (raw.astype(np.int64) @ _MIX) % 1_000_003
    policy = (key[:, None] * _PRIORS % 97 + 1).astype(np.float32)
    policy /= policy.sum(axis=1, keepdims=True)
    values = (key[:, None] * _VALUES % 201 - 100).astype(np.float32) / 100
    return policy, values


def hashing():
    """An evaluator with firm, arbitrary opinions: a row's answer does not depend on its batch."""
    scale = bz.feature_scale()

    def evaluate(features, _legal):
        return hash_bytes(np.rint(features / scale))

    return evaluate


class HashingOfWholeBuffers:
    """The same opinions through `evaluate_batch`: bytes in, every row of the fixed shape."""

    def __init__(self):
        self.shapes = set()

    def evaluate_batch(self, features, legal):
        self.shapes.add((features.shape, features.dtype.name, legal.shape, legal.dtype.name))
        return hash_bytes(features)
