"""Ctrl-C and `close` end a search whose walks need no evaluation, millions of them in a row."""

import _thread
import threading
import time

import pytest

import blob_zero as bz

ENDLESS = {"worlds": 4096, "simulations": 1 << 16}


@pytest.fixture
def near_the_end():
    """Two cards each, one of them played: every world has a handful of positions."""
    round_ = bz.Round(players=3, hands=[["JC", "KD"], ["QC", "3C"], ["2H", "3H"]], dealer=2)
    for action in (1, 0, 0, bz.card_index("JC")):
        round_.play(action)
    return round_


def uniform(features, _legal):
    rows = len(features)
    return [[1.0] * 52] * rows, [[0.0] * 8] * rows


@pytest.mark.parametrize("evaluator", ["uniform", "rollout", uniform])
def test_ctrl_c_ends_a_search(near_the_end, evaluator):
    threading.Timer(1.0, _thread.interrupt_main).start()
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        bz.search(near_the_end, evaluator, **ENDLESS)
    assert time.monotonic() - started < 30


def test_ctrl_c_ends_self_play_by_playouts():
    threading.Timer(1.0, _thread.interrupt_main).start()
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        bz.SelfPlay(players=3, cards=2, rounds=100, seed=1, **ENDLESS).run("rollout")
    assert time.monotonic() - started < 30
