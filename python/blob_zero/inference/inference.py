"""A network as an evaluator for the search: folded, packed or compiled, in the precision that its device is fast in."""

import threading
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch

import blob_zero as bz
from blob_zero._core import Batch
from blob_zero.config.choices import Dtype, Switch
from blob_zero.errors import ConfigError, DeviceError, EvaluatorError
from blob_zero.inference.compilation import padded_rows, rounded_rows
from blob_zero.inference.cuda_lane import CudaLane
from blob_zero.inference.device_errors import is_memory_shortage
from blob_zero.inference.devices import auto_dtype, auto_workers, resolve_device
from blob_zero.inference.evaluator import Outputs
from blob_zero.inference.folded import FoldedNet
from blob_zero.inference.forward import Form, Forward
from blob_zero.inference.gpu import Gpu, gpu
from blob_zero.inference.host_lane import HostLane
from blob_zero.inference.lane import BatchArrays, Features, Lane, Legal
from blob_zero.inference.outcome_forms import OutcomeForm, PackedOutcomeNet
from blob_zero.inference.packed import PackedNet
from blob_zero.inference.packing import packing_obstacle
from blob_zero.inference.page_locks import PageLocks, page_locks
from blob_zero.inference.plain import PlainNet
from blob_zero.machine.spinning import share_cores_with_others
from blob_zero.model.blobnet import SEATS, BlobNet
from blob_zero.model.networks import Network
from blob_zero.model.outcome_net import OutcomeNet

