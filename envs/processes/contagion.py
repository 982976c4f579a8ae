"""Customers who tell others of the shop: as many more come of those whom they told as they come more often.

Tellers of a location who come 1 + E times as often as usual, for how they were treated or for what they are
shown and sent, make those who listen there come

    (1 + E)^θ

times as often, θ between 0 and 1 (``Contagion``): friends follow, and never by more. Nobody treated otherwise
is E = 0, and exactly as ever. Friends are taken to live near each other, at one location.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ...forecasters.customers import Contagion, Population
from ...forecasters.tensors import NoiseKey, stable_id

_STREAM, _LEAST = 31, 1e-6


class WordOfMouth:
    """What a population's customers tell each other; shapes as in ``CustomerState``.

    Args:
        contagion: who tells, who listens and what it does.
    """

    def __init__(self, population: Population, contagion: Contagion) -> None:
        usual = population.mass.sum(-1)
        said = usual * contagion.tells
        self._voice = said / said.sum((1, 2), keepdim=True).clamp(min=1e-30)  # (S, K, P)
        self._contagion = contagion
        self._id = torch.tensor([stable_id("contagion")], device=usual.device)

    def drawn(self, key: NoiseKey) -> Tensor:
        """(B, 1) θ of the episode's customers."""
        normal = key.normal(self._id, _STREAM)
        return (self._contagion.elasticity + self._contagion.error * normal).clamp(0.0, 1.0)

    def heard(self, excess: Tensor, elasticity: Tensor, lift: Tensor | None = None) -> Tensor:
        """(B, S, K, P) excess of visits with what is heard from tellers of such an ``excess``, who buy
        ``lift`` times as much for what they are shown and sent."""
        more = excess if lift is None else lift * excess + (lift - 1)
        told = (self._voice * more).sum((2, 3))  # (B, S)
        more = (elasticity * told.clamp(min=_LEAST - 1).log1p()).expm1()
        return excess + (1 + excess) * self._contagion.hears * more.view(*more.shape, 1, 1)
