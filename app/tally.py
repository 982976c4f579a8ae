"""Sums of what episodes brought, by series, and the quantities that are made of them."""

from __future__ import annotations

from collections.abc import Callable
from operator import itemgetter

import torch
from torch import Tensor

from ..agents.policy import price_range
from ..envs.engine.rewards import typical_revenue
from ..envs.engine.types import Outcome
from ..envs.market import Market

Sums = dict[str, Tensor]
ADDITIVE = ("profit", "revenue", "units", "demand", "unmet", "ordered")  # 0 of what is not there
_ADDED: dict[str, Callable[[Outcome], Tensor]] = {
    "profit": lambda o: o.profit,
    "revenue": lambda o: o.revenue,
    "units": lambda o: o.sales + o.backordered,
    "demand": lambda o: o.demand,
    "unmet": lambda o: o.lost + o.backordered,
    "ordered": lambda o: o.ordered,
    "served": lambda o: o.sales,
    "short": lambda o: o.lost + o.backordered > 0,
}


def _rate(of: str, over: str) -> Callable[[Sums], Tensor]:
    return lambda sums: sums[of] / sums[over].clamp(min=1e-9)


METRICS: dict[str, Callable[[Sums], Tensor]] = {
    **{name: itemgetter(name) for name in ADDITIVE},
    "fill_rate": _rate("served", "demand"),
    "stockout_share": _rate("short", "periods"),
    "price_mean": _rate("multiple", "periods"),
    "price_sd": _rate("multiple_sd", "series"),
    "price_at_bound": _rate("at_bound", "periods"),
    "disagreement": _rate("disagreement", "at_stake"),
    "off_support": _rate("off_support", "at_stake"),
    "outside": _rate("outside", "periods"),
    "ending_stock": _rate("on_hand", "typical"),
}
"""Profit, revenue, units, demand, unmet demand and orders an episode, ``outside``, the share of
series-periods priced outside what was tried, and what else ``agents.evaluation.METRICS`` has, as there."""


class Tally:
    """Running sums (B, S, I) of a batch of episodes, on the market's device."""

    def __init__(self, market: Market, markets: int) -> None:
        self.market, self.periods = market, 0
        self._zero = torch.zeros(markets, *market.shape, dtype=torch.float64, device=market.device)
        names = (*_ADDED, "multiple", "square", "at_bound", "disagreement", "off_support", "outside")
        self._sums = {name: self._zero.clone() for name in names}
        self._at_stake = typical_revenue(market).double()
        low, high = (market.by_group.spread(bound, -2) for bound in price_range(market))
        self._low, self._high = low * 1.001, high * 0.999

    def add(self, outcome: Outcome) -> None:
        """One more period."""
        multiple = (outcome.price / self.market.terms.reference_price).double()
        bound = (outcome.price <= self._low) | (outcome.price >= self._high)
        parts = {name: part(outcome).double() for name, part in _ADDED.items()} | {
            "multiple": multiple,
            "square": multiple.square(),
            "at_bound": bound | self.market.supported.at_edge(outcome.price),
            "disagreement": outcome.disagreement * self._at_stake,
            "off_support": outcome.off_support * self._at_stake,
            "outside": outcome.off_support > 0,
        }
        for name, part in parts.items():
            self._sums[name] += part
        self.periods += 1

    def by_series(self, on_hand: Tensor) -> Sums:
        """Sums (B, S, I) with what they are divided by, ``on_hand`` (B, S, I) left at the end."""
        mean = self._sums["multiple"] / self.periods
        variance = (self._sums["square"] / self.periods - mean.square()).clamp(min=0.0)
        one = torch.ones_like(self._zero)
        return self._sums | {
            "multiple_sd": variance.sqrt(),
            "series": one,
            "periods": one * self.periods,
            "at_stake": (one * self._at_stake) * self.periods,
            "on_hand": on_hand.double(),
            "typical": one * self.market.terms.typical_demand,
        }


def quantities(sums: Sums) -> dict[str, Tensor]:
    """Each metric of sums over some series, whatever their shape."""
    return {name: metric(sums) for name, metric in METRICS.items()}
