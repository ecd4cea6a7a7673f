"""BlobNet as an evaluator for the search: folded, and in the precision its device is fast in."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

import blob_zero as bz
from blob_zero.devices import auto_dtype, resolve_device
from blob_zero.errors import ConfigError
from blob_zero.network import ACTIONS, FEATURES, SEATS, BlobNet, EncoderLayer

Features = npt.NDArray[np.float32]
Legal = npt.NDArray[np.bool_]
Answer = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
_LEAST = torch.finfo(torch.float32).min


class _FoldedLayer(nn.Module):
    """An encoder layer whose attention and residual are one linear map, W_o W_v + I."""

    def __init__(self, *, width: int, feed_forward: int) -> None:
        super().__init__()
        self.attention = nn.Linear(width, width)
        self.norm1 = nn.LayerNorm(width)
        self.linear1 = nn.Linear(width, feed_forward)
        self.linear2 = nn.Linear(feed_forward, width)
        self.norm2 = nn.LayerNorm(width)

    def load(self, layer: EncoderLayer) -> None:
        weight, bias = (part.double() for part in layer.value_projection())
        out_weight = layer.self_attn.out_proj.weight.double()
        out_bias = layer.self_attn.out_proj.bias.double()
        identity = torch.eye(len(bias), dtype=torch.float64, device=bias.device)
        self.attention.weight.copy_(out_weight @ weight + identity)
        self.attention.bias.copy_(out_weight @ bias + out_bias)
        for name in ("norm1", "linear1", "linear2", "norm2"):
            _copy(getattr(self, name), getattr(layer, name))

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm1(self.attention(x))
        output: Tensor = self.norm2(x + self.linear2(functional.relu(self.linear1(x))))
        return output


class FoldedNet(nn.Module):
    """BlobNet for inference: the same function of raw uint8 features, in fewer and larger operations.

    Attention over one token is linear, so W_o W_v + I replaces it and its residual; the feature scale goes
    into the first layer, the position into the first norm, and the first layers of both heads are one.
    """

    def __init__(self, net: BlobNet) -> None:
        super().__init__()
        shape = net.shape
        self.policy_hidden = shape.policy_hidden
        self.embed = nn.Linear(FEATURES, shape.width)
        self.embed_norm = nn.LayerNorm(shape.width)
        self.layers = nn.ModuleList(
            _FoldedLayer(width=shape.width, feed_forward=shape.feed_forward) for _ in range(shape.layers)
        )
        self.heads = nn.Linear(shape.width, shape.policy_hidden + shape.value_hidden)
        self.policy = nn.Linear(shape.policy_hidden, ACTIONS)
        self.value = nn.Linear(shape.value_hidden, shape.values)

    @torch.no_grad()
    def load(self, net: BlobNet) -> None:
        """Take the weights of a network of the same shape, in place."""
        scale = torch.from_numpy(bz.feature_scale()).to(net.embed.weight.device)
        self.embed.weight.copy_(net.embed.weight.double() * scale.double())
        self.embed.bias.copy_(net.embed.bias)
        self.embed_norm.weight.copy_(net.embed_norm.weight)
        self.embed_norm.bias.copy_(net.embed_norm.bias + net.position)
        for folded, layer in zip(self.layers, net.layers, strict=True):
            assert isinstance(folded, _FoldedLayer)
            assert isinstance(layer, EncoderLayer)
            folded.load(layer)
        for mine, policy, value in zip(
            self.heads.parameters(),
            net.policy_head[0].parameters(),
            net.value_head[0].parameters(),
            strict=True,
        ):
            mine.copy_(torch.cat([policy, value]))
        _copy(self.policy, net.policy_head[2])
        _copy(self.value, net.value_head[2])

    def forward(self, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Map raw features [B, 256], in the network's dtype, to logits [B, 52] and values [B, values]."""
        x = self.embed_norm(self.embed(raw))
        for layer in self.layers:
            x = layer(x)
        hidden = functional.relu(self.heads(x))
        policy_hidden, value_hidden = hidden[:, : self.policy_hidden], hidden[:, self.policy_hidden :]
        return self.policy(policy_hidden), torch.tanh(self.value(value_hidden))


