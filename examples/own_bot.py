"""Your own bot in the arena: a function of an observation, measured in a field with its 95 % interval.

python examples/own_bot.py --deals 200
"""

import argparse

import numpy as np

import blob_zero as bz
from blob_zero.arena.match import play_in_field
from blob_zero.arena.statistics import bootstrap_interval


def careful_bot(observation: bz.Observation, rng: np.random.Generator) -> int:
    """Tries each action in sampled deals, playing on at random, and takes the best mean of its own points."""
    seat, actions = observation.seat, observation.legal_actions()
    totals = np.zeros(len(actions))
    for world in observation.sample_rounds(8, seed=int(rng.integers(2**63))):
        for k, action in enumerate(actions):
            round_ = world.copy()
            round_.play(action)
            while round_.phase != "done":
                round_.play(bz.rule_action(round_.observe()))
            totals[k] += round_.scores()[seat]
    return actions[int(totals.argmax())]


def main() -> None:
    """Plays the bot in one seat among rule bots, on the same deals as a rule bot in that seat."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--deals", type=int, default=50)
    options = parser.parse_args()

    setting = {"players": 4, "cards": 3, "deals": options.deals, "seed": 1}
    rule = bz.Agent.rule()
    with_bot = play_in_field(bz.Agent.of_function(careful_bot), rule, **setting)
    without = play_in_field(None, rule, **setting)
    own = np.einsum("drr->dr", with_bot.points)
    differences = (own - without.points).mean(axis=1)
    low, high = bootstrap_interval(differences, np.random.default_rng(0))
    print(f"the bot makes {own.mean():.2f} points a round, the rule bot {without.points.mean():.2f} in the same seats")
    print(f"difference {differences.mean():+.2f} ({low:+.2f} to {high:+.2f})")


if __name__ == "__main__":
    main()
