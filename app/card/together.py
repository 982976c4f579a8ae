"""What a market says of prices that move together: its form of substitution, and whole categories moved."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from ...envs.market import Market
from ...forecasters.simulation import LearnedDemand
from ...forecasters.tensors import NoiseKey

_MEMBERS, _SEED = 64, 0  # drawn for an interval
_MULTIPLES = (0.9, 1.1)
_NINETY = (0.05, 0.95)


def together(market: Market, demand: LearnedDemand) -> dict[str, Any]:
    """The form, and the answers of categories to ±10% on all of their prices, with 90% intervals."""
    choice = demand.response.choice
    return {
        "form": choice.names[0],
        "odds": float(choice.odds[0]),
        "buying": float(choice.away[0]),
        "minding": float(choice.minding[0].max() / choice.minding[0].min()),
        "categories": list(_categories(market, demand)),
    }


def _categories(market: Market, demand: LearnedDemand) -> Iterator[dict[str, Any]]:
    """Change of units of a category's usual mix, at its locations together."""
    slot = torch.arange(_MEMBERS, device=market.device)
    possible = demand.possible(NoiseKey(_SEED, slot, slot, torch.zeros_like(slot)))
    response, lists = demand.response, market.supported.lists
    usual = response.effect(response.pivot, context=possible).exp()
    for number, category in enumerate(dict.fromkeys(market.categories)):
        which = torch.tensor([name == category for name in market.categories], device=market.device)
        weight = market.terms.typical_demand * which
        for multiple in _MULTIPLES:
            shift = torch.where(which, multiple, 1.0).log()
            moved = response.effect(response.pivot + shift, context=possible).exp()
            drawn = (moved * weight).sum((-2, -1)) / (usual * weight).sum((-2, -1)) - 1
            lo, hi = (float(drawn.quantile(q)) for q in _NINETY)
            item = int(which.nonzero()[0])  # the index has one range for all of a category
            yield {
                "category": category,
                "multiple": multiple,
                "mean": float(drawn.mean()),
                "lo": lo,
                "hi": hi,
                "diversion": float(demand.response.choice.diversion[0, number]),
                "tried": None
                if lists is None
                else [float(x[item].exp()) for x in (lists.index_low, lists.index_high)],
            }
