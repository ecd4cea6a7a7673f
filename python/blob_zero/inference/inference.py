"""BlobNet as an evaluator for the search: folded, packed or compiled, and in the precision its device is fast in."""

import threading
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

import blob_zero as bz
from blob_zero.errors import ConfigError, EvaluatorError
from blob_zero.inference.devices import auto_dtype, auto_workers, resolve_device
from blob_zero.inference.folded import FoldedNet, PlainNet
from blob_zero.inference.lanes import Answer, CudaRuntime, DeviceLane, HostLane, Lane, Legal
from blob_zero.inference.packed import PackedNet, packing_obstacle
from blob_zero.model.blobnet import SEATS, BlobNet

Features = npt.NDArray[np.float32]
Switch = Literal["auto"] | bool
Network = FoldedNet | PlainNet | PackedNet

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
_LEAST = torch.finfo(torch.float32).min


class Inference:
    """An evaluator for `Round` searches, `SelfPlay` and matches: a copy of a network, ready on a device.

    It keeps its own weights, so training can go on with the network it was made from; `load` brings them up
    to date. Several threads may call it at once, but none during a `load`.

    On a CPU it wants `workers` threads with a batch each, and computes each batch on the thread that brings it. On a
    GPU the workers' copies and computations overlap.

    Args:
        net: the network; it must have the 8 values the search needs.
        device: `auto` (CUDA if there is any), `cpu`, `cuda` or `cuda:N`.
        dtype: `auto`, `fp32`, `bf16` or `fp16`; the softmax over the legal actions is float32 in any case.
        fold: whether attention, feature scale and heads are folded; the function stays the same.
        pack: whether a folded network's weights are laid out for the CPU's matrix units. Auto: wherever they can be and
            the network is not compiled.
        compile: whether torch.compile builds the network, once for each number of rows. Auto: on CUDA only; on a CPU
            packing is faster and costs no time. Where it fails, a warning says why and the network runs without.
        cuda_graphs: on CUDA, whether the work of a batch is captured once and replayed with one launch.
        pinned_memory: on CUDA, whether batches are copied from page-locked memory, beside other work.
        copy_streams: on CUDA, whether copies have streams of their own and overlap with other batches' computation.
        workers: threads that `drive` calls it from; those of `auto_workers` if None.

    Raises:
        ConfigError: the network has another number of values, the dtype is unknown, or two settings exclude each other.
        DeviceError: the device is not there; the message names what is.
    """

    def __init__(
        self,
        net: BlobNet,
        *,
        device: str = "cpu",
        dtype: Literal["auto", "fp32", "bf16", "fp16"] = "auto",
        fold: bool = True,
        pack: Switch = "auto",
        compile: Switch = "auto",  # noqa: A002 - torch.compile's own word
        cuda_graphs: bool = True,
        pinned_memory: bool = True,
        copy_streams: bool = True,
        workers: int | None = None,
    ) -> None:
        if net.shape.values != SEATS:
            raise ConfigError(
                f"the search needs a value for each of {SEATS} relative seats; "
                f"this network has values = {net.shape.values}"
            )
        self.device = resolve_device(device)
        name = auto_dtype(self.device) if dtype == "auto" else dtype
        if name not in _DTYPES:
            raise ConfigError(f"inference dtype {dtype!r}: should be auto, {', '.join(_DTYPES)}")
        if workers is None:
            workers = auto_workers(self.device.type)
        if workers < 1:
            raise ConfigError(f"inference workers {workers}: should be at least 1")
        self.workers = workers
        self.dtype = _DTYPES[name]
        self.shape = net.shape
        self._compile = self.device.type == "cuda" if compile == "auto" else compile
        self._compiled_rows: set[int] = set()
        self._net = self._network(net, fold=fold, pack=pack)
        self._runtime = (
            CudaRuntime(self.device, graphs=cuda_graphs, pinned=pinned_memory, copy_streams=copy_streams)
            if self.device.type == "cuda"
            else None
        )
        self._idle: defaultdict[int, list[Lane]] = defaultdict(list)
        self._lock = threading.Lock()
        self.load(net)

    @property
    def steps(self) -> str:
        """What makes it fast, in words: `folded, packed, torch.bfloat16`."""
        form = {FoldedNet: "folded", PlainNet: "plain", PackedNet: "folded, packed"}[type(self._net)]
        graphs = ", CUDA graphs" if self._runtime is not None and self._runtime.graphs else ""
        return f"{form}{', compiled' if self._compile else ''}{graphs}, {self.dtype}"

    def load(self, net: BlobNet) -> None:
        """Take new weights in place, so that compiled code, captured graphs and fixed memory stay valid.

        Raises:
            ConfigError: the network has another shape.
        """
        if net.shape != self.shape:
            raise ConfigError(f"cannot load a network of {net.shape} into inference for {self.shape}")
        self._net.load(net)
        if self.device.type == "cuda":
            # The streams of batches do not wait for this one.
            torch.cuda.synchronize(self.device)

    def prepare(self, rows: int) -> None:
        """Compile, capture and warm up for batches of so many rows, for every worker, before anything is timed.

        Raises:
            ConfigError: fewer than 1 row.
        """
        if rows < 1:
            raise ConfigError(f"inference for batches of {rows} rows: should be at least 1")
        while len(self._idle[rows]) < self.workers:
            lane = self._new_lane(rows)
            # The shapes of a batch without any position: a row without a legal action is harmless.
            lane.evaluate(np.zeros((rows, bz.FEATURES), np.uint8), np.zeros((rows, bz.ACTIONS), np.bool_))
            self._idle[rows].append(lane)

    def __call__(self, features: Features, legal: Legal) -> Answer:
        """Evaluate scaled features float32[B, 256] with their legal actions bool[B, 52].

        Returns:
            Probabilities float32[B, 52] over the legal actions, summing to 1, and values float32[B, 8].

        Raises:
            EvaluatorError: the network's outputs are not finite.
        """
        raw = torch.from_numpy(features / bz.feature_scale()).to(self.device)
        with torch.inference_mode():
            policy, values = _answer(self._net, raw, torch.from_numpy(np.array(legal)).to(self.device), self.dtype)
            return _finite(policy.cpu().numpy(), values.cpu().numpy())

    def evaluate_batch(self, features: npt.NDArray[np.uint8], legal: Legal) -> Answer:
        """Evaluate a whole batch buffer of raw features uint8[rows, 256] with bool[rows, 52].

        Rows past the filled ones may hold anything; a row without a legal action gets zeros for its policy.

        Returns:
            Policy float32[rows, 52] and values float32[rows, 8], in memory of their own.

        Raises:
            EvaluatorError: the network's outputs are not finite.
        """
        with self._lane(len(features)) as lane:
            return _finite(*lane.evaluate(features, legal))

    def _network(self, net: BlobNet, *, fold: bool, pack: Switch) -> Network:
        if pack is True and (not fold or self._compile):
            other = "compile = true" if self._compile else "fold = false"
            raise ConfigError(f"inference pack = true and {other} exclude each other: should be one of them or auto")
        module: FoldedNet | PlainNet = FoldedNet(net) if fold else PlainNet(net)
        module.requires_grad_(False)
        module.to(self.device, self.dtype).eval()
        if not isinstance(module, FoldedNet) or self._compile or not pack:
            return module
        obstacle = packing_obstacle(self.device, self.dtype)
        if obstacle is None:
            return PackedNet(module)
        if pack is True:
            raise ConfigError(f"inference pack = true: {obstacle}; should be auto or false here")
        return module

    @contextmanager
    def _lane(self, rows: int) -> Iterator[Lane]:
        """A lane that no other thread uses, for batches of so many rows."""
        with self._lock:
            idle = self._idle[rows]
            lane = idle.pop() if idle else None
        if lane is None:
            lane = self._new_lane(rows)
        yield lane
        # Not after an error: what it left in the lane's memory is unknown.
        with self._lock:
            self._idle[rows].append(lane)

    def _new_lane(self, rows: int) -> Lane:
        if self._runtime is None:
            return HostLane(rows, self.shape.values, forward=self._forward)
        return DeviceLane(rows, self.shape.values, forward=self._forward, runtime=self._runtime)

    def _forward(self, raw: Tensor, legal: Tensor) -> tuple[Tensor, Tensor]:
        if not self._compile:
            return _answer(self._net, raw, legal, self.dtype)
        if len(raw) in self._compiled_rows:
            return _compiled()(self._net, raw, legal, self.dtype)
        try:
            answer = _compiled()(self._net, raw, legal, self.dtype)
        except torch.OutOfMemoryError:
            raise
        except Exception as error:
            # Compilers fail in as many ways as there are machines: none there, an old one, a full disk, a bug.
            answer = _answer(self._net, raw, legal, self.dtype)
            self._compile = False
            cause = str(error).strip().partition("\n")[0]
            warnings.warn(
                f"cannot compile the network for {self.device}, going on without: {type(error).__name__}: {cause}",
                RuntimeWarning,
                stacklevel=2,
            )
            return answer
        self._compiled_rows.add(len(raw))
        return answer


