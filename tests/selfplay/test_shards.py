"""A range in shards: any split, put together again, is the whole range, byte for byte."""

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.training_fakes import SMALL

from blob_zero.config.load import parse_config
from blob_zero.errors import ConfigError
from blob_zero.model.networks import configured_shape, seeded_network
from blob_zero.selfplay.shards import merge, split
from blob_zero.selfplay.worker import LocalWorker, RoundRange, configured_self_play

GAME = {"shapes": [{"players": [3, 4], "cards": [2, 3]}], "players": 3, "cards": 3}
SETTINGS = {
    "search": {
        "game": GAME,
        "search": {"worlds": 1, "simulations": 4},
        "selfplay": {"batch_rows": 16, "threads": 2},
        "network": dict(SMALL),
    },
    "policy": {
        "game": GAME,
        "selfplay": {"agent": "policy", "batch_rows": 16, "threads": 2},
        "network": {"kind": "outcome", "width": 16, "layers": 1},
    },
    "games": {
        "game": {"players": 3, "cards": 2, "whole_games": True},
        "search": {"worlds": 1, "simulations": 2},
        "selfplay": {"batch_rows": 16, "threads": 2},
        "network": dict(SMALL),
    },
}


def player(name):
    config = parse_config({**SETTINGS[name], "inference": {"dtype": "fp32"}}, source="test")
    return LocalWorker(config, device="cpu"), seeded_network(configured_shape(config), seed=1)


PLAYERS = {name: player(name) for name in SETTINGS}


def arrays(result):
    records = result.records
    named = {field.name: getattr(records, field.name) for field in dataclasses.fields(records)}
    rounds, left, _ = named.pop("rounds"), named.pop("carry_over"), named.pop("stats")
    return {
        **named,
        **{f"rounds.{k}": v for k, v in rounds.items()},
        **{f"left.{k}": v for k, v in left.arrays().items()},
    }


def assert_same(one, other):
    mine, theirs = arrays(one), arrays(other)
    assert sorted(mine) == sorted(theirs)
    for name, array in mine.items():
        assert (array.dtype, array.shape) == (theirs[name].dtype, theirs[name].shape), name
        assert array.tobytes() == theirs[name].tobytes(), name
    for name in ("rounds", "decisions", "simulations", "evaluations", "repeats"):
        assert getattr(one.records.stats, name) == getattr(other.records.stats, name), name
    assert (one.rounds, one.points, one.exact) == (other.rounds, other.points, other.exact)


@st.composite
def ranges(draw):
    first = draw(st.integers(1, 30))
    return {
        "rounds": first,
        "carry_over": draw(st.integers(0, first)),
        "more": draw(st.integers(1, 20)),
        "shards": (draw(st.integers(1, 7)), draw(st.integers(1, 7))),
    }


@pytest.mark.parametrize("name", SETTINGS)
@settings(max_examples=12, deadline=None)
@given(case=ranges())
def test_any_split_equals_the_whole(name, case):
    worker, net = PLAYERS[name]

    def both(whole, shards):
        at_once = worker.play(net, whole)
        parts = [worker.play(net, shard) for shard in split(whole, shards)]
        together = merge(parts[::-1], seconds=1.0)
        assert_same(at_once, together)
        return together

    first = RoundRange(seed=3, first_round=7, rounds=case["rounds"], carry_over=case["carry_over"])
    left = both(first, case["shards"][0]).carry_over
    both(
        RoundRange(seed=3, first_round=7 + case["rounds"], rounds=case["more"], carried=left, carry_over=case["more"]),
        case["shards"][1],
    )


@given(rounds=st.integers(1, 50), shards=st.integers(1, 60))
def test_shards_cover_the_range_once_and_differ_by_a_round_at_most(rounds, shards):
    parts = split(RoundRange(seed=1, first_round=100, rounds=rounds), shards)
    sizes = [part.rounds for part in parts]
    assert [part.first_round for part in parts] == [100 + sum(sizes[:k]) for k in range(len(parts))]
    assert sum(sizes) == rounds
    assert len(parts) == min(rounds, shards)
    assert max(sizes) - min(sizes) <= 1


def test_a_range_that_ends_before_its_part_is_refused():
    config = PLAYERS["search"][0].config
    part = RoundRange(seed=1, first_round=10, rounds=5, range_end=14)
    with pytest.raises(ConfigError, match="range_end is 14; the range ends at or after first_round"):
        configured_self_play(config, part, device=PLAYERS["search"][0]._where)
