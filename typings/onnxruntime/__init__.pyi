from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

class SessionOptions:
    intra_op_num_threads: int
    def add_session_config_entry(self, key: str, value: str) -> None: ...

class RunOptions:
    only_execute_path_to_fetches: bool

class NodeArg:
    name: str
    shape: list[int | str]

class ModelMetadata:
    custom_metadata_map: dict[str, str]

class InferenceSession:
    def __init__(self, model: bytes, options: SessionOptions, *, providers: Sequence[str]) -> None: ...
    def get_inputs(self) -> list[NodeArg]: ...
    def get_outputs(self) -> list[NodeArg]: ...
    def get_modelmeta(self) -> ModelMetadata: ...
    def run(
        self, outputs: Sequence[str], inputs: dict[str, NDArray[Any]], options: RunOptions | None = None
    ) -> list[NDArray[np.float32]]: ...

def get_available_providers() -> list[str]: ...
