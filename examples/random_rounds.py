"""Random rounds: how the rules are used, and what random play scores.

python examples/random_rounds.py --rounds 10000
"""

import argparse
import time

import numpy as np

import blob_zero as bz


def play_round(seed: int, rng: np.random.Generator, *, players: int, cards: int) -> list[int]:
    """Plays one round at random; returns the points of each seat."""
    round_ = bz.Round(players=players, cards=cards, trump="S", dealer=seed % players, seed=seed)
    while legal := round_.legal_actions():
        round_.play(int(rng.choice(legal)))
    return round_.scores()


def main() -> None:
    """Plays rounds and prints points and speed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--players", type=int, default=4)
    parser.add_argument("--cards", type=int, default=5)
    options = parser.parse_args()

    rng = np.random.default_rng(0)
    started = time.perf_counter()
    points = [play_round(seed, rng, players=options.players, cards=options.cards) for seed in range(options.rounds)]
    seconds = time.perf_counter() - started
    print(f"points a round by seat: {np.mean(points, axis=0).round(2)}")
    print(f"{60 * options.rounds / seconds:,.0f} rounds a minute in Python; the core plays them on all cores:")
    match = bz.play_match(
        bz.Agent.random(), bz.Agent.random(), players=options.players, cards=options.cards, deals=options.rounds, seed=0
    )
    print(f"{match.stats.rounds_per_minute:,.0f} rounds a minute")


if __name__ == "__main__":
    main()
