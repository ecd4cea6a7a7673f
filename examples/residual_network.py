"""Your own network, trained by `blob-zero train` in place of OutcomeNet.

python examples/residual_network.py --iterations 20

From this folder, the command line and Python find it by its name:

    blob-zero train --preset quick --network residual_network:ResidualNet --run-dir runs/residual
    blob-zero arena runs/residual runs/quick rule
"""

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from rich.console import Console
from torch import nn
from torch.nn import functional

import blob_zero as bz
from blob_zero.cli.plain_display import PlainDisplay
from blob_zero.config.load import load_config, preset_path
from blob_zero.learning.loop import train

SIZES = {"policy": 52, "values": 8, "make": 52, "missed": 14, "lean": 52, "tricks": 8 * 14}
"""The outputs of an OutcomeNet, in their order; `blob_zero.model.outcome_net.Outcomes` says what they mean."""


class ResidualNet(nn.Module):
    """Residual blocks with layer norm, of the width and number that `[network]` sets."""

    def __init__(self, width: int = 256, layers: int = 3) -> None:
        super().__init__()
        self.embed = nn.Linear(256, width)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width))
            for _ in range(layers)
        )
        self.heads = nn.Linear(width, sum(SIZES.values()))
        nn.init.normal_(self.heads.weight, std=0.01)

    def forward(self, features):
        """Maps scaled features float32[B, 256] to the outputs of an OutcomeNet."""
        x = functional.relu(self.embed(features))
        for block in self.blocks:
            x = x + block(x)
        policy, values, make, missed, lean, tricks = self.heads(x).split(list(SIZES.values()), dim=1)
        return policy, torch.tanh(values), make, missed, lean, tricks.unflatten(1, (8, 14))


def main() -> None:
    """Trains it by the preset `quick`, and plays a match with it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--iterations", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=15000, help="of each iteration")
    parser.add_argument("--deals", type=int, default=100)
    parser.add_argument("--run-dir", type=Path, help="a folder to keep the run in")
    options = parser.parse_args()

    config = load_config(
        preset_path("quick"),
        [
            "network.own=residual_network:ResidualNet",
            f"run.iterations={options.iterations}",
            f"selfplay.rounds={options.rounds}",
            f"evaluation.final_deals={options.deals}",
        ],
    )
    with TemporaryDirectory() as temporary:
        run = options.run_dir or Path(temporary) / "run"
        for comparison in train(config, run, display=PlainDisplay(Console())):
            match = comparison.match
            print(f"{match.difference:+.2f} ({match.low:+.2f} to {match.high:+.2f}) against {comparison.opponent}")
        player = bz.Player(run, search=None)  # the run names its network, wherever it is read
        round_ = bz.Round(players=4, cards=5, trump="S", dealer=3, seed=7)
        print(f"it holds {' '.join(round_.hand(0))} and bids {player.choose(round_.observe())}")


if __name__ == "__main__":
    main()
