"""Judges by name, each read once."""

import re
from collections import OrderedDict
from pathlib import Path

from blob_zero.analysis.judge import MAX_WORLDS, Judge, PlayoutJudge
from blob_zero.errors import ConfigError

DEFAULT_JUDGE = "flat:64"

REVIEW_JUDGE = "flat:400"
"""The judge of hints and reviews: one decision at a time, so more worlds cost little."""

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
    """The judge of a name: `flat:W`, or the path of a network.

    Raises:
        ConfigError: there is none of that name.
        CheckpointError: its network cannot be read.
    """
    flat = re.fullmatch(r"flat:([1-9]\d{0,4})", name)
    if flat is not None:
        return PlayoutJudge(int(flat[1]))
    path = Path(name)
    if name.startswith("flat:") or "\0" in name or not path.exists():
        raise ConfigError(
            f"unknown net {name[:80]!r}; it is the path of a run, a checkpoint or a weights file, or flat:W, such as "
            f"{DEFAULT_JUDGE}, W at most {MAX_WORLDS}"
        )
    # PyTorch takes seconds to import, and playouts need none of it.
    from blob_zero.analysis.network import NetworkJudge
    from blob_zero.model.outcome_net import OutcomeNet
    from blob_zero.run.weights_file import load_network

    net = load_network(path)
    if not isinstance(net, OutcomeNet):
        raise ConfigError(f"{name[:80]} is a {type(net).__name__}; only an OutcomeNet says what comes of each action")
    return NetworkJudge(name, net)
