"""Your own network, trained in plain PyTorch on rounds of a search, played in a match and exported to ONNX.

python examples/own_network.py --rounds 20000 --out net.onnx
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import nn

import blob_zero as bz
from blob_zero.run.onnx_export import export_onnx


class OwnNet(nn.Module):
    """Any module that maps features and legal actions to a policy and eight values."""

    def __init__(self, width: int = 128) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(256, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU())
        self.policy = nn.Linear(width, 52)
        self.values = nn.Linear(width, 8)

    def forward(self, features, legal):
        """Maps float32[B, 256] and bool[B, 52] to policy float32[B, 52] and values float32[B, 8]."""
        x = self.body(features)
        logits = self.policy(x).masked_fill(~legal, torch.finfo(torch.float32).min)
        return torch.softmax(logits, dim=1), torch.tanh(self.values(x))

    @torch.inference_mode()
    def evaluate(self, features, legal):
        """The same for numpy arrays: an evaluator for searches and matches."""
        policy, values = self(torch.from_numpy(features), torch.from_numpy(legal))
        return policy.numpy(), values.numpy()


def train(net: OwnNet, records: bz.Records, *, epochs: int) -> float:
    """Fits the search's policy and the rounds' results; returns the last epoch's loss."""
    features = torch.from_numpy(records.features * bz.feature_scale())
    legal = torch.from_numpy(records.legal)
    policy, values = torch.from_numpy(records.policy.astype(np.float32)), torch.from_numpy(records.values)
    optimizer = torch.optim.AdamW(net.parameters(), lr=2e-3)
    for _ in range(epochs):
        losses = []
        for batch in torch.randperm(len(features)).split(512):
            predicted, judged = net(features[batch], legal[batch])
            cross_entropy = -(policy[batch] * (predicted + 1e-9).log()).sum(dim=1).mean()
            loss = cross_entropy + (judged[:, :4] - values[batch, :4]).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    return float(np.mean(losses))


def main() -> None:
    """Plays, trains, exports and measures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3000)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--deals", type=int, default=100)
    parser.add_argument("--out", type=Path, help="an ONNX file to write; it needs blob-zero[onnx]")
    options = parser.parse_args()

    torch.manual_seed(0)
    torch.set_num_threads(1)  # the network is too small for more to help
    search = bz.SelfPlay(players=4, cards=3, worlds=5, simulations=20, rounds=options.rounds, seed=0)
    records = search.run("rollout")
    net = OwnNet()
    print(f"{len(records.features):,} decisions; loss {train(net, records, epochs=options.epochs):.3f}")
    match = bz.play_match(
        bz.Agent.policy(net.evaluate), bz.Agent.random(), players=4, cards=3, deals=options.deals, seed=1
    )
    own = np.einsum("drr->dr", match.points)  # the network's seat in each rotation
    others = (match.points.sum(axis=2) - own) / 3
    print(f"the network makes {own.mean():.2f} points a round, random play {others.mean():.2f}")
    if options.out is not None:
        off = export_onnx(net, options.out)
        print(f"{options.out}: onnxruntime and PyTorch differ by {off:.0e} at most")
        print(f"blob-zero arena {options.out} rule --cards 3")


if __name__ == "__main__":
    main()
