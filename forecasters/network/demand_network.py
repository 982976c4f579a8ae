"""The trunk with its inputs and outputs: tokens of what a period leaves known, heads for the next."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from ..features import History, past_features
from ..tensors import Cut
from .trunk import Transformer, TrunkSettings

_ID_WIDTH = 6
_ID_DROPOUT = 0.5  # so that a new location or item, which has no id, still works from its attributes


class DemandNetwork(nn.Module):
    """Tokens (B, T, S, I, F) → outputs (B, T, S, I, O), the one at t speaking of period t + 1.

    Ids of locations and items are optional extras: an index of -1 is one the network has not met.
    """

    def __init__(self, features: int, outputs: int, locations: int, items: int, settings: TrunkSettings):
        super().__init__()
        self.places = nn.Embedding(locations + 1, _ID_WIDTH)
        self.goods = nn.Embedding(items + 1, _ID_WIDTH)
        nn.init.normal_(self.places.weight, std=0.1)
        nn.init.normal_(self.goods.weight, std=0.1)
        self.trunk = Transformer(features + 2 * _ID_WIDTH, settings)
        self.head = nn.Linear(settings.width, outputs)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def select(self, cut: Cut) -> DemandNetwork:
        """The same network with the ids of a sub-market; weights are shared, ids copied."""
        part = copy.copy(self)
        part._modules = dict(self._modules)
        for name, kept in (("places", cut.places), ("goods", cut.goods)):
            unknown_too = torch.cat([kept.new_zeros(1), kept + 1])
            part._modules[name] = nn.Embedding.from_pretrained(getattr(self, name).weight[unknown_too])
        return part

    def identity(self, places: Tensor, goods: Tensor) -> Tensor:
        """(S, I, 2·width) id features of a sub-market, from indices (S,) and (I,)."""
        if self.training:
            drop = torch.rand(places.shape, device=places.device) < _ID_DROPOUT
            places = torch.where(drop, -1, places)
            goods = torch.where(torch.rand(goods.shape, device=goods.device) < _ID_DROPOUT, -1, goods)
        place, good = self.places(places + 1), self.goods(goods + 1)
        shape = (len(places), len(goods), _ID_WIDTH)
        return torch.cat([place.unsqueeze(1).expand(shape), good.unsqueeze(0).expand(shape)], dim=-1)

    def forward(
        self,
        tokens: Tensor,
        identity: Tensor,
        distance: Tensor | None = None,
        keep: list[tuple[Tensor, Tensor]] | None = None,
        listed: Tensor | None = None,
    ) -> Tensor:
        full = torch.cat([tokens, identity.expand(*tokens.shape[:-1], -1)], dim=-1)
        return self.head(self.trunk(full, distance, keep, listed))


def demand_token(adjusted: Tensor, known: Tensor, past: Tensor, static: Tensor) -> Tensor:
    """Token of one or more periods (…, S, I, F).

    The calendar stays out: it tells the network which week it is, and what it learns of the weeks it has seen
    is of no use in others. What the time of year is worth is in the base (``docs/decisions/0007``).

    Args:
        adjusted: (…, S, I) price-adjusted log demand above the series' level; raw past prices do not enter.
        known: (…, S, I) whether the period was observed.
        past: (…, S, I, P) features of demand up to the period (``past``).
        static: (S, I, Q) attributes.
    """
    seen = known.float()
    columns = torch.stack([(adjusted * seen).clamp(-6, 6), seen], dim=-1)
    return torch.cat([columns, past.clamp(-6, 6), static.expand(*columns.shape[:-1], -1)], dim=-1)


def history_tokens(history: History, adjusted: Tensor) -> Tensor:
    """(T, S, I, F) demand tokens of a whole panel of price-adjusted demand (T, S, I)."""
    past = past_features(adjusted, history.known, history.assortment)[1:]
    return demand_token(adjusted, history.known, past, history.static)
