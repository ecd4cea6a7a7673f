"""The rounds that a policy learns from: rows are what was played, in an order that the seed determines."""

import numpy as np
import pytest
import torch

import blob_zero as bz
from blob_zero.config.schema import TrainingConfig
from blob_zero.config.search_options import PolicyOptions
from blob_zero.errors import CheckpointError, ConfigError
from blob_zero.learning.objective import outcome_losses
from blob_zero.learning.round_replay import OutcomeBatch, RoundReplay
from blob_zero.model.networks import seeded_network
from blob_zero.model.outcome_net import TRICKS, OutcomeNet, Outcomes, OutcomeShape, missed_chances

CPU = torch.device("cpu")


def even(features, legal):
    return legal / legal.sum(axis=1, keepdims=True).astype(np.float32), np.zeros((len(features), 8), np.float32)


def played(rounds=60, first_round=0, **options):
    return bz.SelfPlay(
        shapes=[(3, 4, 1.0), (5, 3, 1.0)],
        policy=PolicyOptions(),
        rounds=rounds,
        first_round=first_round,
        seed=3,
        batch_rows=64,
        **options,
    ).run(even)


def network(seed=1) -> OutcomeNet:
    net = seeded_network(OutcomeShape(width=16, layers=1), seed=seed)
    assert isinstance(net, OutcomeNet)
    return net


def batches(replay: RoundReplay, seed=0, **settings) -> list[OutcomeBatch]:
    config = TrainingConfig(batch_size=32, **settings)
    drawn = replay.minibatches(np.random.default_rng(seed), config, net=network(), device=CPU)
    found = list(drawn.batches)
    assert len(found) == drawn.total
    assert all(batch.rows == drawn.size for batch in found)
    return found


def same(left: list[OutcomeBatch], right: list[OutcomeBatch]) -> bool:
    return len(left) == len(right) and all(
        torch.equal(mine, other) for a, b in zip(left, right, strict=True) for mine, other in zip(a, b, strict=True)
    )


def test_an_iteration_draws_as_many_rows_as_are_new():
    replay = RoundReplay(10_000)
    replay.append(played().rounds)
    there = len(replay)
    assert there == int(played().rounds["decisions"].sum())
    assert replay.newest < there  # rounds 19, 39 and 59 are held out
    assert sum(batch.rows for batch in batches(replay)) == pytest.approx(replay.newest, abs=16)
    assert sum(batch.rows for batch in batches(replay, reuse=0.5)) == pytest.approx(replay.newest / 2, abs=16)
    held_out = sum(batch.rows for batch in replay.held_out(device=CPU))
    assert held_out + replay.newest == there


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


def test_the_same_seed_draws_the_same_rows_from_rounds_that_were_saved_and_read():
    whole, restored = RoundReplay(400), RoundReplay(400)
    first, second = played(30).rounds, played(30, first_round=30).rounds
    for rounds in (first, second):
        whole.append(rounds)
    restored.restore({name: column.copy() for name, column in first.items()}, source="a")
    restored.restore(second, source="b")
    assert len(whole) <= 400
    assert same(batches(whole), batches(restored))
    assert not same(batches(whole, seed=0), batches(whole, seed=1))


def test_a_target_can_be_a_judgement_of_the_next_decision():
    replay = RoundReplay(10_000)
    replay.append(played().rounds)
    plain, mixed = batches(replay), batches(replay, bootstrap=0.75)
    moved = torch.cat([b.made != a.made for a, b in zip(plain, mixed, strict=True)])
    last_card = torch.cat([(batch.features[:, :52].sum(dim=1) <= 1) for batch in plain])
    assert moved.float().mean() > 0.3
    assert not moved[last_card].any()  # nothing comes after it, so the round decides
    made = torch.cat([batch.made for batch in mixed])
    assert ((made >= 0) & (made <= 1)).all()
    # Of a target three quarters are the judgement of an untrained network: small chances.
    ended = torch.cat([batch.made for batch in plain])
    torch.testing.assert_close(made[moved], 0.25 * ended[moved], atol=0.1, rtol=0)


def test_what_is_no_round_is_refused():
    replay, rounds = RoundReplay(100), played(5).rounds
    with pytest.raises(CheckpointError, match="lack the column dealer"):
        replay.restore({name: column for name, column in rounds.items() if name != "dealer"}, source="x")
    spoiled = {**rounds, "action": np.full_like(rounds["action"], 51)}
    with pytest.raises(CheckpointError, match=r"x does not hold finished rounds: round \d"):
        replay.restore(spoiled, source="x")
    with pytest.raises(ConfigError, match="at least 1"):
        RoundReplay(0)


def test_the_losses_are_their_definitions():
    replay = RoundReplay(10_000)
    replay.append(played().rounds)
    generator = torch.Generator().manual_seed(1)
    batch = batches(replay)[0]
    rows = batch.rows
    shapes = {"make": (52,), "values": (8,), "missed": (TRICKS,), "lean": (52,), "tricks": (8, TRICKS)}
    outcomes = Outcomes(**{name: torch.randn(rows, *shape, generator=generator) for name, shape in shapes.items()})
    raw = batch.features / torch.from_numpy(bz.feature_scale())
    of_missed = missed_chances(outcomes.missed, outcomes.lean, raw)
    make = missed = tricks = values = 0.0
    for k in range(rows):
        action, own, seats = int(batch.action[k]), int(batch.tricks[k, 0]), int(batch.players[k])
        chance = torch.sigmoid(outcomes.make[k, action])
        make -= torch.log(chance if batch.made[k] else 1 - chance)
        if not batch.made[k]:
            missed -= of_missed[k, action, own]
        for seat in range(seats):
            tricks -= torch.log_softmax(outcomes.tricks[k, seat], 0)[batch.tricks[k, seat]] / seats
            values += (outcomes.values[k, seat] - batch.values[k, seat]) ** 2 / seats
    expected = torch.tensor([make, missed, tricks, values]) / rows
    torch.testing.assert_close(outcome_losses(outcomes, batch), expected, atol=1e-4, rtol=1e-4)
