"""The losses of a policy that learns from its own rounds are their definitions, by the core and by PyTorch."""

import numpy as np
import pytest
import torch
from support.policy_rounds import batches, played

import blob_zero as bz
from blob_zero import _core
from blob_zero.errors import ConfigError
from blob_zero.learning.actor_losses import actor_losses, losses_by_torch, replicator_losses
from blob_zero.learning.objective import critic_losses
from blob_zero.learning.round_replay import OutcomeBatch, RoundReplay
from blob_zero.model.outcome_net import TRICKS, OutcomeNet, Outcomes, missed_chances


@pytest.fixture
def batch() -> OutcomeBatch:
    """Decisions with advantages and weights of their own."""
    replay = RoundReplay(10_000)
    replay.append(played().rounds)
    batch = batches(replay)[0]
    generator = torch.Generator().manual_seed(2)
    return batch._replace(
        advantage=torch.randn(batch.rows, 52, generator=generator) * batch.legal,
        log_probability=torch.full([batch.rows], -1.0),
        weight=torch.rand(batch.rows, generator=generator),
    )


def predicted(rows: int, detailed: int | None = None) -> Outcomes:
    generator = torch.Generator().manual_seed(1)
    shapes = {
        "policy": (52,),
        "values": (8,),
        "make": (52,),
        "missed": (TRICKS,),
        "lean": (52,),
        "tricks": (8, TRICKS),
    }
    outcomes = {name: torch.randn(rows, *shape, generator=generator) for name, shape in shapes.items()}
    outcomes["policy"][: rows // 2] *= 5  # some logits are at their limit
    return Outcomes(
        **{
            name: column[:detailed] if name in ("missed", "lean", "tricks") else column
            for name, column in outcomes.items()
        }
    )


@pytest.mark.parametrize("losses_of", [actor_losses, losses_by_torch])
def test_the_losses_are_their_definitions(batch, losses_of):
    rows = batch.rows
    outcomes = predicted(rows)
    raw = batch.features / torch.from_numpy(bz.feature_scale())
    of_missed = missed_chances(outcomes.missed, outcomes.lean, raw)
    judged = torch.randn(rows, generator=torch.Generator().manual_seed(3))
    expected = torch.zeros(9)
    for k in range(rows):
        replicator = values = missed = tricks = 0.0
        action, own, seats = int(batch.action[k]), int(batch.tricks[k, 0]), int(batch.players[k])
        logits = outcomes.policy[k][batch.legal[k]]
        legal = torch.softmax(logits, 0)
        for logit, advantage in zip(logits - logits.mean(), batch.advantage[k][batch.legal[k]], strict=True):
            if abs(logit) < 5 or (logit > 0) != (advantage > 0):
                replicator -= logit * advantage
        entropy = -(legal * legal.log()).sum()
        ratio = outcomes.policy[k, action].exp() / outcomes.policy[k][batch.legal[k]].exp().sum() / np.exp(-1)
        divergence = ratio - 1 - torch.log(ratio)
        values += (outcomes.values[k, 0] - batch.expected[k]) ** 2 / seats
        critic = (judged[k] - batch.expected[k]) ** 2 if batch.settled[k].isnan() else 0.0
        made = torch.sigmoid(outcomes.make[k, action])
        make = -torch.log(made if batch.made[k] else 1 - made)
        if not batch.made[k]:
            missed -= of_missed[k, action, own]
        for seat in range(seats):
            tricks -= torch.log_softmax(outcomes.tricks[k, seat], 0)[batch.tricks[k, seat]] / seats
            values += (outcomes.values[k, seat] - batch.values[k, seat]) ** 2 / seats if seat else 0
        losses = [replicator, -0.25 * entropy, entropy, divergence, values, make, missed, tricks, critic]
        expected += batch.weight[k] * torch.tensor(losses) / rows
    found = torch.cat([losses_of(outcomes, batch), critic_losses(judged, batch)])
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_the_replicator_moves_logits_by_their_advantages_until_they_are_far_out():
    logits = torch.tensor([[1.0, 0.5, -1.5, 9.0], [6.0, -6.0, 0.0, 0.0]], requires_grad=True)
    legal = torch.tensor([[True, True, True, False], [True, True, False, False]])
    advantage = torch.tensor([[0.3, -0.2, 0.5, 0.0], [1.0, -2.0, 0.0, 0.0]])
    losses = replicator_losses(logits, legal, advantage)
    losses.sum().backward()
    # Moved by the advantages, less their mean, so that the mean of the logits stays; the second row is at its limit.
    torch.testing.assert_close(losses.detach(), torch.tensor([0.55, 0.0]))
    assert logits.grad is not None
    torch.testing.assert_close(logits.grad, torch.tensor([[-0.1, 0.4, -0.3, 0.0], [0.0] * 4]))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_gradients_of_the_core_are_those_of_pytorch(batch, dtype):
    chance = torch.where(torch.arange(batch.rows) % 3 == 0, -500.0, -1.0)  # some have moved as far as counts
    batch = batch._replace(log_probability=chance)
    of_losses = torch.tensor([0.3, 1.0, 0.1, 0.7, 0.25, 0.5, 0.1, 0.2])
    found = []
    for losses_of in (actor_losses, losses_by_torch):
        parts = Outcomes(*(part.to(dtype) for part in predicted(batch.rows, detailed=batch.rows // 4)))
        parts = parts._replace(policy=parts.policy.float())
        whole = torch.cat([parts.values, parts.make], dim=1).requires_grad_()
        policy, missed, lean, tricks = (
            part.requires_grad_() for part in (parts.policy, parts.missed, parts.lean, parts.tricks)
        )
        values, make = whole.split([8, 52], dim=1)  # not in one piece, as a network's heads are
        losses = losses_of(Outcomes(policy, values, make, missed, lean, tricks), batch)
        losses.backward(of_losses)
        found.append([losses.detach(), *(part.grad for part in (policy, whole, missed, lean, tricks))])
    rtol, atol = (1e-4, 1e-6) if dtype == torch.float32 else (1e-2, 1e-4)
    for core, torchs in zip(*found, strict=True):
        assert core.any()
        torch.testing.assert_close(core, torchs, atol=atol, rtol=rtol)


def spoiled(batch: OutcomeBatch) -> list[tuple[Outcomes, OutcomeBatch]]:
    """Predictions with one number each that is none, and an earlier probability that is none."""
    found = []
    action = int(batch.action[0])
    other = next(k for k in range(52) if batch.legal[0, k] and k != action)
    missed = int((batch.made == 0).nonzero()[0])
    places = {
        "policy": (0, other),
        "values": (0, 2),
        "make": (0, action),
        "missed": (missed, int(batch.tricks[missed, 0])),
        "lean": (missed, int(batch.action[missed])),
        "tricks": (0, 1, 3),
    }
    for name, place in places.items():
        outcomes = predicted(batch.rows)
        getattr(outcomes, name)[place] = torch.nan
        found.append((outcomes, batch))
    chances = batch.log_probability.clone()
    chances[0] = torch.nan
    return [*found, (predicted(batch.rows), batch._replace(log_probability=chances))]


@pytest.mark.parametrize("losses_of", [actor_losses, losses_by_torch])
def test_a_number_that_is_none_leaves_a_loss_that_is_none(batch, losses_of):
    for outcomes, spoiled_batch in spoiled(batch):
        assert not losses_of(outcomes, spoiled_batch).isfinite().all()


@pytest.mark.parametrize("losses_of", [actor_losses, losses_by_torch])
def test_an_action_that_had_no_chance_keeps_the_losses_finite(batch, losses_of):
    batch = batch._replace(log_probability=torch.full([batch.rows], -500.0))
    outcomes = OutcomeNet(width=8, layers=1)(batch.features)
    assert losses_of(outcomes, batch).isfinite().all()


def test_columns_that_do_not_fit_each_other_are_refused(batch):
    with pytest.raises(ConfigError, match="weight has 31 numbers; 32 fit the other columns"):
        actor_losses(predicted(batch.rows), batch._replace(weight=batch.weight[1:]))
    with pytest.raises(ConfigError, match="action 52; it is 0 to 51"):
        actor_losses(predicted(batch.rows), batch._replace(action=torch.full_like(batch.action, 52)))
    with pytest.raises(ConfigError, match="legal is not in the order of its rows"):
        _core.outcome_losses(
            {name: np.ones((2, 52), np.float32) for name in ("policy", "make")}
            | {name: np.ones(2, np.float32) for name in ("log_probability", "expected", "entropy_weight", "weight")}
            | {name: np.ones((2, 8), np.float32) for name in ("predicted_values", "values")}
            | {name: np.ones((0,), np.float32) for name in ("missed", "lean", "predicted_tricks")}
            | {"legal": np.ones((52, 2), bool).T, "advantage": np.ones((2, 52), np.float32)}
            | {"action": np.ones(2, np.int64), "bid": np.ones(2, np.int64), "tricks": np.ones((2, 8), np.int64)}
            | {"players": np.full(2, 4, np.uint8)}
        )
    with pytest.raises(ConfigError, match="players 9 in a minibatch; there are 1 to 8"):
        actor_losses(predicted(batch.rows), batch._replace(players=torch.full_like(batch.players, 9)))


def test_decisions_are_judged_by_the_policy_and_the_values_of_their_actions():
    generator = np.random.default_rng(1)
    replay = RoundReplay(10_000)
    replay.append(played().rounds)
    places = np.arange(40)
    rows, after = replay._store.rows(places), replay._store.after_each(places)
    policy, make = (generator.standard_normal((40, 52)).astype(np.float32) for _ in range(2))
    value = generator.standard_normal(len(after["action"])).astype(np.float32)
    made = rows["tricks"][:, 0] == rows["bid"]
    columns = {
        "policy": policy, "make": make, "legal": rows["legal"], "action": rows["action"], "made": made,
        "decision": after["decision"], "acted": after["action"], "settled": after["settled"], "value": value,
    }  # fmt: skip
    found = _core.judge_decisions(**columns)
    for k in places:
        legal = rows["legal"][k]
        chances = torch.softmax(torch.from_numpy(policy[k][legal]), 0).numpy()
        own = after["decision"] == k
        assert np.array_equal(np.sort(after["action"][own]), np.flatnonzero(legal))
        values = np.zeros(52, np.float32)
        settled = after["settled"][own]
        values[after["action"][own]] = np.where(np.isnan(settled), value[own], settled)
        expected, taken = (chances * values[legal]).sum(), rows["action"][k]
        np.testing.assert_allclose(found["value"][k], expected, atol=1e-6)
        np.testing.assert_allclose(found["taken_value"][k], values[taken])
        np.testing.assert_allclose(found["advantage"][k], np.where(legal, values - expected, 0), atol=1e-6, rtol=1e-3)
        np.testing.assert_allclose(found["squares"][k], np.square(values - expected)[legal].sum(), rtol=1e-5)
        np.testing.assert_allclose(
            found["log_probability"][k], np.log(chances[np.flatnonzero(legal) == taken])[0], atol=1e-5
        )
        chance = 1 / (1 + np.exp(-make[k, taken]))
        np.testing.assert_allclose(found["make_error"][k], abs(chance - made[k]), atol=1e-6)
    with pytest.raises(ConfigError, match="decision 40; it is 0 to 39"):
        _core.judge_decisions(**columns | {"decision": np.full_like(after["decision"], 40)})
    with pytest.raises(ConfigError, match="acted 52; it is 0 to 51"):
        _core.judge_decisions(**columns | {"acted": np.full_like(after["action"], 52)})
    with pytest.raises(ConfigError, match="made has 39 numbers; 40 fit the other columns"):
        _core.judge_decisions(**columns | {"made": made[1:]})
