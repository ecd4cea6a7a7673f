"""BlobNet as an evaluator for the search: folded, and in the precision its device is fast in."""

import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

import blob_zero as bz
from blob_zero.cuda_batches import CudaBatches
from blob_zero.devices import auto_dtype, resolve_device
from blob_zero.errors import ConfigError
from blob_zero.folded_net import FoldedNet, PlainNet
from blob_zero.network import ACTIONS, FEATURES, SEATS, BlobNet
from blob_zero.packed_net import PackedNet, packing_works

Features = npt.NDArray[np.float32]
Legal = npt.NDArray[np.bool_]
Answer = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]
Forward = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
_LEAST = torch.finfo(torch.float32).min

CUDA_WORKERS = 3
"""Batches on a GPU at once: one is copied in, one is computed, one is copied out."""


class Batches(Protocol):
    """Evaluates whole batches of one size; several threads may call it."""

    def __call__(self, features: npt.NDArray[np.uint8], legal: Legal, /) -> Answer:
        """Policy float32[rows, 52] and values float32[rows, 8], in memory of their own."""


class Inference:
    """An evaluator for `Round` searches, `SelfPlay` and matches: a copy of a network, ready on a device.

    It keeps its own weights, so training can go on with the network it was made from; `load` brings them up
    to date. Several threads may call it at once, but not while `load` runs.

    On a CPU it wants `workers` threads with a batch each, and computes each batch on the thread that brings it.
    PyTorch's own threads would share one batch, and wait for each other at every operation: on two cores that is no
    faster, and where another process needs a core as well it is many times slower.

    Args:
        net: the network; it must have the 8 values the search needs.
        device: `auto` (CUDA if there is any), `cpu`, `cuda` or `cuda:N`.
        dtype: `auto`, `fp32`, `bf16` or `fp16`; the softmax over the legal actions is float32 in any case.
        fold: whether attention, feature scale and heads are folded; the function stays the same.
        pack: whether a folded network's matrices are laid out for the CPU's matrix units; no effect on a GPU.
        compile: whether torch.compile builds the network. `auto` does so on a GPU alone: on a CPU packing is faster.
        cuda_graphs: whether a GPU replays a recorded batch, instead of being told each operation.
        pinned: whether batches for a GPU lie in page-locked memory.
        copy_streams: whether a GPU copies batches in and out while it computes another.
        workers: threads that `drive` calls it from; if None, one for each of PyTorch's threads on a CPU, 3 on a GPU.

    Raises:
        ConfigError: the network has another number of values, or a setting is unknown.
        DeviceError: the device is not there; the message names what is.
    """

    def __init__(
        self,
        net: BlobNet,
        *,
        device: str = "cpu",
        dtype: Literal["auto", "fp32", "bf16", "fp16"] = "auto",
        fold: bool = True,
        pack: bool = True,
        compile: bool | Literal["auto"] = "auto",  # noqa: A002 - torch.compile's own word
        cuda_graphs: bool = True,
        pinned: bool = True,
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
        if compile not in (True, False, "auto"):
            raise ConfigError(f"inference compile {compile!r}: should be auto, true or false")
        self.dtype = _DTYPES[name]
        self.shape = net.shape
        on_cpu = self.device.type == "cpu"
        if workers is None:
            workers = torch.get_num_threads() if on_cpu else CUDA_WORKERS
        if workers < 1:
            raise ConfigError(f"inference workers {workers}: should be at least 1")
        self.workers = workers
        self.compiled = not on_cpu if compile == "auto" else compile
        self.packed = on_cpu and fold and pack and not self.compiled and packing_works(self.dtype)
        self._cuda = {"graphs": cuda_graphs, "pinned": pinned, "copy_streams": copy_streams}
        self._net: FoldedNet | PlainNet = FoldedNet(net) if fold else PlainNet(net)
        self._net.requires_grad_(requires_grad=False)
        self._net.to(self.device, self.dtype).eval()
        self._compiled: Forward | None = None
        self._by_rows: dict[int, Batches] = {}
        self._packed: dict[int, PackedNet] = {}
        self._preparing = threading.Lock()
        self.load(net)

    def prepare(self, rows: int) -> None:
        """Make ready for batches of so many rows: compile, record, warm up. The first such batch would do it else.

        Where compiling is impossible, a warning says why, once, and inference goes on without.
        """
        with self._preparing:
            if rows in self._by_rows:
                return
            try:
                self._by_rows[rows] = self._batches(rows)
            except Exception as error:
                if not self.compiled:
                    raise
                reason = str(error).strip().partition("\n")[0]
                warnings.warn(f"torch.compile failed ({reason}); inference goes on without it", stacklevel=3)
                self.compiled, self._compiled = False, None
                self._by_rows[rows] = self._batches(rows)

    def load(self, net: BlobNet) -> None:
        """Take new weights in place, so that compiled code, recorded graphs and fixed memory stay valid.

        Raises:
            ConfigError: the network has another shape.
        """
        if net.shape != self.shape:
            raise ConfigError(f"cannot load a network of {net.shape} into inference for {self.shape}")
        self._net.load(net)
        for packed in self._packed.values():
            packed.load()

    def __call__(self, features: Features, legal: Legal) -> Answer:
        """Evaluate scaled features float32[B, 256] with their legal actions bool[B, 52].

        Returns:
            Probabilities float32[B, 52] over the legal actions, summing to 1, and values float32[B, 8].
        """
        raw = torch.from_numpy(features / bz.feature_scale()).to(self.device)
        with torch.inference_mode():
            policy, values = self._forward(self._net)(raw, torch.from_numpy(np.array(legal)).to(self.device))
            return policy.cpu().numpy(), values.cpu().numpy()

    def evaluate_batch(self, features: npt.NDArray[np.uint8], legal: Legal) -> Answer:
        """Evaluate a whole batch buffer of raw features uint8[rows, 256] with bool[rows, 52].

        Rows past the filled ones may hold anything; a row without a legal action gets zeros for its policy.

        Returns:
            Policy float32[rows, 52] and values float32[rows, 8], in memory of their own.
        """
        rows = len(features)
        if rows not in self._by_rows:
            self.prepare(rows)
        return self._by_rows[rows](features, legal)

    def _batches(self, rows: int) -> Batches:
        """What evaluates batches of so many rows, warmed up."""
        if self.device.type == "cuda":
            forward = self._compiled_forward() if self.compiled else self._forward(self._net)
            return CudaBatches(forward, rows=rows, values=SEATS, device=self.device, slots=self.workers, **self._cuda)
        if self.packed:
            assert isinstance(self._net, FoldedNet)
            self._packed[rows] = PackedNet(self._net, rows=rows)
            forward = self._forward(self._packed[rows])
        else:
            forward = self._compiled_forward() if self.compiled else self._forward(self._net)
        return _CpuBatches(forward, rows=rows)

    def _compiled_forward(self) -> Forward:
        if self._compiled is None:
            self._compiled = torch.compile(self._forward(self._net), fullgraph=True, dynamic=False)
        return self._compiled

    def _forward(self, net: Callable[[Tensor], tuple[Tensor, Tensor]]) -> Forward:
        """From raw features and legal actions to probabilities and values."""
        dtype = self.dtype

        def forward(raw: Tensor, legal: Tensor) -> tuple[Tensor, Tensor]:
            logits, values = net(raw.to(dtype))
            # The finite lowest number and not -inf, which would make a row without a legal action NaN.
            policy = torch.softmax(logits.float().masked_fill(~legal, _LEAST), dim=1) * legal
            return policy, values.float()

        return forward


class _CpuBatches:
    """Batches on a CPU, each computed by the thread that brings it."""

    def __init__(self, forward: Forward, *, rows: int) -> None:
        self._forward = forward
        self._rows = rows
        self._local = threading.local()
        self(np.zeros((rows, FEATURES), np.uint8), np.zeros((rows, ACTIONS), np.bool_))

    def __call__(self, features: npt.NDArray[np.uint8], legal: Legal) -> Answer:
        # Views of the core's memory are read-only, which PyTorch has no notion of; a copy costs 1 % of a batch.
        if not hasattr(self._local, "features"):
            self._local.features = torch.zeros(self._rows, FEATURES, dtype=torch.uint8)
            self._local.legal = torch.zeros(self._rows, ACTIONS, dtype=torch.bool)
        np.copyto(self._local.features.numpy(), features)
        np.copyto(self._local.legal.numpy(), legal)
        with _one_thread(), torch.inference_mode():
            policy, values = self._forward(self._local.features, self._local.legal)
            return policy.numpy(), values.numpy()


@contextmanager
def _one_thread() -> Iterator[None]:
    """Lets PyTorch compute on the calling thread alone."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
