"""The `review` command."""

import json as json_text
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from blob_zero.errors import ConfigError


def review(
    file: Annotated[Path, typer.Argument(help="A saved game, or rounds in the notation of docs/notation.md.")],
    seat: Annotated[int, typer.Option(min=0, max=7, help="Whose decisions.")] = 0,
    net: Annotated[str | None, typer.Option(metavar="NET", help="The judge. (default: shipped)")] = None,
    most: Annotated[int, typer.Option(min=1, help="Decisions that are listed.")] = 20,
    json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else to standard output.")] = False,
) -> None:
    """Review the decisions of a seat: expected points lost, the worst first.

    Each decision is judged by what the seat knew then.
    """
    from blob_zero.analysis.judges import DEFAULT_JUDGE, read_judge
    from blob_zero.analysis.review import review_round
    from blob_zero.notation import read_game
    from blob_zero.play.view import decision_view

    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {file}: {error}") from error
    rounds, judge = read_game(text).rounds, read_judge(net or DEFAULT_JUDGE)
    if not rounds:
        raise ConfigError(f"{file} has no finished round")
    for number, played in enumerate(rounds, start=1):
        if seat >= played.players:
            raise ConfigError(f"seat {seat}; round {number} has seats 0 to {played.players - 1}")
    found = [
        (number, decision)
        for number, played in enumerate(rounds, start=1)
        for decision in review_round(played, seat, judge)
    ]
    found.sort(key=lambda pair: -pair[1].lost)
    lost = sum(decision.lost for _, decision in found)
    if json:
        names = [f"seat {one}" for one in range(8)]
        decisions = [
            decision_view(decision, names[: decision.round.players], number - 1, you=seat) for number, decision in found
        ]
        typer.echo(json_text.dumps({"seat": seat, "net": judge.name, "lost": lost, "decisions": decisions}))
        return
    console = Console(highlight=False)
    counts = ((len(found), "decision"), (len(rounds), "round"))
    where = " of ".join(f"{count} {noun}{'' if count == 1 else 's'}" for count, noun in counts)
    console.print(f"{lost:.1f} points lost in {where}, judged by {judge.name}")
    for number, decision in found[:most]:
        console.print(f"{-decision.lost:z6.1f}  round {number:>2}: {escape(decision.sentence())}", soft_wrap=True)
