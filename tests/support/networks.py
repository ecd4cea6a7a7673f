"""Networks, rows and the evaluator's contract written out, for the tests of inference."""

import numpy as np
import torch

import blob_zero as bz
from blob_zero.model.blobnet import BlobNet
from blob_zero.model.networks import seeded_network
from support.training_fakes import random_rows


def network(*, seed: int = 3, **sizes: int) -> BlobNet:
    """Untrained weights with moved biases and norms, so that a fold that forgets one shows."""
    net = seeded_network(BlobNet(**sizes).shape, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in net.parameters():
            if parameter.ndim == 1:
                parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator))
    return net


def varied_rows(count: int):
    """Random rows whose game context differs too."""
    rows = random_rows(np.random.default_rng(0), count)
    rows.features[:, 239:253] = np.random.default_rng(1).integers(0, 256, (count, 14))
    return rows


def by_hand(net, features, legal):
    """The contract, written out: softmax over the legal actions of the plain network's logits."""
    with torch.no_grad():
        logits, values = net(torch.from_numpy(features * bz.feature_scale()))
    weights = np.exp(logits.numpy().astype(np.float64)) * legal
    return weights / weights.sum(axis=1, keepdims=True), values.numpy()
