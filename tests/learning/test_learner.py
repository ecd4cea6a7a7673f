import math

import numpy as np
import pytest
import torch
from support.training_fakes import SMALL, FakeRows, random_rows, ring_of

from blob_zero.config.schema import TrainingConfig
from blob_zero.errors import BlobError, CheckpointError
from blob_zero.learning.learner import Learner
from blob_zero.learning.loss import batch_losses
from blob_zero.learning.minibatches import DeviceBatch, DeviceRows
from blob_zero.learning.rate import learning_rate
from blob_zero.model.blobnet import BlobNet, NetworkShape
from blob_zero.model.networks import seeded_network

CPU = torch.device("cpu")
SHAPE = NetworkShape(values=8, **SMALL)


def on_device(rows: FakeRows) -> DeviceBatch:
    return DeviceRows(ring_of(rows), device=CPU).batch(torch.arange(len(rows.features)))


def make_learner(*, seed: int = 0, **settings: object) -> Learner:
    config = TrainingConfig(**{"precision": "fp32", "epochs": 1, "batch_size": 32, **settings})
    return Learner(seeded_network(SHAPE, seed=seed), config, device=CPU, iterations=10)


def weights_of(learner: Learner) -> list[torch.Tensor]:
    return [p.detach().clone() for p in learner.net.parameters()]


def slow_losses(logits, values, batch):
    """The two losses, row by row, in float64."""
    policy_terms, value_terms = [], []
    for row in range(len(batch.features)):
        legal = np.flatnonzero(batch.legal[row])
        weights = np.exp(logits[row, legal].astype(np.float64))
        target = batch.policy[row, legal].astype(np.float64)
        target /= target.sum()
        policy_terms.append(-sum(target * np.log(weights / weights.sum())))
        players = batch.features[row, 228]
        value_terms.append(np.mean((values[row, :players] - batch.values[row, :players]) ** 2))
    return np.mean(policy_terms), np.mean(value_terms)


def test_losses_are_those_of_the_slow_oracle():
    rng = np.random.default_rng(0)
    rows = random_rows(rng, 40)
    rows.features[:, 228] = rng.integers(3, 9, 40)
    logits, values = 3 * rng.standard_normal((40, 52)), rng.uniform(-1, 1, (40, 8))
    losses = batch_losses(torch.tensor(logits), torch.tensor(values), on_device(rows))
    policy, value = slow_losses(logits, values, rows)
    assert losses.policy.item() == pytest.approx(policy, rel=1e-4)
    assert losses.value.item() == pytest.approx(value, rel=1e-4)


def test_rows_weigh_the_same_however_many_play():
    rng = np.random.default_rng(0)
    rows = random_rows(rng, 2)
    rows.features[:, 228] = [3, 8]
    batch = on_device(rows)
    # Each row is wrong by the same in all of its seats.
    errors = torch.tensor([[1.0], [3.0]])
    losses = batch_losses(torch.zeros(2, 52), batch.values + errors, batch)
    assert losses.value.item() == pytest.approx((1 + 9) / 2)
    assert losses.value_error.item() == pytest.approx(2)


def test_illegal_logits_and_absent_seats_do_not_matter():
    batch = on_device(random_rows(np.random.default_rng(0), 16, players=3))
    logits, values = torch.zeros(16, 52, requires_grad=True), torch.zeros(16, 8, requires_grad=True)
    losses = batch_losses(logits, values, batch)
    (losses.policy + losses.value).backward()
    assert (logits.grad[~batch.legal] == 0).all()
    assert (values.grad[:, 3:] == 0).all()
    assert (values.grad[:, :3] != 0).any()


def test_the_policy_loss_of_the_target_itself_is_its_entropy():
    batch = on_device(random_rows(np.random.default_rng(0), 16))
    losses = batch_losses(batch.policy.clamp_min(1e-12).log(), torch.zeros(16, 8), batch)
    assert losses.policy.item() == pytest.approx(losses.entropy.item(), rel=1e-5)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_learns_what_the_rows_say(precision):
    # Rows of random numbers can only be learned by heart, and renamed ones are other rows.
    settings = {"learning_rate": 1e-2, "epochs": 30, "warmup_iterations": 0.1}
    learner = make_learner(precision=precision, **settings)
    ring = ring_of(random_rows(np.random.default_rng(0), 64))
    before = learner.train(ring, np.random.default_rng(1), iteration=0)
    after = learner.train(ring, np.random.default_rng(2), iteration=1)
    assert (after.losses["policy_loss"] - after.losses["policy_entropy"]) < 0.5 * (
        before.losses["policy_loss"] - before.losses["policy_entropy"]
    )
    assert after.losses["value_loss"] < 0.5 * before.losses["value_loss"]
    assert before.steps == 60
    assert before.skipped_steps == 0
    assert before.examples_per_second > 0


def test_the_same_rows_in_the_same_order_give_the_same_bytes():
    ring = ring_of(random_rows(np.random.default_rng(0), 100))
    first, second, other = make_learner(), make_learner(), make_learner()
    for learner, seed in ((first, 1), (second, 1), (other, 2)):
        learner.train(ring, np.random.default_rng(seed), iteration=3)
    assert all(map(torch.equal, weights_of(first), weights_of(second)))
    assert not all(map(torch.equal, weights_of(first), weights_of(other)))


