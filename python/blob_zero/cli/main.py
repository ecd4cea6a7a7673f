"""The `blob-zero` command: reads arguments, calls the package, prints what comes back."""

import sys
import warnings
from collections.abc import Callable, Iterable
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer
from rich.console import Console
from rich.table import Table

from blob_zero.cli.analyze import analyze
from blob_zero.cli.bench import app as bench_app
from blob_zero.cli.doctor import doctor
from blob_zero.cli.export import export
from blob_zero.cli.place_options import Device, Ray, Workers, cluster_of
from blob_zero.cli.play import play
from blob_zero.cli.review import review
from blob_zero.config.bots import ARENA_BOT_NAMES
from blob_zero.config.load import load_config, preset_path, preset_summary, presets, toml_value
from blob_zero.config.rules import RULE_NAMES
from blob_zero.errors import BlobError, ConfigError

if TYPE_CHECKING:
    from blob_zero.arena.tournament import OnRecord

app = typer.Typer(
    name="blob-zero",
    help="Train and judge networks for Blob, an Oh Hell variant, by self-play.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)

app.add_typer(bench_app, name="bench")
app.command()(play)
app.command()(review)
app.command()(analyze)
app.command()(export)
app.command()(doctor)


@app.command()
def train(
    preset: Annotated[str | None, typer.Option(help="A preset; [bold]blob-zero presets[/bold] lists them.")] = None,
    config: Annotated[Path | None, typer.Option(help="A TOML file with settings, instead of a preset.")] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Change one setting; may be given many times."),
    ] = None,
    network: Annotated[
        str | None,
        typer.Option(metavar="MODULE:CLASS", help="A network of your own with the outputs of the preset's."),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(
            metavar="NETWORK",
            help="Begin with the weights of a run, a checkpoint or a weights file, or of [bold]shipped[/bold], which "
            "fits the preset standard. The critic of a run or a checkpoint comes along.",
        ),
    ] = None,
    run_dir: Annotated[
        Path | None,
        typer.Option(help="Folder of the run: checkpoints, metrics, settings. (default: runs/NAME)"),
    ] = None,
    save_rounds: Annotated[
        int | None,
        typer.Option(metavar="N", help="Rounds of each iteration that are also written as text, to RUN/rounds."),
    ] = None,
    device: Device = "auto",
    override: Annotated[
        bool, typer.Option("--override", metavar="", help="Go on with a run although its settings differ.")
    ] = False,
    ray: Ray = None,
    workers: Workers = None,
) -> None:
    """Train a network by self-play, or go on with a run.

    Self-play is with a search that the network guides, or without one, as
    the preset says. The same command goes on from the run's last checkpoint;
    Ctrl-C can stop it at any time. It ends with a table: the trained network
    against the opponents of the settings, on fresh deals.
    """
    # PyTorch takes seconds to import, and help and presets need none of it.
    from blob_zero.cli.display import open_display
    from blob_zero.cli.tables import matches_table
    from blob_zero.cluster.places import unused_gpus
    from blob_zero.learning.loop import train as run_training
    from blob_zero.learning.start import check_start
    from blob_zero.run.signals import exit_status, stoppable

    if (preset is None) == (config is None):
        raise ConfigError("give one of --preset NAME and --config FILE")
    cluster, count = cluster_of(ray, workers, device=device)
    path = config if config is not None else preset_path(str(preset))
    own = () if network is None else (f"network.own={toml_value(network)}",)
    rounds = () if save_rounds is None else (f"run.save_rounds={save_rounds}",)
    begin = () if start is None else (f"run.start={toml_value(start)}",)
    settings = load_config(path, (*(set_ or ()), *own, *rounds, *begin))
    folder = run_dir or Path("runs") / path.stem
    check_start(settings, folder)  # before a cluster gets to work for it
    console = Console()
    stopped = f"stopped; what is finished is saved in {folder}, and the same command goes on"
    try:
        with stoppable(stopped), open_display(console) as display:
            train_run = partial(run_training, settings, folder, display=display, device=device, override=override)
            if cluster is None:
                unused = unused_gpus(device)
                if unused is not None:
                    display.message(unused)
                comparisons = train_run()
            else:
                from blob_zero.cluster.players import players_of_run

                notice = display.message
                with players_of_run(settings, cluster, workers=count, device=device, notice=notice) as (worker, judge):
                    comparisons = train_run(worker=worker, judge=judge)
    except KeyboardInterrupt as stop:
        console.print(stopped, soft_wrap=True)
        raise typer.Exit(exit_status(stop)) from None
    game = settings.game
    table = matches_table(
        [(comparison.opponent, comparison.match) for comparison in comparisons],
        first="the trained network",
        title=(
            f"The trained network after {settings.run.iterations} iterations: {game.players} players, "
            f"{game.cards_text()}, {settings.play_text()}, {settings.evaluation.final_deals:,} "
            f"fresh {'games' if game.whole_games else 'deals'} from every seat"
        ),
    )
    console.print()
    console.print(table)
    console.print(f"Run folder: {folder}", highlight=False)


