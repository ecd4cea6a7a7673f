"""What `SelfPlay.run` promises about evaluators and records."""

import gc
import pathlib
import subprocess
import sys
import time
import traceback
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.deals import most_cards
from support.evaluators import HashingOfWholeBuffers, hashing
from support.feature_table import decode

import blob_zero as bz
from blob_zero.errors import EvaluatorError

TINY = {"players": 4, "cards": 3, "worlds": 2, "simulations": 6, "rounds": 12, "seed": 5, "batch_rows": 16}
ARRAYS = ["features", "legal", "policy", "values", "round", "seat", "points", "bids", "tricks"]


def play(evaluator=None, **changes):
    return bz.SelfPlay(**{**TINY, **changes}).run(evaluator or hashing())


def as_bytes(records):
    return {name: getattr(records, name).tobytes() for name in ARRAYS}


def assert_records_hold(records, *, players, cards, rounds, first_round=0):
    """Everything that is true of any records."""
    rows = len(records.round)
    shapes = {name: (getattr(records, name).shape, getattr(records, name).dtype.name) for name in ARRAYS}
    assert shapes == {
        "features": ((rows, 256), "uint8"),
        "legal": ((rows, 52), "bool"),
        "policy": ((rows, 52), "float16"),
        "values": ((rows, 8), "float32"),
        "round": ((rows,), "uint64"),
        "seat": ((rows,), "uint8"),
        "points": ((rounds, players), "int16"),
        "bids": ((rounds, players), records.bids.dtype.name),
        "tricks": ((rounds, players), records.tricks.dtype.name),
    }

    assert np.array_equal(records.bids == records.tricks, records.points > 0)
    np.testing.assert_array_equal(records.points, np.where(records.bids == records.tricks, 10 + records.bids, 0))
    assert (records.tricks.sum(axis=1) == cards).all()
    assert (records.bids.sum(axis=1) != cards).all()

    # Every round has decisions: the first bid is one.
    np.testing.assert_array_equal(np.unique(records.round), np.arange(first_round, first_round + rounds))
    actions = (records.features[:, 185:193] > 0).sum(axis=1) + records.features[:, 52:104].sum(axis=1)
    order = np.stack([records.round.astype(np.int64), actions])
    assert np.array_equal(np.lexsort(order[::-1]), np.arange(rows)), "rows are sorted by round, then decision"
    assert len(np.unique(order, axis=1).T) == rows, "a decision is recorded once"

    policy = records.policy.astype(np.float64)
    assert not policy[~records.legal].any()
    assert policy.min() >= 0
    np.testing.assert_allclose(policy.sum(axis=1), 1, atol=52 * 2**-12)
    assert records.legal.sum(axis=1).min() >= 2, "a forced move is no decision"

    row_points = records.points[records.round.astype(np.int64) - first_round]
    for place in range(8):
        seat = (records.seat.astype(np.int64) + place) % players
        values = 2 * row_points[np.arange(rows), seat] / (10 + cards) - 1 if place < players else np.zeros(rows)
        np.testing.assert_allclose(records.values[:, place], values, atol=1e-6)

    features = records.features * bz.feature_scale()
    for row in range(min(rows, 40)):
        told = decode(features[row])
        assert [told["players"], told["cards"], told["to_play"]] == [players, cards, 0]
        if told["phase"] == "bidding":
            legal = set(range(cards + 1)) - {told["forbidden"]}
        else:
            hand = {bz.card_index(card) for card in told["hand"]}
            follow = {card for card in hand if bz.card_text(card)[1] == told["suit_led"]}
            legal = follow or hand
        assert set(np.flatnonzero(records.legal[row]).tolist()) == legal


@st.composite
def tiny_settings(draw):
    players = draw(st.integers(3, 8))
    return {
        "players": players,
        "cards": draw(st.integers(1, most_cards(players))),
        "worlds": draw(st.integers(1, 3)),
        "simulations": draw(st.integers(1, 5)),
        "rounds": draw(st.integers(1, 4)),
        "first_round": draw(st.sampled_from([0, 1, 2**40])),
        "seed": draw(st.integers(0, 2**63 - 1)),
        "threads": draw(st.integers(1, 3)),
        "batch_rows": draw(st.sampled_from([1, 2, 5, 64])),
    }


@given(tiny_settings())
@settings(max_examples=30)
def test_records_of_any_setting(chosen):
    records = play(**chosen)
    assert_records_hold(records, **{name: chosen[name] for name in ["players", "cards", "rounds", "first_round"]})


@pytest.mark.parametrize("threads", [1, 2, 8])
def test_threads_do_not_change_a_byte(threads):
    changes = {"rounds": 40, "cards": 5, "simulations": 20}
    assert as_bytes(play(threads=threads, **changes)) == as_bytes(play(threads=1, rounds_in_flight=3, **changes))


@pytest.mark.parametrize("batch_rows", [1, 7, 1024])
def test_the_batch_does_not_change_a_byte(batch_rows):
    assert as_bytes(play(batch_rows=batch_rows)) == as_bytes(play())


