import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blob_zero.config.load import differences, load_config, parse_config, preset_path, preset_summary, presets, to_toml
from blob_zero.config.rules import parse_rules
from blob_zero.config.schedule import Ramp, at
from blob_zero.config.schema import Config
from blob_zero.errors import ConfigError
from blob_zero.model.blobnet import BlobNet
from blob_zero.model.networks import configured_shape


def write(tmp_path, text):
    path = tmp_path / "run.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("name", presets())
def test_preset_states_every_knob_that_has_a_value(name):
    stated = tomllib.loads(presets()[name].read_text())
    config = load_config(presets()[name])
    found = {f"{section}.{key}" for section, values in stated.items() for key in values}
    knobs = {
        f"{section}.{key}"
        for section, values in config.model_dump().items()
        for key, value in values.items()
        if value is not None
    }
    assert found >= knobs - config.without_effect()
    assert not found & config.without_effect()
    assert len(preset_summary(presets()[name])) > 20


def test_reference_is_the_published_run():
    config = load_config(preset_path("reference"))
    assert (config.run.iterations, config.training.epochs) == (500, 10)
    assert [at(config.selfplay.rounds, iteration) for iteration in (0, 25, 50, 499)] == [2000, 6000, 10_000, 10_000]
    assert (config.search.worlds, config.search.simulations) == (3, 30)
    # Each decision has a row of its own and one of who looked on.
    assert config.search.own_view
    assert (config.training.replay_rows, config.training.batch_size) == (2 * 500_000, 2048)
    assert configured_shape(config) == BlobNet().shape


def test_a_run_says_how_it_plays():
    played = {name: load_config(path).play_text() for name, path in presets().items()}
    without = dict.fromkeys(("quick", "standard", "cluster"), "without search")
    assert played == {"reference": "search 3x30", **without}


def test_cluster_keeps_many_players_and_one_learner_busy_at_once():
    config, quick = load_config(preset_path("cluster")), load_config(preset_path("quick"))
    assert config.selfplay.lag == 1
    assert {load_config(path).selfplay.lag for name, path in presets().items() if name != "cluster"} == {0}
    assert at(config.selfplay.rounds, 20) > 10 * at(quick.selfplay.rounds, 20)
    assert config.training.epochs < quick.training.epochs
    sizes = {(players, cards) for players, cards, _ in config.game.played()}
    assert sizes == {(p, n) for p in range(3, 9) for n in range(1, 14) if p * n <= 52}


def test_the_sizes_of_a_network_have_one_set_of_defaults():
    assert configured_shape(Config()) == BlobNet().shape


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[training]\nepoch = 3", ["training.epoch", "did you mean 'epochs'", "batch_size"]),
        ("[trainig]\nepochs = 3", ["section trainig", "did you mean 'training'", "selfplay"]),
        ("[search]\nworlds = 0", ["search.worlds = 0", "greater than or equal to 1"]),
        ("[search]\nworlds = 2.5", ["search.worlds = 2.5", "integer"]),
        ("[search]\nworlds = '3'", ["search.worlds = '3'", "integer"]),
        ("[inference]\ndtype = 'fp8'", ["inference.dtype = 'fp8'", "fp16"]),
        ("[game]\nplayers = 5\ncards = 11", ["55", "52", "at most 10 cards"]),
        ("[selfplay]\nrounds = 0", ["selfplay.rounds = 0", "greater than or equal to 1"]),
        ("[selfplay]\nbatch_rows = 0", ["selfplay.batch_rows: 0", "auto or a whole number of at least 1"]),
        ("[selfplay]\nbatch_rows = true", ["selfplay.batch_rows: True", "auto or a whole number"]),
        ("[evaluation]\nbatch_rows = 'all'", ["evaluation.batch_rows: 'all'", "auto or a whole number"]),
        ("[selfplay]\nlag = 2", ["selfplay.lag = 2", "input should be 0 or 1"]),
        ("[selfplay]\nrounds = '5'", ["selfplay.rounds = '5'", "integer"]),
        ("[selfplay]\nrounds = { from = 0, to = 5, over = 3 }", ["selfplay.rounds.from = 0", "or equal to 1"]),
        ("[selfplay]\nsimulations = { from = 1, to = 5 }", ["selfplay.simulations.over", "required"]),
        (
            "[training]\nepochs = { form = 1, to = 5, over = 3 }",
            ["training.epochs.form", "did you mean 'from'", "over"],
        ),
        ("[[game.shapes]]\nplayers = 4\ncards = 5\nweigth = 2", ["game.shapes.0.weigth", "did you mean 'weight'"]),
        ("[[game.shapes]]\nplayers = [4, 9]\ncards = 5", ["game.shapes.0.players.1 = 9", "less than or equal to 8"]),
        ("[[game.shapes]]\nplayers = 3\ncards = []", ["game.shapes.0.cards", "at least 1"]),
        ("[[game.shapes]]\nplayers = 8\ncards = [7, 8]", ["players [8] with cards [7, 8]", "52 cards"]),
        ("[[game.shapes]]\nplayers = 3\ncards = 3\nweight = 0", ["game.shapes.0.weight = 0", "greater than 0"]),
        ("[network]\nwidth = 100\nheads = 8", ["100", "multiple of heads 8"]),
        ("[training]\nlearning_rate = nan", ["training.learning_rate", "finite"]),
        ("[search\n", ["not valid TOML"]),
    ],
)
def test_what_is_wrong_and_what_is_allowed_is_named(tmp_path, text, words):
    with pytest.raises(ConfigError) as caught:
        load_config(write(tmp_path, text))
    for word in words:
        assert word in str(caught.value)


