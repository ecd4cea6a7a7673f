"""The rounds that a policy learns from: rows are what was played, in an order that the seed determines."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from support.policy_rounds import CPU, batches, judge, played

import blob_zero as bz
from blob_zero.config.schema import TrainingConfig
from blob_zero.errors import CheckpointError, ConfigError
from blob_zero.learning.learner import Learner
from blob_zero.learning.round_replay import OutcomeBatch, RoundReplay
from blob_zero.model.networks import seeded_network
from blob_zero.model.outcome_net import OutcomeShape


def same(left: list[OutcomeBatch], right: list[OutcomeBatch]) -> bool:
    columns, others = ([column.numpy().tobytes() for batch in side for column in batch] for side in (left, right))
    return columns == others


def test_an_iteration_learns_from_its_own_rounds_alone():
    replay = RoundReplay(10_000)
    replay.append(played(50).rounds)
    before = replay.newest
    replay.append(played(100, first_round=50).rounds)
    there = int(played(100, first_round=50).rounds["decisions"].sum())
    assert replay.newest < there  # one round in twenty is held out
    assert len(replay) == before + there + sum(batch.rows for batch in replay.held_out(device=CPU)) - (
        there - replay.newest
    )
    once, twice = batches(replay), batches(replay, epochs=2)
    assert sum(batch.rows for batch in once) == replay.newest // 32 * 32
    assert len(twice) == 2 * len(once)
    drawn = torch.cat([batch.features for batch in twice[: len(once)]])
    again = torch.cat([batch.features for batch in twice[len(once) :]])
    assert not torch.equal(drawn, again)
    alone = RoundReplay(10_000)
    alone.append(played(100, first_round=50).rounds)
    assert same(batches(alone), once)


def test_threads_that_judge_change_no_byte():
    replay = RoundReplay(10_000)
    replay.append(played(400).rounds)
    assert replay.newest > 3 * 1024  # a part for each of four threads
    learner = Learner(
        seeded_network(OutcomeShape(16, 2), seed=1), TrainingConfig(batch_size=32), device=CPU, iterations=1
    )
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 4):
            torch.set_num_threads(threads)
            found.append(list(learner.minibatches(replay, np.random.default_rng(0), iteration=1).batches))
            with ThreadPoolExecutor(1) as pool:
                assert pool.submit(torch.get_num_threads).result() == threads
    finally:
        torch.set_num_threads(before)
    assert same(*found)
    assert any(batch.advantage.any() for batch in found[0])


def test_few_rounds_make_one_small_batch():
    replay = RoundReplay(10_000)
    replay.append(played(1).rounds)
    (batch,) = list(
        replay.minibatches(
            np.random.default_rng(0),
            TrainingConfig(),
            judge=judge,
            critic_warms_up=False,
            device=CPU,
            epochs=1,
            entropy_weight=0.0,
        ).batches
    )
    assert replay.newest / 2 < batch.rows <= replay.newest


def test_what_is_learned_of_a_decision_follows_from_judgements_and_results():
    replay = RoundReplay(10_000)
    replay.append(played(100).rounds)
    exact = batches(replay, td_lambda=1.0)
    for batch in exact:
        own = batch.features[:, :52].sum(dim=1)
        torch.testing.assert_close(batch.log_probability, -own)
        # With lambda 1 the next decisions' judgements cancel, and the result is left.
        torch.testing.assert_close(batch.expected, batch.values[:, 0], atol=1e-5, rtol=0)
        assert (batch.entropy_weight == 0.25).all()
        # The judge's advantages of all legal actions, in units of their root mean square.
        names = torch.arange(52) / 26 - 1
        unit = (batch.advantage[batch.legal] / names.expand_as(batch.legal)[batch.legal])[
            names.expand_as(batch.legal)[batch.legal] != 0
        ]
        torch.testing.assert_close(unit, unit[:1].expand_as(unit), atol=1e-2, rtol=1e-2)
        assert not batch.advantage[~batch.legal].any()
    legal = torch.cat([batch.advantage[batch.legal] for batch in exact])
    assert legal.square().mean().sqrt() == pytest.approx(1.0, abs=0.05)
    values = torch.cat([batch.values for batch in exact])
    some = torch.cat([batch.expected for batch in batches(replay, td_lambda=0.0)])
    assert not torch.isin(some, values.unique()).all()  # the next judgement, and not the result


def test_a_critic_that_warms_up_has_no_say():
    replay = RoundReplay(10_000)
    replay.append(played(100).rounds)
    for batch in batches(replay, critic_warms_up=True, td_lambda=0.5):
        assert not batch.advantage.any()
        torch.testing.assert_close(batch.expected, batch.values[:, 0], atol=1e-5, rtol=0)
    for warmup in (0, 1, 3):
        config = TrainingConfig(batch_size=32, critic_warmup=warmup)
        learner = Learner(seeded_network(OutcomeShape(16, 2), seed=1), config, device=CPU, iterations=5)
        for k in range(4):
            drawn = list(learner.minibatches(replay, np.random.default_rng(0), iteration=k).batches)
            assert any(batch.advantage.any() for batch in drawn) == (k >= warmup)
            assert all(bool((batch.entropy_weight > 0).all()) == (k >= warmup) for batch in drawn)


@pytest.mark.parametrize(("unit", "share"), [(0.0, 1.0), (1e-7, 1.0), (3e-5, 0.5), (2.0, 0.5)])
def test_advantages_of_any_size_leave_finite_numbers(unit, share):
    replay = RoundReplay(10_000)
    replay.append(played(100).rounds)

    def of_unit(rows, after):
        judged = judge(rows, after)
        advantage = (unit * judged["advantage"].astype(np.float32)).astype(np.float16)
        return judged | {"advantage": advantage, "squares": unit**2 * judged["squares"]}

    config = TrainingConfig(batch_size=32, learned_share=share)
    drawn = replay.minibatches(
        np.random.default_rng(0),
        config,
        judge=of_unit,
        critic_warms_up=False,
        device=CPU,
        epochs=1,
        entropy_weight=0.0,
    )
    found = list(drawn.batches)
    assert all(batch.advantage.isfinite().all() and batch.weight.isfinite().all() for batch in found)
    assert any(batch.advantage.any() for batch in found) == (unit > 0)


def test_what_follows_the_action_taken_belongs_to_its_row():
    replay = RoundReplay(10_000)
    replay.append(played(100).rounds)
    settled = 0
    for batch in [*batches(replay), *replay.held_out(device=CPU)]:
        done = ~batch.settled.isnan()
        torch.testing.assert_close(batch.settled[done], batch.values[done, 0])
        assert not batch.after_features[done].any()
        raw = (batch.features / torch.from_numpy(bz.feature_scale())).round().long()
        after, hands = batch.after_features.long().split([256, 364], dim=1)
        # The same table and the same bid, and a card less at most.
        assert torch.equal(raw[~done, 228:230], after[~done, 228:230])
        assert torch.equal(after[~done, 185] - 1, batch.bid[~done])
        held = after[~done, :52].sum(dim=1)
        assert ((raw[~done, :52].sum(dim=1) - held >= 0) & (held + hands[~done].sum(dim=1) > 0)).all()
        settled += int(done.sum())
    assert settled


def test_decisions_left_out_are_made_up_for_by_the_weights_of_others():
    replay = RoundReplay(20_000)
    replay.append(played(400).rounds)
    everything = torch.cat([batch.values[:, :3] for batch in batches(replay)])
    passes = batches(replay, epochs=60, learned_share=0.2)
    rows = sum(batch.rows for batch in passes)
    assert 0.9 * 0.2 * 60 * replay.newest < rows <= 0.2 * 60 * replay.newest + 60
    weights = torch.cat([batch.weight for batch in passes])
    assert weights.std() > 0.2
    assert weights.mean() == pytest.approx(1.0, abs=0.02)
    some = torch.cat([batch.values[:, :3] for batch in passes])
    torch.testing.assert_close((weights[:, None] * some).mean(dim=0), everything.mean(dim=0), atol=0.02, rtol=0)
    # Decisions whose actions differ more are drawn more often.
    drawn, of_all = (
        torch.cat([batch.advantage.square().sum(dim=1) for batch in some]).mean() for some in (passes, batches(replay))
    )
    assert drawn > 1.03 * of_all
    assert all((batch.weight == 1).all() for batch in batches(replay))


def test_rows_say_what_came_of_the_action_taken():
    replay = RoundReplay(10_000)
    replay.append(played().rounds)
    for batch in [*batches(replay), *replay.held_out(device=CPU)]:
        assert torch.equal(batch.made, (batch.tricks[:, 0] == batch.bid).float())
        in_play = torch.arange(8) < batch.players[:, None]
        assert not batch.tricks[~in_play].any()
        raw = batch.features / torch.from_numpy(bz.feature_scale())
        assert torch.equal(batch.tricks.sum(dim=1), raw[:, 229].round().long())  # all cards dealt to a seat
        points = (batch.values[:, 0] + 1) / 2 * (10 + raw[:, 229])
        torch.testing.assert_close(points, batch.made * (10 + batch.bid), atol=1e-4, rtol=0)


def test_the_same_seed_draws_the_same_rows():
    replay, other = RoundReplay(250), RoundReplay(10_000)
    for rounds in (played(10).rounds, played(20, first_round=10).rounds):
        replay.append(rounds)
        other.restore({name: column.copy() for name, column in rounds.items()}, source="a")
    assert len(replay) <= 250 < len(other)
    assert same(batches(replay), batches(other))
    assert not same(batches(replay, seed=0), batches(replay, seed=1))


def test_what_is_no_round_is_refused():
    replay, rounds = RoundReplay(100), played(5).rounds
    with pytest.raises(CheckpointError, match="lack the column dealer"):
        replay.restore({name: column for name, column in rounds.items() if name != "dealer"}, source="x")
    spoiled = {**rounds, "action": np.full_like(rounds["action"], 51)}
    with pytest.raises(CheckpointError, match=r"x does not hold finished rounds: round \d"):
        replay.restore(spoiled, source="x")
    with pytest.raises(ConfigError, match="at least 1"):
        RoundReplay(0)
