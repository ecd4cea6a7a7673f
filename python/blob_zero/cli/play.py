"""The `play` and `review` commands."""

import signal
import threading
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from blob_zero.errors import ConfigError

if TYPE_CHECKING:
    from blob_zero.analysis.judge import Judge
    from blob_zero.play.house import House

Net = Annotated[str | None, typer.Option(metavar="NET", help="Who gives hints and reviews. (default: shipped)")]


def play(
    terminal: Annotated[bool, typer.Option("--terminal", help="Play in this terminal, not in a browser.")] = False,
    players: Annotated[int, typer.Option(min=3, max=8, help="Players at the table, you included.")] = 4,
    cards: Annotated[int | None, typer.Option(min=1, max=13, help="Cards of the largest round. (default: 5)")] = None,
    levels: Annotated[
        str,
        typer.Option(
            metavar="A[,B ...]", help="Levels of the bots: names in the arena or paths of networks; one for all."
        ),
    ] = "ismcts:90",
    one_round: Annotated[bool, typer.Option("--round", help="One round, not a whole game.")] = False,
    name: Annotated[str, typer.Option(help="Your name at the table.")] = "You",
    no_hook: Annotated[bool, typer.Option("--no-hook", help="The dealer may make any bid.")] = False,
    scoring: Annotated[str, typer.Option(help="exact, or exact_plus_tricks.")] = "exact",
    turn_up: Annotated[bool, typer.Option("--turn-up", help="A card turned up after the deal gives trump.")] = False,
    resume: Annotated[str | None, typer.Option(metavar="GAME", help="Go on with a saved game (--terminal).")] = None,
    net: Net = None,
    saves: Annotated[Path | None, typer.Option(help="Folder of saved games. (default: in your data folder)")] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the page; 0 for any that is free.")] = 0,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Print the address, and open no browser.")] = False,
) -> None:
    """Play Blob against bots, in the browser or in a terminal.

    The page is served on this machine alone. Games are saved after every
    action. The options fill in the form of a new game; with --terminal they
    are the game.
    """
    from blob_zero.analysis.judges import DEFAULT_JUDGE, DeferredJudge, read_judge
    from blob_zero.play.saves import Saves, default_folder

    agents = [_level(agent.strip()) for agent in levels.split(",")]
    if len(agents) not in (1, players - 1):
        raise ConfigError(f"{len(agents)} levels for {players - 1} bots; give one for all, or one for each")
    agents = agents * (players - 1) if len(agents) == 1 else agents
    if scoring not in ("exact", "exact_plus_tricks"):
        raise ConfigError(f"scoring is {scoring!r}; it is exact or exact_plus_tricks")
    table = {
        "players": players,
        "cards": cards if cards is not None else min(5, 51 // players),
        "levels": agents,
        "length": "round" if one_round else "game",
        "name": name,
        "rules": {"hook": not no_hook, "scoring": scoring, "turn_up": turn_up},
    }
    # While the command is being imported, Ctrl-C kills it; from now on it ends the game.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    kept, judge = Saves(saves or default_folder()), read_judge(net) if net is not None else DeferredJudge(DEFAULT_JUDGE)
    if terminal:
        from blob_zero.play.terminal import play_in_terminal

        play_in_terminal(table, kept, judge, resume)
        return
    try:
        from blob_zero.play.house import House
        from blob_zero.play.server import Server
    except ImportError as error:
        raise ConfigError(
            f"the page needs {error.name}, which is not installed; run pip install 'blob-zero[play]', "
            "or play with --terminal"
        ) from error
    house = House(kept, judge, table)
    server = Server(house, port)
    console = Console()
    console.print(f"Play at {server.address}", soft_wrap=True, highlight=False)
    console.print("Ctrl-C ends the server; games are saved.", highlight=False)
    if not no_browser:
        threading.Timer(0.5, webbrowser.open, (server.address,)).start()
    threading.Thread(target=_warm_up, args=(house, judge), daemon=True).start()
    try:
        server.run()
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def _warm_up(house: "House", judge: "Judge") -> None:
    # Importing PyTorch keeps Python busy for seconds, and the page goes first.
    house.visited.wait()
    from blob_zero.analysis.judges import DeferredJudge
    from blob_zero.play.levels import warm_up

    warm_up()
    if isinstance(judge, DeferredJudge):
        judge.read()


def _level(text: str) -> str:
    """A level's name; the path of a network becomes a level."""
    from blob_zero.play.levels import LEVELS, SHIPPED, add_network, find_level

    if text not in {level.agent for level in (*LEVELS, *SHIPPED)} and Path(text).exists():
        return add_network(Path(text)).agent
    return find_level(text).agent