_T = TypeVar("_T")
_WORDS: dict[type[Form], str] = {
    FoldedNet: "folded",
    PlainNet: "plain",
    PackedNet: "folded, packed",
    OutcomeForm: "plain",
    PackedOutcomeNet: "packed",
}
_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class Inference:
    """An evaluator for `Round` searches, `SelfPlay` and matches: a copy of a network, ready on a device.

    It keeps its own weights, so the network that it was made from can be trained further; `load` takes new weights.
    Several threads may call it at once, but none during a `load`.

    On a CPU it is called by `workers` threads, each of which computes a batch alone. On a GPU the copies of one worker
    overlap with the computation of another. Where the memory is too small for a batch, a warning says so and batches
    are computed in parts from then on, with the same outputs up to rounding.

    Args:
        net: the network; it must have the 8 values that the search needs.
        device: `auto` (CUDA if there is any), `cpu`, `cuda` or `cuda:N`.
        dtype: `auto`, `fp32`, `bf16` or `fp16`; the softmax over the legal actions is always float32.
        fold: whether attention, feature scale and heads are folded; the function stays the same.
        pack: whether a folded network's weights are laid out for the CPU's matrix units. Auto: wherever that is
            possible and the network is not compiled.
        compile: whether torch.compile builds the network, for each of a few fixed numbers of rows. Auto: on CUDA only;
            on a CPU packing is faster and takes no time. Where it fails, a warning names the cause and the network runs
            without.
        cuda_graphs: on CUDA, whether the work of a batch is captured once and replayed with one launch.
        pinned_memory: on CUDA, whether batches are copied from page-locked memory, beside other work. The core's own
            memory is page-locked while a session plays.
        copy_streams: on CUDA, whether copies have streams of their own and overlap with other batches' computation.
        workers: threads that call it; None for the number that suits the device (`auto_workers`).

    Raises:
        ConfigError: the network has another number of values, the dtype is unknown, or two settings exclude each other.
        DeviceError: the device is not there; the message names those that are.
    """

    def __init__(
        self,
        net: Network,
        *,
        device: str = "cpu",
        dtype: Dtype = "auto",
        fold: bool = True,
        pack: Switch = "auto",
        compile: Switch = "auto",  # noqa: A002 - torch.compile's own word
        cuda_graphs: bool = True,
        pinned_memory: bool = True,
        copy_streams: bool = True,
        workers: int | None = None,
    ) -> None:
        if isinstance(net, BlobNet) and net.shape.values != SEATS:
            raise ConfigError(
                f"the search needs a value for each of {SEATS} relative seats; "
                f"this network has values = {net.shape.values}"
            )
        self.device = resolve_device(device)
        self.dtype = _torch_dtype(dtype, self.device)
        self.workers = auto_workers(self.device.type) if workers is None else workers
        if self.workers < 1:
            raise ConfigError(f"inference workers {workers}: should be at least 1")
        self.shape = net.shape
        compiles = self.device.type == "cuda" if compile == "auto" else compile
        self._gpu: Gpu | None = gpu(self.device) if self.device.type == "cuda" else None
        share_cores_with_others()
        self._lane_options = {"graphs": cuda_graphs, "pinned": pinned_memory, "copy_streams": copy_streams}
        form = _form(net, self.device, self.dtype, fold=fold, pack=pack, compiles=compiles)
        self._forward = Forward(form, dtype=self.dtype, device=self.device, compile=compiles)
        self._idle: defaultdict[int, list[Lane]] = defaultdict(list)
        self._lane_rows: dict[int, int] = {}
        self._lock = threading.Lock()
        self.load(net)

    @property
    def form(self) -> str:
        """How the network is computed, in words: `folded, packed, torch.bfloat16`."""
        weights = _WORDS[type(self._forward.net)]
        graphs = ", CUDA graphs" if self._gpu is not None and self._lane_options["graphs"] else ""
        return f"{weights}{', compiled' if self._forward.compiled else ''}{graphs}, {self.dtype}"

    def load(self, net: Network) -> None:
        """Takes new weights in place, so that compiled code, captured graphs and fixed memory stay valid.

        Raises:
            ConfigError: the network has another shape.
        """
        if net.shape != self.shape:
            raise ConfigError(f"cannot load a network of {net.shape} into inference for {self.shape}")
        with self._on_device():
            # A form of the same kind: their shapes are equal.
            self._forward.net.load(net)  # type: ignore[arg-type]
            if self._gpu is not None:
                # The streams of batches do not wait for this one.
                torch.cuda.synchronize(self.device)

    def prepare(self, rows: int) -> None:
        """Compiles, captures and warms up for batches of `rows` rows and every worker, before anything is timed.

        Raises:
            ConfigError: fewer than 1 row.
            DeviceError: the memory is too small for a single row.
        """
        if rows < 1:
            raise ConfigError(f"inference for batches of {rows} rows: should be at least 1")

        def add_lane(size: int) -> None:
            lane = self._new_lane(size)
            # A batch without any position: rows without a legal action are harmless.
            features, legal = np.zeros((size, bz.FEATURES), np.uint8), np.zeros((size, bz.ACTIONS), np.bool_)
            lane.evaluate(_with_room(features, legal), locked=False)
            self._idle[size].append(lane)

        while len(self._idle[self._rows_of_lanes(rows)]) < self.workers:
            self._retrying(rows, add_lane)

    def __call__(self, features: npt.NDArray[np.float32], legal: Legal) -> Outputs:
        """Evaluates scaled features float32[B, 256] with their legal actions bool[B, 52].

        Returns:
            Probabilities float32[B, 52] over the legal actions, summing to 1, and values float32[B, 8].

        Raises:
            EvaluatorError: the network's outputs are not finite.
        """
        rows = len(features)
        room = rounded_rows(rows)
        raw, mask = np.zeros((room, bz.FEATURES), np.float32), np.zeros((room, bz.ACTIONS), np.bool_)
        np.divide(features, bz.feature_scale(), out=raw[:rows])
        mask[:rows] = legal
        with self._on_device(), torch.inference_mode():
            answer = self._forward.plain(torch.from_numpy(raw).to(self.device), torch.from_numpy(mask).to(self.device))
            policy, values = (part[:rows].cpu().numpy() for part in answer)
        _check_finite(policy, values)
        return policy, values

    def evaluate_batch(self, features: Features, legal: Legal) -> Outputs:
        """Evaluates a whole batch buffer of raw features uint8[rows, 256] with bool[rows, 52].

        Rows past the filled ones may hold anything; a row without a legal action gets zeros for its policy.

        Returns:
            Policy float32[rows, 52] and values float32[rows, 8], in memory of their own.

        Raises:
            EvaluatorError: the network's outputs are not finite.
            DeviceError: the memory is too small for a single row.
        """
        batch = _with_room(features, legal)
        self._evaluate(batch, locked=False)
        return batch.policy, batch.values

    @contextmanager
    def in_place(self) -> Iterator[Callable[[Batch], None]]:
        """See `InPlaceEvaluator`; the function raises what `evaluate_batch` raises."""
        locks = nullcontext() if self._gpu is None or not self._lane_options["pinned"] else page_locks(self._gpu)
        with locks as locked:
            yield partial(self._evaluate_in_place, locked)

    def _evaluate_in_place(self, locks: PageLocks | None, batch: Batch) -> None:
        arrays = BatchArrays(batch.features, batch.legal, batch.policy, batch.values)
        self._evaluate(arrays, locked=locks is not None and locks.lock(batch.memory))

    def _evaluate(self, batch: BatchArrays, *, locked: bool) -> None:
        self._retrying(len(batch.features), partial(self._evaluate_in_parts, batch, locked))
        _check_finite(batch.policy, batch.values)

    def _evaluate_in_parts(self, batch: BatchArrays, locked: bool, size: int) -> None:
        """Evaluates the rows with one lane, in several parts if the lane is smaller."""
        with self._lane(size) as lane:
            for start in range(0, len(batch.features), size):
                lane.evaluate(batch.part(slice(start, start + size)), locked=locked)

    @contextmanager
    def _lane(self, size: int) -> Iterator[Lane]:
        """A lane of `size` rows that no other thread uses."""
        with self._lock:
            idle = self._idle[size]
            lane = idle.pop() if idle else None
        if lane is None:
            lane = self._new_lane(size)
        yield lane
        # Not after an error: what it left in the lane's memory is unknown.
        with self._lock:
            self._idle[size].append(lane)

    def _new_lane(self, size: int) -> Lane:
        if self._gpu is None:
            return HostLane(size, SEATS, forward=self._forward)
        return CudaLane(size, SEATS, forward=self._forward, gpu=self._gpu, **self._lane_options)

    def _rows_of_lanes(self, rows: int) -> int:
        """Rows of the lanes that batches of `rows` rows go through."""
        return self._lane_rows.get(rows) or (padded_rows(rows) if self._forward.compiled else rows)

    def _retrying(self, rows: int, attempt: Callable[[int], _T]) -> _T:
        """Calls `attempt` with the rows of a lane, fewer each time the memory is too small."""
        while True:
            size = self._rows_of_lanes(rows)
            try:
                return attempt(size)
            except Exception as error:
                if not is_memory_shortage(error):
                    raise
                if size == 1:
                    raise DeviceError(
                        f"the memory of {self.device} is exhausted by evaluating a single row: "
                        "other processes should leave it more, or the network should be smaller"
                    ) from error
            # Out here the error, whose traceback holds the memory of the failed attempt, is gone.
            self._halve(rows, size)

    def _halve(self, rows: int, size: int) -> None:
        """Lets batches of `rows` rows go through lanes of half the size; of threads that fail together one does."""
        with self._lock:
            if self._rows_of_lanes(rows) != size:
                return
            self._lane_rows[rows] = half = -(-size // 2)
            self._idle.pop(size, None)
        if self._gpu is not None:
            torch.cuda.empty_cache()
        warnings.warn(
            f"the memory of {self.device} is exhausted: batches of {rows:,} rows are evaluated {half:,} rows at a time "
            "from here on, with the same results up to rounding",
            RuntimeWarning,
            stacklevel=4,
        )

    @contextmanager
    def _on_device(self) -> Iterator[None]:
        """Makes the device the thread's current one."""
        if self._gpu is None:
            yield
        else:
            with self._gpu.use():
                yield


def _torch_dtype(name: str, device: torch.device) -> torch.dtype:
    chosen = auto_dtype(device) if name == "auto" else name
    if chosen not in _DTYPES:
        raise ConfigError(f"inference dtype {name!r}: should be auto, {', '.join(_DTYPES)}")
    return _DTYPES[chosen]


def _form(net: Network, device: torch.device, dtype: torch.dtype, *, fold: bool, pack: Switch, compiles: bool) -> Form:
    """A copy of the network in the form that the settings ask for."""
    if pack is True and (not fold or compiles):
        other = "compile = true" if compiles else "fold = false"
        raise ConfigError(f"inference pack = true and {other} exclude each other: should be one of them or auto")
    module: FoldedNet | PlainNet | OutcomeForm
    match net:
        case _ if net.shape.own is not None:
            module = PlainNet(net)
        case OutcomeNet():
            module = OutcomeForm(net)
        case BlobNet():
            module = FoldedNet(net) if fold else PlainNet(net)
    module.requires_grad_(False)
    module.to(device, dtype).eval()
    if isinstance(module, PlainNet) or compiles or not pack:
        return module
    obstacle = packing_obstacle(device, dtype)
    if obstacle is None:
        return PackedOutcomeNet(module) if isinstance(module, OutcomeForm) else PackedNet(module)
    if pack is True:
        raise ConfigError(f"inference pack = true: {obstacle}; should be auto or false here")
    return module


def _with_room(features: Features, legal: Legal) -> BatchArrays:
    """A batch with outputs in memory of their own."""
    rows = len(features)
    return BatchArrays(features, legal, np.empty((rows, bz.ACTIONS), np.float32), np.empty((rows, SEATS), np.float32))


def _check_finite(policy: npt.NDArray[np.float32], values: npt.NDArray[np.float32]) -> None:
    """Refuses outputs that are not finite: a NaN would spread through the search's means unseen."""
    # A sum is finite only if all terms are; no array of flags is made.
    if not np.isfinite(policy.sum(dtype=np.float64) + values.sum(dtype=np.float64)):
        wrong = ~np.isfinite(np.concatenate([policy, values], axis=1)).all(axis=1)
        raise EvaluatorError(
            f"the network's outputs are not finite in {wrong.sum()} of {len(policy)} rows, first in row "
            f"{int(wrong.argmax())}; its weights should be finite and within the range of the inference dtype"
        )
