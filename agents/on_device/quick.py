"""The parts of a small policy network, faster: the same functions, parameters, names and saved files.

On a CPU whose widest instructions torch's float32 product and tanh do not use, oneDNN's product and a sigmoid
give the same numbers, within a few units in the last place, 2 to 5 times sooner. Where torch was built
without oneDNN the layers stay as they are.
"""

from __future__ import annotations

from math import log, pi
from typing import Any

import torch
from stable_baselines3.common.distributions import DiagGaussianDistribution
from torch import Tensor, library, nn


def quicken(policy: nn.Module) -> None:
    """Make the layers inside ``policy``, and the distribution that it acts by, quick ones."""
    on_cpu = all(parameter.device.type == "cpu" for parameter in policy.parameters())
    if on_cpu and torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise"):
        for part in policy.modules():
            part.__class__ = _QUICK.get(type(part), type(part))
    if type(getattr(policy, "action_dist", None)) is DiagGaussianDistribution:
        policy.action_dist.__class__ = QuickGaussian  # type: ignore[assignment]


def _product(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x weightᵀ + bias for x (N, K), weight (M, K)."""
    if torch.compiler.is_compiling():  # which takes oneDNN's weights to be packed for inference
        return _whole_product(x, weight, bias)
    return torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")


@library.custom_op("mercato::product", mutates_args=())
def _whole_product(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """``_product`` as one piece that a compiler does not look into."""
    return torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")


@_whole_product.register_fake
def _(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    return x.new_empty(len(x), len(weight))


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return _product(x, weight, bias)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor, Tensor]:
        x, weight = ctx.saved_tensors
        to_x = _product(grad, weight.t()) if ctx.needs_input_grad[0] else None
        return to_x, grad.t() @ x, grad.sum(0)


class _Tanh(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        """tanh x = 2 σ(2x) - 1."""
        y = x.mul(2).sigmoid_().mul_(2).sub_(1)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (y,) = ctx.saved_tensors
        return torch.ops.aten.tanh_backward(grad, y)


class QuickLinear(nn.Linear):
    """A linear layer with a bias, for (N, K) float32 on a CPU; any other input takes torch's way."""

    def forward(self, x: Tensor) -> Tensor:
        fits = x.ndim == 2 and x.dtype == torch.float32 and x.device.type == "cpu" and self.bias is not None
        return _Linear.apply(x, self.weight, self.bias) if fits else super().forward(x)


class QuickTanh(nn.Tanh):
    """tanh by the sigmoid, within 2e-7."""

    def forward(self, x: Tensor) -> Tensor:
        return _Tanh.apply(x)


class QuickGaussian(DiagGaussianDistribution):
    """Independent normal actions (N, A) with one deviation for all N, in a third of torch's operations."""

    def proba_distribution(self, mean_actions: Tensor, log_std: Tensor) -> QuickGaussian:
        self.mean, self.log_std = mean_actions, log_std
        return self

    def log_prob(self, actions: Tensor) -> Tensor:
        off = (actions - self.mean) * (-self.log_std).exp()
        return -0.5 * off.square().sum(1) - (self.log_std + 0.5 * log(2 * pi)).sum()

    def entropy(self) -> Tensor:
        return (self.log_std + 0.5 + 0.5 * log(2 * pi)).sum().expand(len(self.mean))

    def sample(self) -> Tensor:
        return self.mean + torch.randn_like(self.mean) * self.log_std.exp()

    def mode(self) -> Tensor:
        return self.mean


_QUICK: dict[type[nn.Module], type[nn.Module]] = {nn.Linear: QuickLinear, nn.Tanh: QuickTanh}