def _answer(net: Network, raw: Tensor, legal: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Policy float32[B, 52] over the legal actions and values float32[B, values] for raw features [B, 256]."""
    logits, values = net(raw.to(dtype))
    # The finite lowest number and not -inf, which would make a row without a legal action NaN.
    policy = torch.softmax(logits.float().masked_fill(~legal, _LEAST), dim=1) * legal
    return policy, values.float()


@cache
def _compiled() -> Callable[[Network, Tensor, Tensor, torch.dtype], tuple[Tensor, Tensor]]:
    """`_answer`, compiled. One for all: networks of the same shape, whose weights are inputs, share the code."""
    return torch.compile(_answer, fullgraph=True, dynamic=False)


def _finite(policy: npt.NDArray[np.float32], values: npt.NDArray[np.float32]) -> Answer:
    """The answer as it is, if all of it is finite: a NaN would spread through the search's means unseen."""
    # A sum is finite only if all terms are; no array of flags is made.
    if not np.isfinite(policy.sum(dtype=np.float64) + values.sum(dtype=np.float64)):
        wrong = ~np.isfinite(np.concatenate([policy, values], axis=1)).all(axis=1)
        raise EvaluatorError(
            f"the network's outputs are not finite in {wrong.sum()} of {len(policy)} rows, first in row "
            f"{int(wrong.argmax())}; its weights should be finite and within the range of the inference dtype"
        )
    return policy, values