def test_every_problem_is_named_at_once(tmp_path):
    with pytest.raises(ConfigError, match=r"run\.iterations = 0.*search\.simulations = -1"):
        load_config(write(tmp_path, "[run]\niterations = 0\n[search]\nsimulations = -1"))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.toml"):
        load_config(tmp_path / "none.toml")


def test_an_unknown_preset_is_named_with_the_nearest():
    with pytest.raises(ConfigError, match=r"'quik', did you mean 'quick'.*reference"):
        preset_path("quik")


def test_overrides_change_single_settings(tmp_path):
    path = write(tmp_path, "[training]\nepochs = 3\nbatch_size = 64")
    config = load_config(
        path,
        [
            "training.epochs=7",
            "inference.dtype=bf16",
            "promotion.margin = -0.5",
            'evaluation.opponents=["rule"]',
        ],
    )
    assert (config.training.epochs, config.training.batch_size) == (7, 64)
    assert config.inference.dtype == "bf16"
    assert config.promotion.margin == -0.5
    assert config.evaluation.opponents == ("rule",)


@pytest.mark.parametrize("override", ["training.epochs", "epochs=3", "=3", "training.=3"])
def test_an_override_of_another_form_is_refused(tmp_path, override):
    with pytest.raises(ConfigError, match=r"should look like training\.epochs=5"):
        load_config(write(tmp_path, ""), [override])


def test_an_overridden_key_is_checked_as_one_in_the_file(tmp_path):
    with pytest.raises(ConfigError, match="did you mean 'epochs'"):
        load_config(write(tmp_path, ""), ["training.epoch=3"])


@given(
    st.integers(1, 10**6),
    st.floats(1e-6, 1),
    st.booleans(),
    st.sampled_from(["auto", "fp32"]),
    st.none() | st.integers(1, 64),
)
def test_written_settings_are_read_back_equal(rounds, rate, enabled, dtype, threads):
    config = parse_config(
        {
            "selfplay": {"rounds": rounds, "threads": threads},
            "training": {"learning_rate": rate},
            "promotion": {"enabled": enabled},
            "inference": {"dtype": dtype},
        },
        source="test",
    )
    assert parse_config(tomllib.loads(to_toml(config)), source="test") == config


def test_differences_name_each_changed_setting():
    old = parse_config({"search": {"worlds": 2}}, source="old")
    new = parse_config({"search": {"worlds": 5}, "run": {"seed": 9}}, source="new")
    assert differences(old, new) == ["run.seed: 0 there, 9 here", "search.worlds: 2 there, 5 here"]
    assert differences(old, old) == []


