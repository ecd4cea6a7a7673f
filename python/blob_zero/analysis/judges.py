"""Judges by name, each read once."""

import re
import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from blob_zero import _core
from blob_zero.analysis.judge import MAX_WORLDS, Judge, Judgement, PlayoutJudge
from blob_zero.errors import ConfigError
from blob_zero.inference.evaluator import Evaluator

DEFAULT_JUDGE = "shipped"
"""The network that comes with blob-zero."""

PLAYOUTS = "flat:64"
"""A judge that needs no network."""

_KEPT = 4
"""Judges kept in memory; a network of another request is read again."""


class Judges:
    """The judges that requests name. The newest few are kept."""

    def __init__(self) -> None:
        self._judges: OrderedDict[str, Judge] = OrderedDict()

    def get(self, name: str) -> Judge:
        """The judge of a name.

        Raises:
            ConfigError: there is none of that name.
            CheckpointError: its network cannot be read.
        """
        if name not in self._judges:
            self._judges[name] = read_judge(name)
        self._judges.move_to_end(name)
        if len(self._judges) > _KEPT:
            self._judges.popitem(last=False)
        return self._judges[name]


def read_judge(name: str) -> Judge:
    """The judge of a name: `shipped`, `flat:W`, or the path of a network.

    Raises:
        ConfigError: there is none of that name.
        CheckpointError: its network cannot be read.
    """
    flat = re.fullmatch(r"flat:([1-9]\d{0,4})", name)
    if flat is not None:
        return PlayoutJudge(int(flat[1]))
    path = None if name == DEFAULT_JUDGE else Path(name)
    if path is not None and (name.startswith("flat:") or "\0" in name or not path.exists()):
        raise ConfigError(
            f"unknown net {name[:80]!r}; it is {DEFAULT_JUDGE}, the path of a run, a checkpoint, a weights file or an "
            f".onnx file, or flat:W, such as {PLAYOUTS}, W at most {MAX_WORLDS}"
        )
    # PyTorch takes seconds to import, and playouts need none of it.
    from blob_zero.analysis.network import NetworkJudge
    from blob_zero.inference.onnx_evaluator import OnnxEvaluator
    from blob_zero.model.outcome_net import OutcomeNet
    from blob_zero.run.weights_file import load_network

    if path is not None and path.suffix == ".onnx":
        file = OnnxEvaluator(path, device="cpu")
        if not file.judges_actions:
            raise ConfigError(f"{name[:80]} has no outputs make and tricks; only the file of an OutcomeNet has them")
        return NetworkJudge(name, file)
    net = load_network(path)
    if not isinstance(net, OutcomeNet):
        raise ConfigError(f"{name[:80]} is a {type(net).__name__}; only an OutcomeNet says what comes of each action")
    return NetworkJudge(name, net)


class DeferredJudge:
    """A judge that is read when it is first asked, so that a game need not wait for PyTorch.

    Args:
        name: its name, which is not checked before.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._lock = threading.Lock()
        self._judge: Judge | None = None

    def read(self) -> Judge:
        """Reads the judge, unless it was read before."""
        with self._lock:
            self._judge = self._judge or read_judge(self.name)
            return self._judge

    @property
    def evaluator(self) -> Literal["rollout"] | Evaluator:
        """The judge's own."""
        return self.read().evaluator

    def judge(self, observations: Sequence[_core.Observation]) -> list[Judgement]:
        """The judgement of each observation."""
        return self.read().judge(observations)
