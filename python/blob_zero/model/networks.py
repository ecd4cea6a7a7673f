"""The networks of this package, by kind."""

from typing import Any, overload

import torch

from blob_zero.config.schema import Config
from blob_zero.model.blobnet import SEATS, BlobNet, NetworkShape
from blob_zero.model.outcome_net import OutcomeNet, OutcomeShape
from blob_zero.model.own_networks import own_network

Network = BlobNet | OutcomeNet
Shape = NetworkShape | OutcomeShape


def configured_shape(config: Config) -> Shape:
    """The shape that a run's settings ask for."""
    sizes = config.network
    if sizes.kind == "outcome":
        return OutcomeShape(width=sizes.width, layers=sizes.layers, own=sizes.own)
    return NetworkShape(values=SEATS, **sizes.model_dump(exclude={"kind"}))


def build_network(shape: Shape) -> Network:
    """A network of this shape, with weights from PyTorch's random state.

    Raises:
        ConfigError: a size that no network can have, or a class of your own that cannot be used.
    """
    if shape.own is not None:
        return own_network(shape)
    sizes = _sizes(shape)
    return OutcomeNet(**sizes) if isinstance(shape, OutcomeShape) else BlobNet(**sizes)


@overload
def seeded_network(shape: NetworkShape, *, seed: int) -> BlobNet: ...
@overload
def seeded_network(shape: Shape, *, seed: int) -> Network: ...
def seeded_network(shape: Shape, *, seed: int) -> Network:
    """An untrained network whose weights follow from the seed; PyTorch's random state is unchanged."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build_network(shape)


def copy_network(net: Network) -> Network:
    """A network of the same shape and weights on the CPU."""
    copy = build_network(net.shape)
    copy.load_state_dict(net.state_dict())
    return copy


def describe(shape: Shape) -> dict[str, Any]:
    """A shape as JSON holds it; `shape_of` reads it."""
    own = {} if shape.own is None else {"own": shape.own}
    return {"kind": "outcome" if isinstance(shape, OutcomeShape) else "blobnet", **_sizes(shape), **own}


def shape_of(description: dict[str, Any]) -> Shape:
    """The shape that `describe` described.

    Raises:
        TypeError: entries are missing or unknown.
        ValueError: the kind is unknown.
    """
    kind, sizes = description["kind"], {name: size for name, size in description.items() if name != "kind"}
    if kind == "outcome":
        return OutcomeShape(**sizes)
    if kind == "blobnet":
        return NetworkShape(**sizes)
    raise ValueError(f"unknown kind of network {kind!r}")


def _sizes(shape: Shape) -> dict[str, Any]:
    return {name: size for name, size in shape._asdict().items() if name != "own"}