@app.command()
def arena(
    agents: Annotated[
        list[str],
        typer.Argument(
            metavar="A B [C ...]", help=f"Runs, checkpoints, .onnx files, FILE.py:FUNCTION, or bots: {ARENA_BOT_NAMES}."
        ),
    ],
    field: Annotated[
        str | None,
        typer.Option(
            metavar="AGENT",
            help="The field protocol: each agent in one seat among others of this one, compared with this one in that "
            "seat on the same deals.",
        ),
    ] = None,
    players: Annotated[
        str, typer.Option(metavar="COUNTS", help="Seats, 3 to 8; with --field also a list 3,5,8 or a range 3-8.")
    ] = "4",
    cards: Annotated[
        str, typer.Option(metavar="SIZES", help="Cards dealt to each, 1 to 13: a number, a list 1,3,5 or a range 1-8.")
    ] = "5",
    deals: Annotated[int, typer.Option(help="Deals of each hand size; each is played from every seat.")] = 500,
    whole_games: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            help="Play whole games from CARDS down and up again, each as a deal. Searches play for the game's result "
            "with this share of 0 to 1, game.result_share of the networks' runs, and for points with the rest.",
        ),
    ] = None,
    rules: Annotated[
        str, typer.Option(metavar="RULES", help=f"Rule variants, with commas between them: {RULE_NAMES}.")
    ] = "",
    search: Annotated[
        str, typer.Option(metavar="WxS", help="Search of networks: worlds x simulations in each.")
    ] = "3x30",
    seed: Annotated[int, typer.Option(min=0, help="The deals follow from it.")] = 0,
    device: Device = "auto",
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads of the search. (default: one for each core)")
    ] = None,
    ray: Ray = None,
    workers: Workers = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else to standard output.")] = False,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the same JSON to a file.")] = None,
    save_rounds: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write all rounds as text, for blob-zero review and for people.")
    ] = None,
) -> None:
    """Play agents against each other on the same deals, and say who is stronger.

    Of each pair, the one named first has one seat in every deal, each in
    turn, against the other in all others. Differences are in points a round,
    with their 95 % interval. More than two agents are rated as well.

    With --field, each agent plays among others of the field's. Its difference
    is to the field's own points in the same seat of the same deals.
    """
    from blob_zero.arena.saved_rounds import SavedRounds
    from blob_zero.run.atomic_files import write_atomically

    for path in (out, save_rounds):
        if path is not None and not path.absolute().parent.is_dir():
            raise ConfigError(f"cannot write {path}: there is no folder {path.absolute().parent}")
    cluster, count = cluster_of(ray, workers, device=device)
    if field is not None and cluster is not None:
        raise ConfigError("--field plays on one machine; leave out --ray and --workers")
    if field is not None and save_rounds is not None:
        raise ConfigError("--save-rounds writes the matches of pairs; leave out --field")
    if field is not None and whole_games is not None:
        raise ConfigError("--field plays single rounds; leave out --whole-games")
    options = _ArenaOptions(tuple(agents), players, cards, deals, rules, search, seed, device, threads, cluster, count)
    saved = SavedRounds()
    with Console(stderr=True).status("starting") as status:
        tables, report = (
            _pairs(options, whole_games, status.update, saved.add if save_rounds is not None else lambda *_: None)
            if field is None
            else _field(options, field, status.update)
        )
    if json:
        typer.echo(report)
    else:
        console = Console()
        for table in tables:
            console.print(table)
            console.print()
    # Last, so that a disk that refuses the file costs no result.
    if out is not None:
        write_atomically(out, report.encode())
    if save_rounds is not None:
        write_atomically(save_rounds, saved.text().encode())


