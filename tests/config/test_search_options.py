import inspect
from dataclasses import fields

import pytest

import blob_zero as bz
from blob_zero.config.schema import Config, SearchConfig, SelfPlayConfig
from blob_zero.config.search_options import SearchChanges


def test_every_option_can_be_named_in_a_call():
    assert set(SearchChanges.__annotations__) == {field.name for field in fields(bz.SearchOptions)}


def test_settings_functions_and_the_core_have_the_same_defaults():
    options = bz.SearchOptions()
    assert Config().search.options() == options
    for name in set(SelfPlayConfig.model_fields) & {field.name for field in fields(options)} - {
        "worlds",
        "simulations",
    }:
        assert getattr(SelfPlayConfig(), name) == getattr(options, name)
    alone = {name: each.default for name, each in inspect.signature(bz.search).parameters.items()}
    for name in SearchConfig.model_fields:
        assert alone[name] == getattr(options, name)


def test_a_call_changes_single_options():
    base = bz.SearchOptions(worlds=9, c_puct=0.5)
    changed = bz.SearchOptions(worlds=9, simulations=4, c_puct=0.5)
    assert bz.SelfPlay(players=4, cards=5, search=base, simulations=4).search == changed
    assert bz.Agent.rollout(base, simulations=4).search == changed.greedy()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"worlds": 0}, "worlds is 0"),
        ({"simulations": -1}, "simulations is -1"),
        ({"c_puct": float("nan")}, "c_puct is"),
        ({"final_temperature": -0.5}, "final_temperature is -0.5"),
    ],
)
def test_options_out_of_range_are_refused_by_name(changes, words):
    with pytest.raises(bz.ConfigError, match=words):
        bz.SearchOptions(**changes)


def test_unknown_options_are_refused():
    with pytest.raises(TypeError, match="simulation"):
        bz.SelfPlay(players=4, cards=5, simulation=10)