def test_a_step_that_is_not_finite_is_skipped_and_counted():
    rows = random_rows(np.random.default_rng(0), 64)
    rows.values[3, 0] = np.nan  # in one of the two batches, whatever the order
    learner = make_learner()
    told = []
    metrics = learner.train(ring_of(rows), np.random.default_rng(0), iteration=1, notice=told.append)
    assert (metrics.steps, metrics.skipped_steps) == (1, 1)
    assert told == ["training of iteration 2 skipped 1 of 2 steps, whose loss or gradient was not finite"]
    assert math.isfinite(metrics.losses["policy_loss"])
    assert math.isfinite(metrics.losses["value_loss"])
    assert all(torch.isfinite(weight).all() for weight in weights_of(learner))


def test_a_skipped_step_leaves_weights_and_optimizer_as_they_were():
    rows = random_rows(np.random.default_rng(0), 8)
    learner = make_learner()
    assert learner.step(on_device(rows), rate=1e-2)[0] == 1
    weights, state = weights_of(learner), {name: tensor.clone() for name, tensor in learner.state().items()}
    rows.values[0, 0] = np.nan
    assert (learner.step(on_device(rows), rate=1e-2) == 0).all()
    assert all(map(torch.equal, weights_of(learner), weights))
    after = learner.state()
    assert after.keys() == state.keys()
    assert all(torch.equal(after[name], state[name]) for name in state)


def test_no_finite_step_at_all_is_an_error_and_leaves_the_network():
    rows = random_rows(np.random.default_rng(0), 64)
    rows.values[:, 0] = np.inf
    learner = make_learner()
    before = weights_of(learner)
    with pytest.raises(BlobError, match="iteration 2"):
        learner.train(ring_of(rows), np.random.default_rng(0), iteration=1)
    assert all(map(torch.equal, weights_of(learner), before))


def test_only_weight_matrices_decay():
    learner = make_learner(weight_decay=0.5)
    before = dict(zip(dict(learner.net.named_parameters()), weights_of(learner), strict=True))
    batch = on_device(random_rows(np.random.default_rng(0), 8))
    # Adam's step is at most the rate, whatever the gradient; the decay of weights far from zero stands out.
    with torch.no_grad():
        for parameter in learner.net.parameters():
            parameter.fill_(100.0)
    learner.step(batch, rate=1e-2)
    for name, parameter in learner.net.named_parameters():
        drop = 100.0 - parameter.detach().mean().item()
        assert (drop > 0.4) == (before[name].ndim > 1), name


def test_gradients_are_clipped_before_the_step():
    batch = on_device(random_rows(np.random.default_rng(0), 8))
    learner = make_learner(gradient_clip=1e-3)
    norm = learner.step(batch, rate=1e-3)[-1].item()
    clipped = math.sqrt(sum(p.grad.square().sum().item() for p in learner.net.parameters()))
    assert norm > 0.1
    assert clipped == pytest.approx(1e-3, rel=1e-2)


def test_a_learner_that_takes_over_a_state_goes_on_alike():
    ring = ring_of(random_rows(np.random.default_rng(0), 100))
    first = make_learner()
    first.train(ring, np.random.default_rng(1), iteration=0)
    second = make_learner(seed=9)
    second.net.load_state_dict(first.net.state_dict())
    second.load_state(first.state())
    fresh = make_learner(seed=9)
    fresh.net.load_state_dict(first.net.state_dict())
    for learner in (first, second, fresh):
        learner.train(ring, np.random.default_rng(2), iteration=1)
    assert all(map(torch.equal, weights_of(first), weights_of(second)))
    assert not all(map(torch.equal, weights_of(first), weights_of(fresh)))


def test_the_state_of_another_network_is_refused():
    learner = make_learner()
    learner.step(on_device(random_rows(np.random.default_rng(0), 8)), rate=1e-3)
    other = Learner(BlobNet(**SMALL | {"width": 32}), TrainingConfig(), device=CPU, iterations=1)
    with pytest.raises(CheckpointError, match="fits no parameter"):
        other.load_state(learner.state())


def test_the_rate_rises_to_its_peak_and_falls_to_its_end():
    config = TrainingConfig(learning_rate=0.1, warmup_iterations=2, final_learning_rate=0.05)

    def rate(at):
        return learning_rate(at, iterations=10, config=config)

    assert rate(0) == 0
    assert rate(1) == pytest.approx(0.05)
    assert rate(2) == pytest.approx(0.1)
    assert rate(6) == pytest.approx(0.1 * (0.05 + 0.95 / 2))
    assert rate(10) == pytest.approx(0.005)
    assert rate(11) == pytest.approx(0.005)
    # The same, later and in what is left.
    for at in (0, 1, 3):
        assert learning_rate(at, iterations=11, config=config, first=3) == 0
    assert learning_rate(4, iterations=13, config=config, first=3) == pytest.approx(rate(1))
    assert learning_rate(9, iterations=13, config=config, first=3) == pytest.approx(rate(6))
    assert learning_rate(2, iterations=2, config=config, first=5) == 0


def test_a_short_run_still_reaches_the_peak():
    config = TrainingConfig(learning_rate=0.1, warmup_iterations=5, final_learning_rate=0.0)
    assert learning_rate(0.5, iterations=1, config=config) == pytest.approx(0.1)
    assert learning_rate(1.0, iterations=1, config=config) == pytest.approx(0)
