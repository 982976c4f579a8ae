"""Customers who come to several locations, a shop and its web site, and go to one instead of the other.

Each remembers what his last visit met, as logits q of going elsewhere (``Switching``), 0 as usual. With e the
share of his visits that others have, and d the excess of q over what customers of those remember of them, the
visits that stay are

    1 / (1 + e·(exp(d⁺) − 1))

of the usual: the logistic choice between two. What the others would have bought they buy where they go: units
are conserved, but for what that location does not sell. q is the mean over who came; it is kept by those who
did not, so that whoever went elsewhere learns by his few visits alone that shelves are full again.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ...forecasters.customers import Channels, Population
from .moved_by import Effects

_MOST = 20.0  # logits, beyond which everybody goes
_LEAST = 1e-30  # that a quotient divides by, where nobody buys


class Switching:
    """The switching of a population's customers between its ``channels``; shapes as in ``CustomerState``."""

    def __init__(self, population: Population, channels: Channels, device: torch.device) -> None:
        self.effects = Effects(channels.moved_by, "switching", device)
        self._channels, self._visit = channels, population.visit
        bought = (population.weight * population.basket).flatten(1)
        self._voice = bought / bought.sum(1, keepdim=True).clamp(min=_LEAST)  # (S, K·P) in a location's name
        self._there = torch.where(channels.worth > 0, 1 / channels.worth, 0.0)

    def stay(self, minded: Tensor) -> Tensor:
        """(B, S, K, P) share of the usual visits that do not go elsewhere, above 0 and at most 1."""
        said = torch.einsum("sx,bsx->bs", self._voice, minded.flatten(2))
        others = said @ self._channels.towards.T
        worse = (minded - others.view(*others.shape, 1, 1)).clamp(0.0, _MOST)
        return 1 / (1 + self._channels.elsewhere * worse.expm1())

    def after(self, minded: Tensor, met: Tensor | float) -> Tensor:
        """(B, S, K, P) what is minded after a period whose visits ``met`` so many logits."""
        return minded + self._visit * self.stay(minded) * (met - minded)

    def come(self, moved: Tensor) -> Tensor:
        """(B, S, K, I) units that arrive of those that are ``moved`` (B, S, K, I)."""
        sold = moved * self._channels.worth.unsqueeze(1)
        return torch.einsum("st,bski->btki", self._channels.towards, sold) * self._there.unsqueeze(1)
