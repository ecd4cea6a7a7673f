import pytest
import torch
from torch import nn

from blob_zero.errors import ConfigError
from blob_zero.model.blobnet import BlobNet, EncoderLayer
from blob_zero.model.networks import seeded_network


def parameters(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


def test_has_the_published_number_of_parameters():
    assert parameters(BlobNet(values=1)) == 4_917_301


def test_each_further_value_is_one_row_of_the_value_head():
    assert parameters(BlobNet()) == 4_917_301 + 7 * (128 + 1)


@pytest.mark.parametrize("values", [1, 8])
def test_gives_a_logit_an_action_and_bounded_values(values):
    logits, out = BlobNet(values)(100 * torch.randn(3, 256))
    assert logits.shape == (3, 52)
    assert out.shape == (3, values)
    assert out.abs().max() <= 1


def test_layer_is_pytorchs_encoder_layer_on_one_token():
    torch.manual_seed(0)
    oracle = nn.TransformerEncoderLayer(64, 4, 128, dropout=0.0, batch_first=True)
    for parameter in oracle.parameters():
        nn.init.normal_(parameter, std=0.3)
    layer = EncoderLayer(width=64, heads=4, feed_forward=128)
    layer.load_state_dict(oracle.state_dict())
    x = torch.randn(16, 64)
    torch.testing.assert_close(layer(x), oracle(x[:, None])[:, 0], atol=1e-5, rtol=1e-5)


def test_every_weight_that_matters_gets_a_gradient():
    net = BlobNet(width=32, layers=2, heads=4, feed_forward=64)
    logits, values = net(torch.randn(4, 256))
    (logits.square().sum() + values.sum()).backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_seed_makes_the_weights_and_leaves_the_global_state():
    shape = BlobNet(width=16, layers=1, heads=1).shape
    before = torch.get_rng_state()
    first, again, other = (seeded_network(shape, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first.embed.weight, again.embed.weight)
    assert not torch.equal(first.embed.weight, other.embed.weight)


@pytest.mark.parametrize(("sizes", "named"), [({"width": 100, "heads": 8}, "100.*8"), ({"layers": 0}, "layers = 0")])
def test_sizes_that_make_no_network_are_named(sizes, named):
    with pytest.raises(ConfigError, match=named):
        BlobNet(**sizes)
