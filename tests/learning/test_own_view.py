"""`search.own_view`: the searcher judges leaves by its own hand, and the network learns what other seats know."""

import dataclasses

import numpy as np
import polars as pl
import pytest
import torch
from support.evaluators import hashing
from support.training_fakes import FakeJudge, SilentDisplay, random_rows, ring_of, small_config

import blob_zero as bz
from blob_zero.arena.entrant import read_entrant
from blob_zero.config.search_options import SearchOptions
from blob_zero.errors import EvaluatorError
from blob_zero.learning.loop import train
from blob_zero.learning.loss import batch_losses
from blob_zero.learning.minibatches import DeviceRows

CPU = torch.device("cpu")


def test_losses_of_the_policy_are_means_over_decisions():
    rng = np.random.default_rng(0)
    decided, seen = random_rows(rng, 30), random_rows(rng, 30)
    seen = dataclasses.replace(seen, legal=np.zeros_like(seen.legal), policy=np.zeros_like(seen.policy))
    logits, values = torch.randn(60, 52), torch.tanh(torch.randn(60, 8))

    def losses(rows, first, count):
        ring = DeviceRows(ring_of(*rows), device=CPU)
        slots = torch.arange(first, first + count)
        batch = ring.batch(slots, ring._policy_weight(np.arange(sum(len(part.features) for part in rows))))
        return batch_losses(logits[slots], values[slots], batch)

    alone, both = losses([decided], 0, 30), losses([decided, seen], 0, 60)
    torch.testing.assert_close(both.policy, alone.policy)
    torch.testing.assert_close(both.entropy, alone.entropy)
    halves = [losses([decided, seen], first, 30) for first in (0, 30)]
    torch.testing.assert_close(both.policy, (halves[0].policy + halves[1].policy) / 2)
    torch.testing.assert_close(both.value, (halves[0].value + halves[1].value) / 2)


def test_a_run_learns_from_both_kinds_of_row_and_the_arena_searches_as_it_did(tmp_path):
    config = small_config(
        search={"worlds": 2, "simulations": 4, "own_view": True}, selfplay={"rounds": 40, "playout_iterations": 1}
    )
    train(config, tmp_path, display=SilentDisplay(), device="cpu", judge=FakeJudge())
    metrics = pl.read_parquet(tmp_path / "metrics.parquet")
    plain = tmp_path / "plain"
    without = small_config(search={"worlds": 2, "simulations": 4}, selfplay={"rounds": 40, "playout_iterations": 1})
    train(without, plain, display=SilentDisplay(), device="cpu", judge=FakeJudge())
    rows = [pl.read_parquet(folder / "metrics.parquet")["rows"].to_numpy() for folder in (tmp_path, plain)]
    # Playouts need no view of leaves, so the rounds of the first iteration are the same.
    assert rows[0][0] == 2 * rows[1][0]
    for name in ("policy_loss", "value_loss", "held_out_policy_loss", "held_out_value_loss"):
        assert np.isfinite(metrics[name].to_numpy()).all(), name
    entropy = [pl.read_parquet(folder / "metrics.parquet")["policy_entropy"][0] for folder in (tmp_path, plain)]
    assert entropy[0] == pytest.approx(entropy[1], rel=0.2), "means over decisions, whatever rows are beside them"
    for folder, own_view in ((tmp_path, True), (plain, False)):
        for name in (str(folder), f"{folder}:3x8"):
            search = read_entrant(name, SearchOptions()).search
            assert isinstance(search, SearchOptions)
            assert search.own_view == own_view


def test_a_view_that_breaks_the_contract_is_named():
    def broken(features, legal):
        policy, values = hashing()(features, legal)
        values[~legal.any(axis=1), 0] = np.nan
        return policy, values

    observation = bz.Round(players=4, cards=3, seed=1).observe()
    options = {"worlds": 1, "simulations": 9}
    bz.search(observation, broken, **options)
    with pytest.raises(EvaluatorError, match=r"values\[0\] is NaN"):
        bz.search(observation, broken, own_view=True, **options)
    with pytest.raises(EvaluatorError, match=r"values\[0\] is NaN"):
        bz.SelfPlay(players=4, cards=3, rounds=4, own_view=True, **options).run(broken)


# Places in the encoding (docs/observation.md): the dealer's relative seat.
_DEALER = slice(217, 225)


def test_a_value_that_the_view_replaces_has_to_be_sound_too():
    round_ = bz.Round(players=3, cards=3, dealer=0, seed=1)
    searcher = round_.to_play

    def broken(features, legal):
        policy, values = hashing()(features, legal)
        mover = (0 - features[:, _DEALER].argmax(axis=1)) % 3
        place = (searcher - mover) % 3
        others = np.flatnonzero(legal.any(axis=1) & (place > 0))
        values[others, place[others]] = np.nan
        return policy, values

    for leaves_in_flight in (1, 2):
        options = {"worlds": 2, "simulations": 9, "own_view": True, "leaves_in_flight": leaves_in_flight}
        with pytest.raises(EvaluatorError, match=r"values\[[12]\] is NaN"):
            bz.search(round_.observe(), broken, **options)
        with pytest.raises(EvaluatorError, match=r"values\[[12]\] is NaN"):
            bz.SelfPlay(players=3, cards=3, rounds=4, **options).run(broken)
