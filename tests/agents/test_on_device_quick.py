"""The quick layers are torch's own functions."""

from copy import deepcopy

import pytest
import torch
from torch import nn

from mercato.agents.on_device.quick import QuickGaussian, QuickLinear, QuickTanh, quicken


def pair() -> tuple[nn.Sequential, nn.Sequential]:
    torch.manual_seed(0)
    plain = nn.Sequential(nn.Linear(17, 64), nn.Tanh(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2))
    quick = deepcopy(plain)
    quicken(quick)
    return plain, quick


@pytest.mark.parametrize("spread", [0.01, 1.0, 50.0])
def test_values_and_gradients_are_those_of_torch(spread):
    plain, quick = pair()
    x = spread * torch.randn(300, 30)[:, 5:22]  # not contiguous
    one, two = x.clone().requires_grad_(), x.clone().requires_grad_()
    weight = torch.randn(300, 2)
    (plain(one) * weight).sum().backward()
    (quick(two) * weight).sum().backward()
    assert torch.allclose(plain(x), quick(x), atol=1e-5)
    assert torch.allclose(one.grad, two.grad, atol=1e-5)
    for mine, theirs in zip(quick.parameters(), plain.parameters(), strict=True):
        assert torch.allclose(mine.grad, theirs.grad, rtol=1e-4, atol=1e-3)


def test_the_gradient_is_that_of_small_differences():
    layers = nn.Sequential(QuickTanh(), nn.Linear(4, 3).double())
    quicken(layers)  # double takes torch's way through the linear layer
    assert torch.autograd.gradcheck(layers, torch.randn(5, 4, dtype=torch.float64, requires_grad=True))


@pytest.mark.parametrize("shape", [(17,), (2, 3, 17), (0, 17)])
def test_any_shape_is_taken(shape):
    plain, quick = pair()
    assert quick(torch.ones(shape)).shape == plain(torch.ones(shape)).shape


def test_names_and_files_stay_what_they_are():
    plain, quick = pair()
    assert list(quick.state_dict()) == list(plain.state_dict())
    assert isinstance(quick[0], nn.Linear)
    assert isinstance(quick[1], nn.Tanh)


def test_a_layer_without_bias_is_left_to_torch():
    layer = nn.Linear(3, 2, bias=False)
    expected = layer(torch.ones(4, 3))
    layer.__class__ = QuickLinear
    assert torch.equal(layer(torch.ones(4, 3)), expected)


def test_the_gaussian_is_that_of_torch():
    mean, log_std = torch.randn(50, 3), torch.tensor([-1.0, 0.0, 0.5])
    quick = QuickGaussian(3).proba_distribution(mean, log_std)
    plain = torch.distributions.Normal(mean, log_std.exp())
    actions = torch.randn(50, 3)
    assert torch.allclose(quick.log_prob(actions), plain.log_prob(actions).sum(1), atol=1e-5)
    assert torch.allclose(quick.entropy(), plain.entropy().sum(1), atol=1e-6)
    assert torch.equal(quick.mode(), mean)
    draws = torch.stack([quick.sample() for _ in range(2_000)])
    assert torch.allclose(draws.std(0), log_std.exp().expand(50, 3), rtol=0.15)
    assert torch.allclose(draws.mean(0), mean, atol=0.2)
