"""Judges by name, each read once."""

import re
from collections import OrderedDict

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
        """The judge of a name: `flat:W`.

        Raises:
            ConfigError: there is none of that name.
        """
        if name not in self._judges:
            self._judges[name] = read_judge(name)
        self._judges.move_to_end(name)
        if len(self._judges) > _KEPT:
            self._judges.popitem(last=False)
        return self._judges[name]


def read_judge(name: str) -> Judge:
    """The judge of a name.

    Raises:
        ConfigError: there is none of that name.
    """
    flat = re.fullmatch(r"flat:([1-9]\d{0,4})", name)
    if flat is None:
        raise ConfigError(f"unknown net {name[:80]!r}; it is flat:W, such as {DEFAULT_JUDGE}, W at most {MAX_WORLDS}")
    return PlayoutJudge(int(flat[1]))