def test_shapes_are_written_as_they_are_meant(tmp_path):
    text = """[game]
players = 5
cards = 7
shapes = [{ players = 4, cards = 5, weight = 3.0 }, { players = [3, 8], cards = [1, 6, 7] }]"""
    config = load_config(write(tmp_path, text))
    even = [(3, 1), (3, 6), (3, 7), (8, 1), (8, 6)]
    assert config.game.played() == [(4, 5, 3.0), *((players, cards, 0.2) for players, cards in even)]
    assert load_config(write(tmp_path, to_toml(config))) == config
    assert load_config(write(tmp_path, text), ["game.shapes=[]"]).game.played() == [(5, 7, 1.0)]
    assert differences(Config(), config)[-1].startswith("game.shapes: [] there, [{")


@pytest.mark.parametrize(
    ("opponents", "words"),
    [
        (["rulebot"], "unknown opponent 'rulebot': should be untrained, random, rule"),
        (["openspiel:ismcts:9"], "unknown opponent 'openspiel:ismcts:9': should be untrained, random"),
        (["rollout:3"], "such as 3x30"),
        (["ismcts:0"], "ismcts:0.* should be ismcts:N, such as ismcts:1000: 1 to 4194304 simulations"),
        (["flat:64x2"], "flat:64x2.* should be flat:W, such as flat:64: 1 to 4194304 worlds"),
        (["ismcts:90", "ismcts:1000"], "ismcts:90, ismcts:1000 would share the metrics of ismcts"),
        (["rule", "rollout:1x9", "rollout:3x30"], "rollout:1x9, rollout:3x30 would share the metrics of rollout"),
        (["rule", "rule"], "would share the metrics of rule"),
    ],
)
def test_opponents_are_those_with_columns_of_their_own(opponents, words):
    with pytest.raises(ConfigError, match=words):
        parse_config({"evaluation": {"opponents": opponents}}, source="test")
    allowed = ["untrained", "random", "rule", "rollout:3x30", "ismcts:90", "flat:64"]
    config = parse_config({"evaluation": {"opponents": allowed}}, source="test")
    assert config.evaluation.opponents == tuple(allowed)


def test_a_schedule_goes_in_even_steps_and_stays():
    config = parse_config({"selfplay": {"rounds": {"from": 1, "to": 4, "over": 6}}}, source="test")
    assert isinstance(config.selfplay.rounds, Ramp)
    assert [at(config.selfplay.rounds, iteration) for iteration in range(9)] == [1, 2, 2, 3, 3, 4, 4, 4, 4]
    falling = parse_config({"training": {"epochs": {"from": 10, "to": 2, "over": 2}}}, source="test").training.epochs
    assert [at(falling, iteration) for iteration in range(4)] == [10, 6, 2, 2]
    assert at(7, 100) == 7
    assert parse_config(tomllib.loads(to_toml(config)), source="test") == config
    # What a checkpoint keeps is JSON.
    assert parse_config(config.model_dump(mode="json"), source="test") == config
    assert differences(config, Config())[0] == ('selfplay.rounds: {"from": 1, "to": 4, "over": 6} there, 10000 here')


def test_rules_of_a_table_are_settings(tmp_path):
    config = load_config(write(tmp_path, "[game.rules]\nhook = false"), ["game.rules.scoring=exact_plus_tricks"])
    rules = config.game.rules.variants()
    assert (rules.hook, rules.scoring, rules.turn_up) == (False, "exact_plus_tricks", False)
    assert load_config(write(tmp_path, to_toml(config))) == config
    assert differences(Config(), config)[0].startswith("game.rules: ")
    with pytest.raises(ConfigError, match="did you mean 'hook'"):
        load_config(write(tmp_path, "[game.rules]\nhok = false"))
    with pytest.raises(ConfigError, match="4 x 13 deals the whole pack"):
        parse_config({"game": {"players": 4, "cards": 13, "rules": {"turn_up": True}}}, source="test")


def test_rules_by_name():
    rules = parse_rules("no_hook, turn_up")
    assert (rules.hook, rules.scoring, rules.turn_up) == (False, "exact", True)
    with pytest.raises(ConfigError, match="unknown rule 'hook'"):
        parse_rules("hook")
