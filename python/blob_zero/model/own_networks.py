"""Networks of your own: any PyTorch module with the outputs of OutcomeNet or BlobNet, named `module:Class`."""

import importlib
import inspect
import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from blob_zero.errors import ConfigError
from blob_zero.model.blobnet import ACTIONS, FEATURES, SEATS, BlobNet, NetworkShape
from blob_zero.model.outcome_net import TRICKS, OutcomeNet, Outcomes, OutcomeShape

_ROWS = 2


class OwnOutcomeNet(OutcomeNet):
    """A module of your own as an OutcomeNet."""

    def __init__(self, own: nn.Module, shape: OutcomeShape) -> None:
        nn.Module.__init__(self)
        self.shape = shape
        self.own = own

    def forward(self, features: Tensor, *, detailed: int | None = None) -> Outcomes:
        """Judges positions, as `OutcomeNet.forward` does."""
        policy, values, make, *details = self.own(features)
        return Outcomes(policy, values, make, *(part[:detailed] for part in details))


class OwnBlobNet(BlobNet):
    """A module of your own as a BlobNet."""

    def __init__(self, own: nn.Module, shape: NetworkShape) -> None:
        nn.Module.__init__(self)
        self.shape = shape
        self.own = own

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Evaluates information states, as `BlobNet.forward` does."""
        logits, values = self.own(features)
        return logits, values


def own_network(shape: NetworkShape | OutcomeShape) -> OwnBlobNet | OwnOutcomeNet:
    """The network of the class that `shape.own` names, called with the sizes that it has parameters for.

    Raises:
        ConfigError: there is no such class, or its module has other outputs.
    """
    name = str(shape.own)
    cls, sizes = _find_class(name), shape._asdict()
    taken = inspect.signature(cls).parameters.values()
    takes_all = any(parameter.kind is parameter.VAR_KEYWORD for parameter in taken)
    names = {parameter.name for parameter in taken}
    given = {key: size for key, size in sizes.items() if key != "own" and (takes_all or key in names)}
    try:
        module = cls(**given)
    except TypeError as error:
        raise ConfigError(
            f"network {name!r} {given} is refused: {error}; its other parameters should have defaults"
        ) from error
    if isinstance(shape, OutcomeShape):
        _check_outputs(name, module, Outcomes._fields, _outcomes(), FEATURES)
        return OwnOutcomeNet(module, shape)
    _check_outputs(name, module, ("logits", "values"), [(ACTIONS,), (shape.values,)], FEATURES)
    return OwnBlobNet(module, shape)


def _outcomes() -> list[tuple[int, ...]]:
    return [(ACTIONS,), (SEATS,), (ACTIONS,), (TRICKS,), (ACTIONS,), (SEATS, TRICKS)]


def _find_class(name: str) -> type[nn.Module]:
    module_name, _, class_name = name.partition(":")
    # The working folder, as `python -m` has it; behind all else, so that no file there replaces a package.
    if str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"network {name!r}: {error}; {module_name} should be a module in this folder, on PYTHONPATH or installed"
        ) from error
    found = getattr(module, class_name, None)
    if not (isinstance(found, type) and issubclass(found, nn.Module)):
        raise ConfigError(f"network {name!r}: module {module_name} has no class {class_name!r} of torch.nn.Module")
    return found


def _check_outputs(
    name: str, module: nn.Module, outputs: tuple[str, ...], sizes: list[tuple[int, ...]], inputs: int
) -> None:
    """Asks for the outputs of two rows; PyTorch's random state is unchanged."""
    training = module.training
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        try:
            found: Any = module.eval()(torch.zeros(_ROWS, inputs))
        except (RuntimeError, TypeError) as error:
            raise ConfigError(f"network {name!r} cannot compute features [{_ROWS}, {inputs}]: {error}") from error
    module.train(training)
    expected = [[_ROWS, *size] for size in sizes]
    parts = list(found) if isinstance(found, tuple) else [found]
    shapes = [list(part.shape) if isinstance(part, Tensor) else type(part).__name__ for part in parts]
    if shapes != expected:
        wanted = ", ".join(f"{output} {size}" for output, size in zip(outputs, expected, strict=True))
        raise ConfigError(f"network {name!r} returns {shapes} for {_ROWS} rows; should be the tuple {wanted}")
    if not all(part.is_floating_point() for part in parts):
        raise ConfigError(f"network {name!r} returns {[str(part.dtype) for part in parts]}; should be floating point")
