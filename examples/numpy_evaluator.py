"""An evaluator in numpy: bids by counting strong cards, judges every seat the same, and lets the search do the rest.

python examples/numpy_evaluator.py --deals 200
"""

import argparse

import numpy as np

import blob_zero as bz

# Places in the encoding (docs/observation.md).
HAND, BIDDING, CARDS = slice(0, 52), 225, 229
FACES = np.array([0, 0, 0, 0, 0, 0, 0, 0, 0.1, 0.2, 0.4, 0.6, 0.9])
TRUMPS = np.array([0.2, 0.2, 0.2, 0.3, 0.3, 0.4, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0])
STRENGTH = np.concatenate([TRUMPS, FACES, FACES, FACES])  # trump comes first in the encoding


def evaluator(features, legal):
    """Maps features float32[B, 256] and legal bool[B, 52] to policy float32[B, 52] and values float32[B, 8]."""
    expected = features[:, HAND] @ STRENGTH  # tricks that the hand should win
    bids = np.exp(-2 * (np.arange(52) - expected[:, None]) ** 2)
    cards = np.ones((len(features), 52))
    weights = np.where(features[:, BIDDING, None] > 0, bids, cards) * legal + 1e-6 * legal
    values = np.zeros((len(features), 8), np.float32)  # 0 is half of the most points
    return (weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-9)).astype(np.float32), values


def main() -> None:
    """Lets the evaluator play alone and with a search, against random play and the rule bot."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--deals", type=int, default=100)
    options = parser.parse_args()

    agents = {
        "its policy": bz.Agent.policy(evaluator),
        "with a search": bz.Agent.network(evaluator, worlds=5, simulations=20),
    }
    for name, agent in agents.items():
        for opponent in (bz.Agent.random(), bz.Agent.rule()):
            match = bz.play_match(agent, opponent, players=4, cards=5, deals=options.deals, seed=1)
            own = np.einsum("drr->dr", match.points)  # the agent's seat in each rotation
            others = (match.points.sum(axis=2) - own) / 3
            print(f"{name} against {opponent.kind}: {own.mean():.2f} : {others.mean():.2f} points a round")


if __name__ == "__main__":
    main()