class PlainNet(nn.Module):
    """BlobNet as it was trained, behind the interface of `FoldedNet`, which is checked against it."""

    scale: Tensor

    def __init__(self, net: BlobNet) -> None:
        super().__init__()
        self.net = BlobNet(**net.shape._asdict())
        self.register_buffer("scale", torch.from_numpy(bz.feature_scale()))

    @torch.no_grad()
    def load(self, net: BlobNet) -> None:
        """Take the weights of a network of the same shape, in place."""
        for mine, theirs in zip(self.net.parameters(), net.parameters(), strict=True):
            mine.copy_(theirs)

    def forward(self, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Map raw features [B, 256], in the network's dtype, to logits [B, 52] and values [B, values]."""
        output: tuple[Tensor, Tensor] = self.net(raw * self.scale)
        return output


class _Buffers:
    """Host memory for batches of one size, page-locked where the device reads it directly."""

    def __init__(self, rows: int, *, values: int, pinned: bool) -> None:
        self.rows = rows
        self.features = torch.zeros(rows, FEATURES, dtype=torch.uint8, pin_memory=pinned)
        self.legal = torch.zeros(rows, ACTIONS, dtype=torch.bool, pin_memory=pinned)
        self.policy = torch.zeros(rows, ACTIONS, pin_memory=pinned)
        self.values = torch.zeros(rows, values, pin_memory=pinned)


class Inference:
    """An evaluator for `Round` searches, `SelfPlay` and matches: a copy of a network, ready on a device.

    It keeps its own weights, so training can go on with the network it was made from; `load` brings them up
    to date. Several threads may call it at once.

    On a CPU it wants `workers` threads with a batch each, and computes each batch on the thread that brings it.
    PyTorch's own threads would share one batch, and wait for each other at every operation: on two cores that is no
    faster, and where another process needs a core as well it is many times slower.

    Args:
        net: the network; it must have the 8 values the search needs.
        device: `auto` (CUDA if there is any), `cpu`, `cuda` or `cuda:N`.
        dtype: `auto`, `fp32`, `bf16` or `fp16`; the softmax over the legal actions is float32 in any case.
        fold: whether attention, feature scale and heads are folded; the function stays the same.
        compile: whether torch.compile builds the network at the first batch of each size.
        workers: threads that `drive` calls it from; on a CPU one for each of PyTorch's threads if None, else 1.

    Raises:
        ConfigError: the network has another number of values, or the dtype is unknown.
        DeviceError: the device is not there; the message names what is.
    """

    def __init__(
        self,
        net: BlobNet,
        *,
        device: str = "cpu",
        dtype: Literal["auto", "fp32", "bf16", "fp16"] = "auto",
        fold: bool = True,
        compile: bool = False,  # noqa: A002 - torch.compile's own word
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
        self.dtype = _DTYPES[name]
        self.shape = net.shape
        self._net: FoldedNet | PlainNet = FoldedNet(net) if fold else PlainNet(net)
        self._net.requires_grad_(False)
        self._net.to(self.device, self.dtype).eval()
        self.load(net)
        self._forward: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]] = (
            torch.compile(self._evaluate, fullgraph=True, dynamic=False) if compile else self._evaluate
        )
        if workers is None:
            workers = torch.get_num_threads() if self.device.type == "cpu" else 1
        if workers < 1:
            raise ConfigError(f"inference workers {workers}: should be at least 1")
        self.workers = workers
        self._local = threading.local()

    def load(self, net: BlobNet) -> None:
        """Take new weights in place, so that compiled code and fixed memory stay valid.

        Raises:
            ConfigError: the network has another shape.
        """
        if net.shape != self.shape:
            raise ConfigError(f"cannot load a network of {net.shape} into inference for {self.shape}")
        self._net.load(net)

    def __call__(self, features: Features, legal: Legal) -> Answer:
        """Evaluate scaled features float32[B, 256] with their legal actions bool[B, 52].

        Returns:
            Probabilities float32[B, 52] over the legal actions, summing to 1, and values float32[B, 8].
        """
        raw = torch.from_numpy(features / bz.feature_scale()).to(self.device)
        with torch.inference_mode():
            policy, values = self._evaluate(raw, torch.from_numpy(np.array(legal)).to(self.device))
            return policy.cpu().numpy(), values.cpu().numpy()

    def evaluate_batch(self, features: npt.NDArray[np.uint8], legal: Legal) -> Answer:
        """Evaluate a whole batch buffer of raw features uint8[rows, 256] with bool[rows, 52].

        Rows past the filled ones may hold anything; a row without a legal action gets zeros for its policy.

        Returns:
            Policy float32[rows, 52] and values float32[rows, 8], in memory of their own.
        """
        buffers = self._buffers_for(len(features))
        np.copyto(buffers.features.numpy(), features)
        np.copyto(buffers.legal.numpy(), legal)
        if self.device.type == "cpu":
            with _one_thread(), torch.inference_mode():
                policy, values = self._forward(buffers.features, buffers.legal)
                return policy.numpy(), values.numpy()
        # One fixed shape a run: the place where a captured CUDA graph would be replayed.
        with torch.inference_mode():
            policy, values = self._forward(
                buffers.features.to(self.device, non_blocking=True),
                buffers.legal.to(self.device, non_blocking=True),
            )
            buffers.policy.copy_(policy, non_blocking=True)
            buffers.values.copy_(values, non_blocking=True)
            torch.cuda.current_stream(self.device).synchronize()
        # The next batch writes the page-locked memory again, perhaps before this answer is read.
        return buffers.policy.numpy().copy(), buffers.values.numpy().copy()

    def _evaluate(self, raw: Tensor, legal: Tensor) -> tuple[Tensor, Tensor]:
        logits, values = self._net(raw.to(self.dtype))
        # The finite lowest number and not -inf, which would make a row without a legal action NaN.
        policy = torch.softmax(logits.float().masked_fill(~legal, _LEAST), dim=1) * legal
        return policy, values.float()

    def _buffers_for(self, rows: int) -> _Buffers:
        """This thread's memory for batches of so many rows."""
        buffers: _Buffers | None = getattr(self._local, "buffers", None)
        if buffers is None or buffers.rows != rows:
            buffers = _Buffers(rows, values=self.shape.values, pinned=self.device.type == "cuda")
            self._local.buffers = buffers
        return buffers


@contextmanager
def _one_thread() -> Iterator[None]:
    """Lets PyTorch compute on the calling thread alone."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _copy(target: nn.Module, source: nn.Module) -> None:
    for mine, theirs in zip(target.parameters(), source.parameters(), strict=True):
        mine.copy_(theirs)
