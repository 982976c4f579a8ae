"""The network behind a learned policy: standardised features, then an MLP that all decision units share."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

_MOST_LAYERS = 64
ACTIVATIONS: dict[str, type[nn.Module]] = {"tanh": nn.Tanh, "relu": nn.ReLU, "silu": nn.SiLU}


class Standardise(nn.Module):
    """(x - mean) / deviation, bounded to [-5, 5]; its statistics are fixed and travel with the weights."""

    mean: Tensor  # (F,)
    deviation: Tensor  # (F,)

    def __init__(self, features: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("deviation", torch.ones(features))

    @classmethod
    def of(cls, sample: Tensor) -> Standardise:
        """By the statistics of a sample (N, F); a feature that hardly varies keeps its scale."""
        standardise, deviation = cls(sample.shape[-1]), sample.std(0, correction=0)
        standardise.mean.copy_(sample.mean(0))
        standardise.deviation.copy_(torch.where(deviation > 1e-3, deviation, 1.0))
        return standardise

    def forward(self, x: Tensor) -> Tensor:
        return ((x - self.mean) / self.deviation).clamp(-5.0, 5.0)


class PolicyNetwork(nn.Module):
    """Features (…, F) to outputs (…, A)."""

    def __init__(self, sizes: Sequence[int], activation: str) -> None:
        """``sizes``: features, hidden widths, outputs."""
        super().__init__()
        self.sizes, self.activation = tuple(sizes), activation
        self.standardise = Standardise(sizes[0])
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))
        self.between = ACTIVATIONS[activation]()

    def forward(self, x: Tensor) -> Tensor:
        x = self.standardise(x)
        for layer in self.layers[:-1]:
            x = self.between(layer(x))
        return self.layers[-1](x)

    @classmethod
    def of_weights(cls, sizes: Sequence[int], activation: str, weights: dict[str, Tensor]) -> PolicyNetwork:
        """A network with given weights, which take the only memory.

        Raises:
            ValueError, TypeError, KeyError, RuntimeError: the weights are not those of such a network.
        """
        if not 2 <= len(sizes) <= _MOST_LAYERS or not all(type(n) is int and n > 0 for n in sizes):
            raise ValueError(f"expected 2 to {_MOST_LAYERS} sizes of layers, found {sizes!s:.60}")
        with torch.device("meta"):
            network = cls(sizes, activation)
        network.load_state_dict(weights, assign=True)
        return network

    @classmethod
    def copied(cls, standardise: Standardise, linears: Sequence[nn.Linear], activation: str) -> PolicyNetwork:
        """The same function with its own copy of the weights, on the CPU."""
        sizes = [linears[0].in_features, *(layer.out_features for layer in linears)]
        network = cls(sizes, activation)
        network.standardise.load_state_dict(standardise.state_dict())
        for mine, theirs in zip(network.layers, linears, strict=True):
            mine.load_state_dict(theirs.state_dict())
        return network.requires_grad_(False).eval()
