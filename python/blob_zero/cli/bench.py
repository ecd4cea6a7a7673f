"""The `blob-zero bench` commands: read arguments, measure, print and write what comes back."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from blob_zero.bench.settings import PlaySettings, check_at_least_1
from blob_zero.bench.tables import Measurement
from blob_zero.cli.bench_options import (
    Agent,
    BatchRows,
    CacheEntries,
    Cards,
    Compile,
    Device,
    Dtype,
    Evaluator,
    InFlight,
    Json,
    Network,
    Out,
    Players,
    Rounds,
    Search,
    Threads,
)
from blob_zero.cli.bench_report import BenchReport
from blob_zero.config.schema import TrainingConfig
from blob_zero.config.search_options import parse_search
from blob_zero.errors import ConfigError

app = typer.Typer(
    help="Measure this machine: the speed of self-play and training, and what limits it.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)


@app.command()
def selfplay(
    players: Players = 4,
    cards: Cards = 5,
    agent: Agent = "search",
    search: Search = "3x30",
    rounds: Rounds = 4000,
    device: Device = "auto",
    threads: Threads = None,
    batch_rows: BatchRows = None,
    rounds_in_flight: InFlight = None,
    cache_entries: CacheEntries = None,
    net: Network = None,
    evaluator: Evaluator = "network",
    dtype: Dtype = "auto",
    compile_: Compile = None,
    json: Json = False,
    out: Out = None,
) -> None:
    """Measure self-play: rounds a minute, and what limits them."""
    from blob_zero.bench.selfplay import COLUMNS, bench_selfplay

    settings = replace(
        _settings(players=players, cards=cards, search=search, device=device, threads=threads, net=net),
        agent=agent,
        rounds=rounds,
        evaluator=evaluator,
        batch_rows=batch_rows,
        rounds_in_flight=rounds_in_flight,
        cache_entries=cache_entries,
        dtype=dtype,
        compile="auto" if compile_ is None else compile_,
    )
    with BenchReport(out, json=json) as report:
        row = bench_selfplay(settings, notice=report.notice, progress=report.progress)
        report.one(row, COLUMNS, settings=settings.columns(), title=f"Self-play, {players} x {cards}, {settings.play}")


@app.command(name="search")
def search_(
    players: Players = 4,
    cards: Cards = 5,
    search: Search = "3x30",
    threads: Threads = None,
    batch_rows: BatchRows = None,
    rounds_in_flight: InFlight = None,
    json: Json = False,
    out: Out = None,
) -> None:
    """Time the search without a network: alone, through the queue, with Python in the loop, by threads."""
    from blob_zero.bench.search import COLUMNS, bench_search

    check_at_least_1(threads=threads, batch_rows=batch_rows, rounds_in_flight=rounds_in_flight)
    settings = replace(
        _settings(players=players, cards=cards, search=search, threads=threads),
        evaluator="null",
        batch_rows=batch_rows,
        rounds_in_flight=rounds_in_flight,
    )
    with BenchReport(out, json=json) as report:
        rows = bench_search(settings, notice=report.notice)
        report.many(rows, COLUMNS, settings=settings.columns(), title=f"The search, {players} x {cards}, {search}")


@app.command()
def inference(
    players: Players = 4,
    cards: Cards = 5,
    device: Device = "auto",
    threads: Threads = None,
    batch_rows: BatchRows = None,
    agent: Agent = "search",
    net: Network = None,
    seconds: Annotated[float, typer.Option(help="Seconds for each step in each of three passes.")] = 1.0,
    json: Json = False,
    out: Out = None,
) -> None:
    """Time the network alone, with each step of inference on and off, and compare the outputs."""
    from blob_zero.bench.inference import COLUMNS, bench_inference

    check_at_least_1(threads=threads, batch_rows=batch_rows)
    settings = _settings(players=players, cards=cards, device=device, threads=threads, net=net)
    settings = replace(settings, agent=agent, batch_rows=batch_rows)
    settings.self_play()
    with BenchReport(out, json=json) as report:
        rows = bench_inference(settings, seconds=seconds, notice=report.notice)
        report.many(rows, COLUMNS, settings=settings.columns(), title=f"Inference, {settings.rows:,} rows a batch")


@app.command()
def train(
    device: Device = "auto",
    agent: Agent = "search",
    net: Network = None,
    batch_size: Annotated[int, typer.Option(help="Rows of an optimizer step.")] = 2048,
    precision: Dtype = "auto",
    compile_: Annotated[
        bool | None,
        typer.Option("--compile/--no-compile", help="Build the step with torch.compile. (default: on a GPU)"),
    ] = None,
    threads: Threads = None,
    passes: Annotated[int, typer.Option(help="Passes of training and of its matrix products.")] = 5,
    seconds: Annotated[float, typer.Option(help="Seconds of a pass.")] = 1.0,
    json: Json = False,
    out: Out = None,
) -> None:
    """Time the training step, and its matrix products alone, alternately."""
    from blob_zero.bench.training import COLUMNS, bench_training

    check_at_least_1(batch_size=batch_size, passes=passes, threads=threads)
    settings = PlaySettings(device=device, agent=agent, network=net, threads=threads)
    learning = TrainingConfig(
        batch_size=batch_size, precision=precision, compile="auto" if compile_ is None else compile_
    )
    with BenchReport(out, json=json) as report:
        row = bench_training(learning, settings, passes=passes, seconds=seconds, notice=report.notice)
        report.one(row, COLUMNS, settings=settings.columns() | {"batch_size": batch_size}, title="Training")


@app.command()
def tune(
    players: Players = 4,
    cards: Cards = 5,
    search: Search = "3x30",
    device: Device = "auto",
    threads: Threads = None,
    net: Network = None,
    seconds: Annotated[float, typer.Option(help="Seconds for each size in each of five passes.")] = 1.5,
    json: Json = False,
    out: Out = None,
) -> None:
    """Show the sizes that `auto` chooses here and why, and measure other sizes around them."""
    from blob_zero.bench.tune import COLUMNS, bench_tune
    from blob_zero.bench.tune_advice import explain, for_screen

    settings = _settings(players=players, cards=cards, search=search, device=device, threads=threads, net=net)
    settings.self_play()
    with BenchReport(out, json=json) as report:
        tuning = bench_tune(settings, seconds=seconds, notice=report.notice)
        title = f"Sizes, {players} x {cards}, {search}"
        shown = for_screen(tuning)
        report.many(tuning.rows, COLUMNS, settings=settings.columns(), title=title, shown=shown)
        report.lines(explain(tuning))


@app.command()
def compare(
    players: Players = 4,
    cards: Cards = 5,
    level: Annotated[
        list[str] | None,
        typer.Option(help="light (2x20), medium (3x30), heavy (5x50) or WxS; may be given many times. (default: all)"),
    ] = None,
    device: Device = "auto",
    threads: Annotated[
        list[int] | None, typer.Option(help="Numbers of threads; may be given many times. (default: 1 and all)")
    ] = None,
    net: Network = None,
    seconds: Annotated[float, typer.Option(help="Seconds for each design.")] = 4.0,
    policy_rounds: Annotated[int, typer.Option(help="Rounds in which policies are compared.")] = 8,
    deals: Annotated[int, typer.Option(min=2, help="Paired deals that measure the cost of virtual loss.")] = 200,
    json: Json = False,
    out: Out = None,
) -> None:
    """Compare the designs of earlier systems, each as a setting of this one.

    From one round at a time with one leaf, over virtual loss inside one
    search and worlds in parallel, to thousands of rounds; then each step of
    inference. TV is the total variation between the policies of a design and
    of sequential search. It is also given with exact numbers, without the
    rounding of the network.
    """
    from blob_zero.bench.compare import COLUMNS, LEVELS, bench_compare

    settings = _settings(players=players, cards=cards, device=device, net=net)
    settings.self_play()
    for name in level or ():
        if name not in LEVELS:
            parse_search(name)
    for count in threads or ():
        check_at_least_1(threads=count)
    check_at_least_1(policy_rounds=policy_rounds)
    with BenchReport(out, json=json) as report:
        rows = bench_compare(
            settings,
            levels=level or tuple(LEVELS),
            threads=threads,
            seconds=seconds,
            policy_rounds=policy_rounds,
            deals=deals,
            notice=report.notice,
        )
        report.many(rows, COLUMNS, settings=settings.columns(), title=f"Designs, {players} x {cards}")


@app.command()
def iteration(
    preset: Annotated[str | None, typer.Option(help="A preset. (default: reference)")] = None,
    config: Annotated[Path | None, typer.Option(help="A TOML file with settings, instead of a preset.")] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Change one setting; may be given many times."),
    ] = None,
    device: Device = "auto",
    json: Json = False,
    out: Out = None,
) -> None:
    """Time one whole iteration of training, self-play and learning apart."""
    from blob_zero.bench.iteration import COLUMNS, bench_iteration
    from blob_zero.config.load import load_config, preset_path

    if preset is not None and config is not None:
        raise ConfigError("give one of --preset NAME and --config FILE")
    settings = load_config(config or preset_path(preset or "reference"), set_ or ())
    with BenchReport(out, json=json) as report:
        row = bench_iteration(settings, device=device, notice=report.notice, progress=report.progress)
        flat: Measurement = {
            f"{section}.{key}": value if isinstance(value, str | int | float | bool) else str(value)
            for section, values in settings.model_dump(mode="json").items()
            for key, value in values.items()
        }
        report.one(row, COLUMNS, settings=flat, title="One iteration")


def _settings(
    *,
    players: int,
    cards: int,
    search: str = "3x30",
    device: str = "auto",
    threads: int | None = None,
    net: Path | None = None,
) -> PlaySettings:
    return PlaySettings(
        players=players,
        cards=cards,
        search=parse_search(search),
        device=device,
        threads=threads,
        network=net,
    )
