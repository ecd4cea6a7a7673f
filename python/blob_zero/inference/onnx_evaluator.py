"""An ONNX file as an evaluator, computed by onnxruntime."""

import json
from collections.abc import Sequence
from functools import cache
from os import PathLike, fspath
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from blob_zero import _core
from blob_zero.config.search_options import SearchOptions
from blob_zero.errors import CheckpointError, DeviceError, MissingPackageError
from blob_zero.inference.evaluator import Outputs

ENCODING, SEARCH = "encoding", "search"
"""Keys of a file's metadata."""

_INPUTS = {"features": [_core.FEATURES], "legal": [_core.ACTIONS]}
_OUTPUTS = {"policy": [_core.ACTIONS], "values": [_core.MAX_PLAYERS]}
_JUDGEMENTS = {"make": [_core.ACTIONS], "tricks": [_core.ACTIONS, 14]}
"""Inputs and outputs of a file, and what a file of an OutcomeNet has beside."""


class OnnxEvaluator:
    """An evaluator for searches, self-play and matches that computes an ONNX file as `export_onnx` writes it.

    Args:
        model: the file, or its content.
        device: `cpu`; `cuda` with onnxruntime-gpu; `auto` for CUDA where onnxruntime has it.
        threads: threads of onnxruntime on the CPU; one for each core if None.

    Raises:
        MissingPackageError: onnxruntime is not installed.
        CheckpointError: the file cannot be read, has other inputs or outputs, or is of another encoding.
        DeviceError: onnxruntime has no CUDA.
    """

    def __init__(self, model: Path | str | bytes, *, device: str = "auto", threads: int | None = None) -> None:
        try:
            import onnxruntime
        except ModuleNotFoundError as error:
            raise MissingPackageError.of("an .onnx file", "onnxruntime", extra="onnx") from error
        name = "the ONNX model" if isinstance(model, bytes) else str(model)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or 0
        # Waiting threads would otherwise keep the cores busy that the search needs.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        providers = _providers(device, onnxruntime.get_available_providers())
        try:
            content = model if isinstance(model, bytes) else Path(model).read_bytes()
            self._session = onnxruntime.InferenceSession(content, options, providers=providers)
        except OSError as error:
            raise CheckpointError(f"cannot read {name}: {error.strerror or error}") from error
        except Exception as error:  # onnxruntime's errors have no common class but this one
            raise CheckpointError(f"{name} is no ONNX model that onnxruntime can load: {error}") from error
        self._metadata: dict[str, str] = self._session.get_modelmeta().custom_metadata_map
        self._only_what_is_asked = onnxruntime.RunOptions()
        self._only_what_is_asked.only_execute_path_to_fetches = True
        self._check(name)
        self._scale = _core.feature_scale()

    @property
    def search(self) -> SearchOptions | None:
        """The search that the network was trained with; the default if the file does not say, None without one."""
        options = json.loads(self._metadata.get(SEARCH, "{}"))
        return None if options is None else SearchOptions(**options)

    def __call__(self, features: NDArray[np.float32], legal: NDArray[np.bool_], /) -> Outputs:
        """Evaluates scaled features float32[B, 256] with their legal actions bool[B, 52]."""
        policy, values = self.compute(["policy", "values"], features, legal)
        return policy, values

    @property
    def judges_actions(self) -> bool:
        """Whether it has the outputs `make` and `tricks`."""
        return _JUDGEMENTS.keys() <= {node.name for node in self._session.get_outputs()}

    def compute(
        self, outputs: Sequence[str], features: NDArray[np.float32], legal: NDArray[np.bool_]
    ) -> list[NDArray[np.float32]]:
        """The outputs of these names, and nothing else, for scaled features and legal actions."""
        inputs = {"features": features, "legal": legal}
        found: list[NDArray[np.float32]] = self._session.run(outputs, inputs, self._only_what_is_asked)
        return found

    def evaluate_batch(self, features: NDArray[np.uint8], legal: NDArray[np.bool_], /) -> Outputs:
        """Evaluates a whole batch buffer of raw features uint8[rows, 256] with bool[rows, 52]."""
        return self(features * self._scale, np.ascontiguousarray(legal))

    def _check(self, name: str) -> None:
        encoding = self._metadata.get(ENCODING)
        if encoding != str(_core.ENCODING_VERSION):
            raise CheckpointError(
                f"{name} is of encoding version {encoding}; this is version {_core.ENCODING_VERSION}: export it again"
            )
        nodes = [*self._session.get_inputs(), *self._session.get_outputs()]
        widths = {node.name: node.shape[1:] for node in nodes}
        expected = _INPUTS | _OUTPUTS
        if widths not in (expected, expected | _JUDGEMENTS):
            raise CheckpointError(f"{name} has the inputs and outputs {widths}; should be {expected}")


_T = TypeVar("_T")


def open_evaluator(evaluator: _T | str | PathLike[str]) -> _T | str | OnnxEvaluator:
    """The evaluator of an .onnx file, given by its path; anything else is returned unchanged.

    A file is read once, until it changes.

    Raises:
        MissingPackageError: onnxruntime is not installed.
        CheckpointError: the file cannot be used.
    """
    if not isinstance(evaluator, str | PathLike):
        return evaluator
    path = Path(fspath(evaluator))
    if path.suffix != ".onnx":
        return str(path)
    if not path.is_file():
        raise CheckpointError(f"there is no file {path}")
    return _opened(path.absolute(), path.stat().st_mtime_ns)


@cache
def _opened(path: Path, changed: int) -> OnnxEvaluator:
    del changed
    return OnnxEvaluator(path)


def _providers(device: str, available: list[str]) -> list[str]:
    cuda = "CUDAExecutionProvider"
    if device.startswith("cuda") and cuda not in available:
        raise DeviceError(
            f"device {device!r} of an .onnx file: onnxruntime has {', '.join(available)}; for a GPU "
            "install onnxruntime-gpu in place of onnxruntime"
        )
    on_gpu = device != "cpu" and cuda in available
    return [cuda, "CPUExecutionProvider"] if on_gpu else ["CPUExecutionProvider"]