def test_seeds_and_rounds_differ():
    assert as_bytes(play(seed=1)) != as_bytes(play(seed=2))
    hands = {play(rounds=1, first_round=number).features[0, :52].tobytes() for number in range(10)}
    assert len(hands) == 10


def test_a_range_of_rounds_is_the_sum_of_its_parts():
    whole, one, two = play(), play(rounds=5), play(rounds=7, first_round=5)
    for name in ARRAYS:
        parts = np.concatenate([getattr(one, name), getattr(two, name)])
        np.testing.assert_array_equal(parts, getattr(whole, name), err_msg=name)


def test_whole_buffers_give_the_same_records():
    evaluator = HashingOfWholeBuffers()
    assert as_bytes(play(evaluator)) == as_bytes(play())
    assert evaluator.shapes == {((16, 256), "uint8", (16, 52), "bool")}


def test_what_an_evaluator_is_given():
    calls = []

    def evaluate(features, legal):
        calls.append((features.shape, features.dtype, legal.shape, legal.dtype))
        assert legal.sum(axis=1).min() >= 2, "a forced move is walked through without an evaluation"
        for row, mask in zip(features, legal, strict=True):
            told = decode(row)
            assert told["to_play"] == 0, "a leaf is seen by the seat that moves at it"
            most = told["cards"] + 1 if told["phase"] == "bidding" else len(told["hand"])
            assert mask.sum() <= most
        return hashing()(features, legal)

    records = play(evaluate)
    rows = [features[0] for features, *_ in calls]
    assert 1 <= min(rows) <= max(rows) <= 16
    assert {(features[1:], dtype.name, legal[1:], kind.name) for features, dtype, legal, kind in calls} == {
        ((256,), "float32", (52,), "bool")
    }
    assert [features[0] for features, *_ in calls] == [legal[0] for _, _, legal, _ in calls]
    assert records.stats.batches == len(calls)
    assert records.stats.rows == sum(rows)
    assert records.stats.batch_fill == pytest.approx(np.mean(rows) / 16)
    assert records.stats.rounds == 12
    assert records.stats.decisions == len(records.round)
    assert records.stats.simulations > 0
    assert records.stats.seconds > 0


def test_batches_fill_when_there_are_rounds_enough():
    rows = []

    def evaluate(features, legal):
        rows.append(len(features))
        return hashing()(features, legal)

    play(evaluate, rounds=300, cards=5, simulations=20, batch_rows=32, rounds_in_flight=200, threads=2)
    assert np.mean(rows) > 24


@pytest.mark.parametrize("rounds", [1, 2, 3])
def test_fewer_rounds_than_a_batch(rounds):
    records = play(rounds=rounds, batch_rows=4096, threads=8)
    assert_records_hold(records, players=4, cards=3, rounds=rounds)


@pytest.mark.parametrize("players", [3, 8])
def test_rounds_of_one_card_decide_bids_alone(players):
    records = play(players=players, cards=1)
    assert_records_hold(records, players=players, cards=1, rounds=12)
    assert (records.features[:, 225] == 1).all()
    assert (np.flatnonzero(records.legal.any(axis=0)) == [0, 1]).all()


def test_the_whole_pack():
    assert_records_hold(play(cards=13, rounds=2), players=4, cards=13, rounds=2)


def test_the_search_listens_to_the_evaluator():
    """Priors that are all on one bid, and equal values, draw the visits there."""

    def stubborn(features, _legal):
        policy = np.full((len(features), 52), 1e-4, np.float32)
        policy[:, 2] = 1
        return policy, np.zeros((len(features), 8), np.float32)

    bids = play(stubborn, simulations=40, noise_fraction=0.0)
    first = bids.features[:, 185:193].sum(axis=1) == 0
    assert first.sum() == 12
    assert (bids.policy[first].argmax(axis=1) == 2).all()


def answer(policy, values):
    return lambda features, _legal: (policy(len(features)), values(len(features)))


def flat(rows):
    return np.full((rows, 52), 1 / 52, np.float32)


def zeros(rows):
    return np.zeros((rows, 8), np.float32)


def with_bad_entry(array, value):
    array[0, 2] = value
    return array


def off_the_legal(_features, legal):
    return np.where(legal, 0, 1).astype(np.float32), zeros(len(legal))


