"""Your own bot on the command line: `FILE.py:FUNCTION`."""

import importlib.util
import re
from pathlib import Path

from blob_zero.arena.agent import Agent
from blob_zero.errors import ConfigError


def read_bot_file(name: str) -> Agent | None:
    """The agent of `FILE.py:FUNCTION`; None for a name of another form.

    Raises:
        ConfigError: there is no such file, or no function of this name in it.
    """
    form = re.fullmatch(r"(.+\.py):(\w+)", name)
    if form is None:
        return None
    path, function = Path(form[1]), form[2]
    if not path.is_file():
        raise ConfigError(f"cannot read the bot {name!r}: there is no file {path}")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found = getattr(module, function, None)
    if not callable(found):
        raise ConfigError(f"cannot read the bot {name!r}: {path} has no function {function!r}")
    return Agent.of_function(found)