class _ArenaOptions(NamedTuple):
    """The options of `arena` that pairs and fields share, as they were given."""

    agents: tuple[str, ...]
    players: str
    cards: str
    deals: int
    rules: str
    search: str
    seed: int
    device: str
    threads: int | None
    cluster: str | None
    workers: int | None


def _pairs(
    options: _ArenaOptions, whole_games: float | None, on_match: Callable[[str], None], on_record: "OnRecord"
) -> tuple[Iterable[Table], str]:
    """Plays all pairs; returns the tables and the JSON."""
    from blob_zero.arena.deal_kinds import parse_hand_sizes, parse_players
    from blob_zero.arena.tournament import Settings, play
    from blob_zero.arena.tournament_json import to_json
    from blob_zero.cli.tables import tournament_tables

    counts = parse_players(options.players)
    if len(counts) > 1:
        raise ConfigError(f"matches of pairs have one number of players, not {options.players}; --field takes several")
    settings = Settings(
        agents=options.agents,
        players=counts[0],
        cards=parse_hand_sizes(options.cards),
        deals=options.deals,
        search=options.search,
        seed=options.seed,
        device=options.device,
        threads=options.threads,
        rules=options.rules,
        result_share=whole_games,
    )
    play_pairs = partial(play, settings, on_match=on_match, on_record=on_record)
    if options.cluster is None:
        tournament = play_pairs()
    else:
        from blob_zero.cluster.players import judge_of_tournament

        with judge_of_tournament(settings, options.cluster, workers=options.workers, notice=on_match) as judge:
            tournament = play_pairs(judge=judge)
    return tournament_tables(tournament), to_json(tournament)


def _field(options: _ArenaOptions, field: str, on_match: Callable[[str], None]) -> tuple[Iterable[Table], str]:
    """Plays all agents in the field; returns the tables and the JSON."""
    from blob_zero.arena.deal_kinds import parse_hand_sizes, parse_players
    from blob_zero.arena.field import FieldSettings, field_to_json, play_field
    from blob_zero.cli.tables import field_tables

    settings = FieldSettings(
        guests=options.agents,
        field=field,
        players=parse_players(options.players),
        cards=parse_hand_sizes(options.cards),
        deals=options.deals,
        search=options.search,
        seed=options.seed,
        device=options.device,
        threads=options.threads,
        rules=options.rules,
    )
    match = play_field(settings, on_match=on_match)
    return field_tables(match), field_to_json(match)


@app.command()
def report(
    run: Annotated[Path, typer.Argument(help="The folder of a run, at work or finished.")],
    out: Annotated[Path | None, typer.Option(help="Folder to write to. (default: RUN/report)")] = None,
) -> None:
    """Write a run's curves as one HTML page that needs no other file, and as PNGs beside it.

    Losses, strength with its interval, speed, promotion, and how well the
    network's values and chances of bids come true.
    """
    from blob_zero.report import write_report

    Console().print(f"Report: {write_report(run, out)}", highlight=False, soft_wrap=True)


@app.command(name="presets")
def list_presets() -> None:
    """List the presets and their purposes."""
    table = Table(box=None)
    table.add_column("preset", style="bold")
    table.add_column("purpose")
    for name, path in presets().items():
        table.add_row(name, preset_summary(path))
    Console().print(table)


def _print_version(wanted: bool) -> None:
    if wanted:
        Console().print(f"blob-zero {metadata.version('blob-zero')}", highlight=False)
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, metavar="", help="Print the version."),
    ] = False,
) -> None:
    """Train and judge networks for Blob, an Oh Hell variant, by self-play."""


def _warning_line(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None
) -> str:
    """A warning in a line, without the place in the code that it comes from."""
    del category, filename, lineno, line
    return f"blob-zero: {message}\n"


def main() -> None:
    """Run the command; an error that blob-zero raises on purpose is one line and exit status 2."""
    warnings.formatwarning = _warning_line
    try:
        app()
    except BlobError as error:
        Console(stderr=True).print(f"blob-zero: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        sys.exit(2)
