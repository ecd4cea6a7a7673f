import re

import pytest
from support.command_line import command, screen
from support.training_fakes import FakeJudge, FakeWorker, small_config

from blob_zero.cli.clock import duration
from blob_zero.cli.display import open_display
from blob_zero.cli.plain_display import PlainDisplay
from blob_zero.cli.tables import matches_table
from blob_zero.config.load import to_toml
from blob_zero.learning.loop import train


def test_help_names_the_commands_and_what_they_do(monkeypatch, capsys):
    status, out, _ = command(monkeypatch, capsys, "--help")
    assert status == 0
    for words in ("train", "go on with a run", "arena", "who is", "presets"):
        assert words in out
    status, out, _ = command(monkeypatch, capsys, "train", "--help")
    assert status == 0
    for option in ("--preset", "--config", "--set", "--run-dir", "--device", "--override"):
        assert option in out


def test_presets_are_listed(monkeypatch, capsys):
    status, out, _ = command(monkeypatch, capsys, "presets")
    assert status == 0
    assert "quick" in out
    assert "reference" in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train"], "--preset NAME and --config FILE"),
        (["train", "--preset", "quik"], "did you mean 'quick'?"),
        (["train", "--preset", "quick", "--set", "training.epoch=3"], "did you mean 'epochs'?"),
        (["train", "--preset", "quick", "--save-rounds", "-1"], "run.save_rounds = -1"),
        (["train", "--preset", "quick", "--device", "cuda:99"], "cuda:99"),
        (["arena", "rule", "rulebot"], "unknown agent 'rulebot'"),
        (["arena", "rule", "random", "--players", "8", "--cards", "7"], "at most 6 cards"),
        (["arena", "rule", "random", "--search", "3-30"], "such as 3x30"),
    ],
)
def test_a_mistake_is_one_line_and_status_2(monkeypatch, capsys, tmp_path, arguments, words):
    monkeypatch.chdir(tmp_path)
    status, out, err = command(monkeypatch, capsys, *arguments)
    assert status == 2
    assert words in err
    assert err.startswith("blob-zero: ")
    assert err.count("\n") == 1
    assert out == ""
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_says_how_to_go_on(monkeypatch, capsys, tmp_path):
    def stopped(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("blob_zero.learning.loop.train", stopped)
    config = tmp_path / "mine.toml"
    config.write_text(to_toml(small_config()))
    monkeypatch.chdir(tmp_path)
    status, out, _ = command(monkeypatch, capsys, "train", "--config", str(config), "--device", "cpu")
    assert status == 130
    assert "runs/mine" in out
    assert "goes on" in out


PROMOTION = {"promotion_difference": 0.4, "promotion_low": 0.1, "promotion_high": 0.7}
VERDICTS = ("beats", "not told apart", "loses to")


def test_without_a_terminal_every_iteration_is_one_line(tmp_path):
    console = screen(terminal=False)
    with open_display(console) as display:
        assert isinstance(display, PlainDisplay)
        train(small_config(), tmp_path, display=display, device="cpu", worker=FakeWorker(), judge=FakeJudge())
    lines = [line for line in console.file.getvalue().splitlines() if not line.startswith("playing against")]
    assert [line.split(" · ")[0] for line in lines] == [f"iteration {i}/3" for i in (1, 2, 3)]
    assert all("600 rounds/min" in line and "vs rule +1.00 ± 0.50" in line for line in lines)


def test_the_line_of_an_iteration_has_every_figure_that_was_measured(tmp_path):
    config = small_config(
        promotion={"enabled": True}, evaluation={"every": 2, "opponents": ["untrained", "rule", "rollout:1x2"]}
    )
    console = screen(terminal=False)
    with open_display(console) as display:
        judge = FakeJudge(difference=0.25)
        train(config, tmp_path, display=display, device="cpu", worker=FakeWorker(), judge=judge)
    first, second, third, *_ = console.file.getvalue().splitlines()
    losses = r"policy loss \d\.\d{3} · value loss \d\.\d{3}"
    head = rf"600 rounds/min · batch fill 25% · {losses} · vs best \+0\.25 ± 0\.50, not promoted"
    matches = " · ".join(rf"vs {name} \+0\.25 ± 0\.50" for name in ("untrained", "rule", "rollout"))
    tail = r"rating -?\d+ ± \d+ · \d+ s left"
    assert re.fullmatch(rf"iteration 1/3 · {head} · {tail}", first)
    assert re.fullmatch(rf"iteration 2/3 · {head} · {matches} · {tail}", second)
    assert re.fullmatch(rf"iteration 3/3 · {head} · {matches} · {tail}", third)


def test_the_line_of_an_iteration_says_what_it_lacks():
    row = {"iteration": 1, "rounds_per_minute": 1234.5, "policy_loss": 1.0, "value_loss": 0.5}
    console = screen(terminal=False)
    display = PlainDisplay(console)
    display.iteration_started(1, 1)
    display.iteration_done({**row, "batch_fill": None, "promoted": True})
    display.iteration_done({**row, "batch_fill": 0.5, "promoted": True, **PROMOTION})
    playouts, network = console.file.getvalue().splitlines()
    figures = "policy loss 1.000 · value loss 0.500"
    assert playouts == f"iteration 1/1 · 1,234 rounds/min · by playouts · {figures} · 0 s left"
    assert network == (
        f"iteration 1/1 · 1,234 rounds/min · batch fill 50% · {figures} · vs best +0.40 ± 0.30, promoted · 0 s left"
    )


def test_a_terminal_gets_a_screen_with_the_same_figures(tmp_path):
    config = small_config(
        promotion={"enabled": True},
        evaluation={"every": 2, "opponents": ["untrained", "random", "rule", "rollout:1x2"]},
    )
    console = screen(terminal=True)
    console.width = 80
    with open_display(console) as display:
        train(config, tmp_path, display=display, device="cpu", worker=FakeWorker(), judge=FakeJudge())
    shown = console.file.getvalue()
    assert "iteration 3 of 3" in shown
    last = shown.rpartition("rounds/min")[2]
    (iterations, measurements) = re.findall(r"^ +3 .*$", last, re.MULTILINE)
    assert re.fullmatch(r" +3 +600 +25% +\d\.\d{3} +\d\.\d{3} +\+1\.00 ± 0\.50 +promoted *", iterations)
    assert re.fullmatch(r" +3( +\+1\.00 ± 0\.50){4} +-?\d+ ± \d+ *", measurements)


@pytest.mark.parametrize(("difference", "verdict"), [(1.0, "beats"), (0.1, "not told apart"), (-1.0, "loses to")])
def test_the_table_says_what_the_interval_says(difference, verdict):
    match = FakeJudge(difference).match(None, "rule", deals=5, seed=1)
    console = screen(terminal=False)
    console.width = 80
    console.print(matches_table([("untrained", match)], first="the trained network", title="A title"))
    shown = console.file.getvalue()
    assert f"{difference:+.2f} ({difference - 0.5:+.2f} to {difference + 0.5:+.2f})" in shown
    assert verdict in shown
    assert "untrained" in shown
    assert "50% : 50%" in shown
    assert all(other not in shown for other in VERDICTS if other != verdict)


@pytest.mark.parametrize(
    ("seconds", "text"), [(4.4, "4 s"), (200, "3 min 20 s"), (18_437, "5 h 07 min"), (59.9, "1 min 00 s")]
)
def test_times_read_well(seconds, text):
    assert duration(seconds) == text


def test_the_stage_at_work_is_readable_in_a_narrow_terminal():
    class Progress:
        rounds_done, rounds, batches, rows = 1000, 2000, 4, 2000

    console = screen(terminal=True)
    console.width = 80
    with open_display(console) as display:
        display.iteration_started(1, 3)
        display.self_play(Progress(), batch_rows=512)
        display.training(7, 20, 0.5)
    shown = console.file.getvalue()
    assert "training  step 7 of 20  loss 0.500" in shown
    with open_display(console) as display:
        display.iteration_started(1, 3)
        display.self_play(Progress(), batch_rows=512)
    assert "batch fill 98%" in console.file.getvalue()


def test_a_finished_run_says_so(tmp_path):
    console = screen(terminal=False)
    for _ in range(2):
        with open_display(console) as display:
            train(small_config(), tmp_path, display=display, device="cpu", worker=FakeWorker(), judge=FakeJudge())
    assert "is finished; its 3 iterations are done" in " ".join(console.file.getvalue().split())