WRONG = {
    "policy too narrow": (answer(lambda rows: flat(rows)[:, :51], zeros), ["policy", "51", "52"]),
    "a policy row too many": (answer(lambda rows: flat(rows + 1), zeros), ["policy", "52"]),
    "policy of one dimension": (answer(lambda rows: flat(rows).ravel(), zeros), ["policy", "52"]),
    "values too narrow": (answer(flat, lambda rows: zeros(rows)[:, :4]), ["values", "4", "8"]),
    "values of one dimension": (answer(flat, lambda rows: zeros(rows)[:, 0]), ["values", "8"]),
    "nan in the policy": (answer(lambda rows: with_bad_entry(flat(rows), np.nan), zeros), ["policy", "nan"]),
    "infinity in the policy": (
        answer(lambda rows: with_bad_entry(flat(rows), np.inf), zeros),
        ["policy", "inf"],
    ),
    "a negative probability": (
        answer(lambda rows: with_bad_entry(flat(rows), -0.5), zeros),
        ["policy", "-0.5"],
    ),
    "a sum beyond float32": (
        answer(lambda rows: np.full((rows, 52), 3e38, np.float32), zeros),
        ["policy", "3" + 38 * "0", "float32"],
    ),
    "nan in the values": (answer(flat, lambda rows: with_bad_entry(zeros(rows), np.nan)), ["value", "nan"]),
    "infinity in the values": (
        answer(flat, lambda rows: with_bad_entry(zeros(rows), -np.inf)),
        ["value", "inf"],
    ),
    "nothing on a legal action": (off_the_legal, ["policy", "legal"]),
    "nothing": (lambda _features, _legal: None, ["policy", "values"]),
    "the policy alone": (lambda features, _legal: flat(len(features)), ["policy", "values"]),
    "three arrays": (lambda features, _legal: (flat(len(features)),) * 3, ["policy", "values"]),
    "text": (lambda _features, _legal: ("policy", "values"), ["policy", "float32"]),
}


@pytest.mark.parametrize("case", WRONG)
@pytest.mark.parametrize("whole_buffers", [False, True])
def test_a_wrong_answer_is_named_and_leaves_the_process_well(case, whole_buffers):
    evaluator, mentions = WRONG[case]
    if whole_buffers:
        plain = evaluator

        class Whole:
            def evaluate_batch(self, features, legal):
                return plain(features, legal)

        evaluator = Whole()
    with pytest.raises(EvaluatorError) as error:
        play(evaluator)
    for word in mentions:
        assert word in str(error.value).lower()
    assert as_bytes(play()) == as_bytes(play())


@pytest.mark.parametrize("calls_before", [0, 1, 6])
@pytest.mark.parametrize("threads", [1, 8])
def test_an_evaluators_own_exception_comes_out_with_its_traceback(calls_before, threads):
    class OwnError(Exception):
        pass

    calls = []

    def fails_here(features, legal):
        calls.append(len(features))
        if len(calls) > calls_before:
            raise OwnError("from the evaluator")
        return hashing()(features, legal)

    with pytest.raises(OwnError, match="from the evaluator") as error:
        play(fails_here, threads=threads)
    assert "fails_here" in [frame.name for frame in traceback.extract_tb(error.value.__traceback__)]
    assert len(calls) == calls_before + 1, "a failed evaluator is not asked again"
    assert_records_hold(play(), players=4, cards=3, rounds=12)


def test_one_object_runs_again_after_a_failure():
    runner = bz.SelfPlay(**TINY)
    with pytest.raises(ZeroDivisionError):
        runner.run(lambda _features, _legal: 1 / 0)
    assert as_bytes(runner.run(hashing())) == as_bytes(play())
    assert as_bytes(runner.run(hashing())) == as_bytes(play())


def test_what_an_evaluator_keeps_stays_readable():
    """Views that outlive a run, failed or not, must not dangle."""
    kept = []

    def keeps(features, legal):
        kept.append((features, legal))
        return hashing()(features, legal)

    class KeepsWhole(HashingOfWholeBuffers):
        def evaluate_batch(self, features, legal):
            kept.append((features, legal))
            return super().evaluate_batch(features, legal)

    play(keeps)
    play(KeepsWhole())
    gc.collect()
    play()
    for features, legal in kept:
        assert features.sum() >= 0
        assert legal.sum() >= 0


def slowly(features, legal):
    time.sleep(0.02)
    return hashing()(features, legal)


def test_progress_is_told_four_times_a_second(monkeypatch):
    """By a clock that an eighth of a second passes on for each batch: after every second batch, and at the end."""
    seconds = 0.0

    def an_eighth_of_a_second(features, legal):
        nonlocal seconds
        seconds += 0.125
        return hashing()(features, legal)

    monkeypatch.setattr("blob_zero.selfplay.serving.time", SimpleNamespace(perf_counter=lambda: seconds))
    seen = []
    stats = bz.SelfPlay(**TINY).run(an_eighth_of_a_second, progress=seen.append).stats
    assert stats.batches > 20
    assert [told.batches for told in seen[:-1]] == pytest.approx(range(2, stats.batches + 1, 2), abs=5)
    assert seen[-1].rounds_done == stats.rounds == 12
    assert seen[-1].rows == stats.rows


def test_an_exception_in_progress_comes_out():
    def fails(_progress):
        raise LookupError("from progress")

    with pytest.raises(LookupError, match="from progress"):
        bz.SelfPlay(**{**TINY, "rounds": 1000}).run(slowly, progress=fails)
    assert_records_hold(play(), players=4, cards=3, rounds=12)


@pytest.mark.parametrize("moment", ["working", "waiting", "starting"])
def test_ctrl_c_ends_a_run_at_once_and_cleanly(moment):
    """In a process of its own: a signal that went astray would end pytest."""
    script = pathlib.Path(__file__).parents[1] / "support" / "interrupted_run.py"
    done = subprocess.run([sys.executable, script, moment], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
