"""Customers who tell others of the shop: as many more come of those whom they told as they come more often.

Tellers of a location who come 1 + E times as often as usual, for how they were treated or for what they are
shown, make those who listen there come

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
        mass: (S, K, P, I) what particles buy in a period, for what they are shown.
    """

    def __init__(self, population: Population, contagion: Contagion, mass: Tensor) -> None:
        usual = population.mass.sum(-1)
        said = usual * contagion.tells
        self._voice = said / said.sum((1, 2), keepdim=True).clamp(min=1e-30)  # (S, K, P)
        self._shown = torch.where(usual > 0, mass.sum(-1) / usual, 1.0)
        self._contagion = contagion
        self._id = torch.tensor([stable_id("contagion")], device=usual.device)

    def drawn(self, key: NoiseKey) -> Tensor:
        """(B, 1) θ of the episode's customers."""
        normal = key.normal(self._id, _STREAM)
        return (self._contagion.elasticity + self._contagion.error * normal).clamp(0.0, 1.0)

    def heard(self, excess: Tensor, elasticity: Tensor) -> Tensor:
        """(B, S, K, P) excess of visits with what is heard from tellers of such an ``excess``."""
        told = (self._voice * (self._shown * excess + (self._shown - 1))).sum((2, 3))  # (B, S)
        more = (elasticity * told.clamp(min=_LEAST - 1).log1p()).expm1()
        return excess + (1 + excess) * self._contagion.hears * more.view(*more.shape, 1, 1)
