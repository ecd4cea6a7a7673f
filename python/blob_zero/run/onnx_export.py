"""Networks written as ONNX files, and checked against PyTorch as they are written."""

import copy
import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from importlib.util import find_spec
from os import PathLike
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

import blob_zero as bz
from blob_zero.config.search_options import SearchOptions
from blob_zero.errors import BlobError, ConfigError, MissingPackageError
from blob_zero.inference.folded import FoldedNet
from blob_zero.inference.onnx_evaluator import ENCODING, SEARCH, OnnxEvaluator
from blob_zero.inference.plain import PlainNet
from blob_zero.model.blobnet import SEATS, BlobNet
from blob_zero.model.outcome_net import OutcomeNet, trick_chances
from blob_zero.run.atomic_files import write_atomically

TOLERANCE = 1e-5
"""Largest difference between onnxruntime and PyTorch, in policy and in values, both in fp32."""

_CHECKED_ROUNDS = 8

_LEAST = torch.finfo(torch.float32).min


def export_onnx(net: nn.Module, path: str | PathLike[str], *, search: SearchOptions | None = None) -> float:
    """Writes a network as an ONNX file, and checks the file against it.

    The file maps `features` float32[rows, 256] and `legal` bool[rows, 52] to `policy` float32[rows, 52], probabilities
    over the legal actions, and `values` float32[rows, 8]: the contract of `bz.Evaluator`. For an `OutcomeNet` it has
    two more outputs, which judge each action: `make` float32[rows, 52], the chance to make the bid, and `tricks`
    float32[rows, 52, 14], the distribution of the own tricks. Its metadata hold `blob_zero`, the version that wrote it,
    `encoding`, the version of the features, and `search`.

    Args:
        net: a `BlobNet` with 8 values, an `OutcomeNet`, or any module that maps features and legal to policy and values
            as above.
        path: the file.
        search: the search that the network was trained with; it becomes the search of the file in the arena. None is
            the default search, and none for an `OutcomeNet`.

    Returns:
        The largest difference between onnxruntime and PyTorch over some hundred positions.

    Raises:
        ConfigError: the network has another number of values.
        MissingPackageError: onnx, onnxscript or onnxruntime is not installed.
        BlobError: onnxruntime differs from PyTorch by more than `TOLERANCE`.
        CheckpointError: the file cannot be written.
    """
    for package in ("onnx", "onnxscript", "onnxruntime"):
        if find_spec(package) is None:
            raise MissingPackageError.of("an ONNX export", package, extra="onnx")
    # A copy: the caller's network stays on its device and in its mode.
    module, names = net, ["policy", "values"]
    if isinstance(net, OutcomeNet):
        module, names = _AsJudge(net), [*names, "make", "tricks"]
    elif isinstance(net, BlobNet):
        module = _AsEvaluator(net)
    module = copy.deepcopy(module).cpu().eval()
    features, legal = _positions()
    metadata = {"blob_zero": bz.__version__, ENCODING: str(bz.ENCODING_VERSION)}
    if search is not None or isinstance(net, OutcomeNet):
        metadata[SEARCH] = json.dumps(None if search is None else asdict(search))
    content = _serialized(module, names, metadata)
    with torch.inference_mode():
        expected = [part.float().numpy() for part in module(torch.from_numpy(features), torch.from_numpy(legal))]
    found = OnnxEvaluator(content, device="cpu").compute(names, features, legal)
    off = max(float(np.abs(mine - theirs).max()) for mine, theirs in zip(found, expected, strict=True))
    if not off <= TOLERANCE:
        raise BlobError(f"{path} is not written: onnxruntime differs from PyTorch by {off:.1e}, allowed is {TOLERANCE}")
    write_atomically(Path(path), content)
    return off


class _AsEvaluator(nn.Module):
    """A BlobNet in its form for inference, with the softmax over the legal actions."""

    scale: Tensor

    def __init__(self, net: BlobNet) -> None:
        super().__init__()
        if net.shape.values != SEATS:
            raise ConfigError(f"an evaluator has {SEATS} values; this network has values = {net.shape.values}")
        self.form = FoldedNet(net) if net.shape.own is None else PlainNet(net)
        self.form.load(net)
        self.register_buffer("scale", torch.from_numpy(bz.feature_scale()))

    def forward(self, features: Tensor, legal: Tensor) -> tuple[Tensor, Tensor]:
        """Maps features float32[B, 256] and legal bool[B, 52] to policy float32[B, 52] and values float32[B, 8]."""
        logits, values = self.form(features / self.scale)
        return _policy(logits, legal), values


class _AsJudge(nn.Module):
    """An OutcomeNet with its policy, and what it says of each action."""

    scale: Tensor

    def __init__(self, net: OutcomeNet) -> None:
        super().__init__()
        self.net = net
        self.register_buffer("scale", torch.from_numpy(bz.feature_scale()))

    def forward(self, features: Tensor, legal: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Maps features float32[B, 256] and legal bool[B, 52] to policy, values, make and tricks."""
        raw = torch.round(features / self.scale)
        outcomes = self.net(features)
        policy = _policy(outcomes.policy, legal)
        return policy, outcomes.values, torch.sigmoid(outcomes.make), trick_chances(outcomes, raw)


def _policy(logits: Tensor, legal: Tensor) -> Tensor:
    # The finite lowest number and not -inf, which would make a row without a legal action NaN.
    return torch.softmax(logits.masked_fill(~legal, _LEAST), dim=1) * legal


def _serialized(module: nn.Module, names: list[str], metadata: dict[str, str]) -> bytes:
    rows = torch.export.Dim("rows")
    # Two rows: a traced size of 1 would be taken for a constant.
    example = (torch.zeros(2, bz.FEATURES), torch.ones(2, bz.ACTIONS, dtype=torch.bool))
    with _quiet():
        program = torch.onnx.export(
            module,
            example,
            input_names=["features", "legal"],
            output_names=names,
            dynamic_shapes=({0: rows}, {0: rows}),
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    model = program.model_proto
    for key, value in metadata.items():
        model.metadata_props.add(key=key, value=value)
    content: bytes = model.SerializeToString()
    return content


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps the exporter's remarks about packages that it does not need off the screen."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _positions() -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """Features and legal actions of all decisions of some random rounds."""
    rng = np.random.default_rng(0)
    features, legal = [], []
    for number in range(_CHECKED_ROUNDS):
        players = 3 + number % 6
        round_ = bz.Round(players=players, cards=1 + 5 * number % 6, trump="S", dealer=0, seed=number)
        while actions := round_.legal_actions():
            observation = round_.observe()
            mask = np.zeros(bz.ACTIONS, np.bool_)
            mask[observation.encoded_actions()[actions]] = True
            features.append(observation.encode())
            legal.append(mask)
            round_.play(int(rng.choice(actions)))
    return np.stack(features), np.stack(legal)
