"""Rounds of two sizes that were played by an even policy, and batches of their decisions."""

import numpy as np
import torch

import blob_zero as bz
from blob_zero.config.schema import TrainingConfig
from blob_zero.config.search_options import PolicyOptions
from blob_zero.learning.round_replay import OutcomeBatch, RoundReplay
from blob_zero.model.networks import seeded_network
from blob_zero.model.outcome_net import OutcomeNet, OutcomeShape

CPU = torch.device("cpu")


def even(features, legal):
    return legal / legal.sum(axis=1, keepdims=True).astype(np.float32), np.zeros((len(features), 8), np.float32)


def played(rounds=60, first_round=0, **options):
    return bz.SelfPlay(
        shapes=[(3, 4, 1.0), (5, 3, 1.0)],
        policy=PolicyOptions(),
        rounds=rounds,
        first_round=first_round,
        seed=3,
        batch_rows=64,
        **options,
    ).run(even)


def network(seed=1) -> OutcomeNet:
    net = seeded_network(OutcomeShape(width=16, layers=1), seed=seed)
    assert isinstance(net, OutcomeNet)
    return net


def judge(rows, after):
    """Numbers that tell the decisions apart, and their actions: each is as good as its name is high."""
    own = rows["features"][:, :52].sum(axis=1).astype(np.float32)
    advantage = np.zeros(rows["legal"].shape, np.float32)
    advantage[after["decision"], after["action"]] = after["action"] / np.float32(26) - 1
    taken = advantage[np.arange(len(own)), rows["action"]]
    return {
        "log_probability": -own,
        "value": own / 13,
        "taken_value": own / 13 + taken,
        "make_error": np.zeros_like(own),
        "advantage": advantage.astype(np.float16),
        "squares": np.square(advantage, dtype=np.float64).sum(axis=1),
    }


def batches(replay: RoundReplay, seed=0, epochs=1, critic_warms_up=False, **settings) -> list[OutcomeBatch]:
    config = TrainingConfig(batch_size=32, **settings)
    drawn = replay.minibatches(
        np.random.default_rng(seed),
        config,
        judge=judge,
        critic_warms_up=critic_warms_up,
        device=CPU,
        epochs=epochs,
        entropy_weight=0.25,
    )
    found = list(drawn.batches)
    assert len(found) == drawn.total
    assert all(batch.rows == drawn.size for batch in found)
    return found
