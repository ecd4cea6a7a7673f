"""A game as text: tags of the game, then its rounds (docs/notation.md)."""

import re
from dataclasses import dataclass, field

from blob_zero.errors import ConfigError
from blob_zero.notation.rounds import RoundText, read_round

_TAG = re.compile(r'\[(\w+) "((?:[^"\\]|\\.)*)"\]')


@dataclass(frozen=True, kw_only=True)
class GameText:
    """Rounds, and what is known about the game around them.

    Attributes:
        tags: names of letters, digits and underscores with any text in one line.
    """

    tags: dict[str, str] = field(default_factory=dict)
    rounds: tuple[RoundText, ...] = ()


def write_game(game: GameText) -> str:
    """The text of a game; `read_game` returns an equal one."""
    blocks = [[f'[{name} "{_escaped(value)}"]' for name, value in game.tags.items()]] if game.tags else []
    blocks += [[f'[Round "{number}"]', *round_.lines()] for number, round_ in enumerate(game.rounds, start=1)]
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def read_game(text: str) -> GameText:
    """Reads a game.

    Tags before the first `[Round "N"]` belong to the game, later ones to the round. Empty lines, and lines that begin
    with a semicolon, mean nothing.

    Raises:
        ConfigError: something cannot be read or is not possible; names the line or the round.
    """
    tags: dict[str, str] = {}
    rounds: list[tuple[str, dict[str, str], list[tuple[int, str]]]] = []
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        if not line or line.startswith(";"):
            continue
        if not line.startswith("["):
            if not rounds:
                raise ConfigError(f'line {number}: {line[:80]!r} before the first [Round "1"]')
            rounds[-1][2].append((number, line))
            continue
        tag = _TAG.fullmatch(line)
        if tag is None:
            raise ConfigError(f'line {number}: {line[:80]!r} is no tag; a tag is [Name "value"]')
        name, value = tag[1], re.sub(r"\\(.)", r"\1", tag[2])
        if name == "Round":
            rounds.append((f"line {number}, round {value}", {}, []))
        of_block = rounds[-1][1] if rounds else tags
        if name in of_block:
            raise ConfigError(f"line {number}: the tag {name} stands twice")
        of_block[name] = value
    return GameText(tags=tags, rounds=tuple(read_round(lines, own, where) for where, own, lines in rounds))


def _escaped(value: str) -> str:
    return " ".join(value.splitlines()).replace("\\", "\\\\").replace('"', '\\"')
