"""Weeks of a true market beyond its history, at given prices: how its table goes on, and what it earned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from mercato.envs.structural import Truth
from mercato.envs.structural.retailer import history_key
from mercato.forecasters.simulation import Period

_SAFETY, _STOCK_NOISE = (
    0.53,
    0.35,
)  # log of stock over expected demand, and its spread, as the retailer has them


@dataclass(frozen=True)
class Played:
    """H weeks after a history; tensors (H, S, I)."""

    price: Tensor
    expected: Tensor  # units wanted at these prices, before chance
    sales: Tensor
    out: Tensor  # bool: stock ran out
    states: tuple[Any, ...]  # (H,) of the weeks, for what other prices would have brought

    def frame(self, truth: Truth) -> pd.DataFrame:
        """Rows of a sales table, with the columns of the history's that a test needs."""
        shop, weeks = truth.demand.shop, len(self.price)
        first = truth.dates[-1] + shop.days
        dates = first + shop.days * np.arange(weeks)
        shape = tuple(self.price.shape)
        place, item = (np.array(names, dtype=object) for names in (shop.locations, shop.items))
        grid = np.indices(shape).reshape(3, -1)
        return pd.DataFrame(
            {
                "date": dates[grid[0]],
                "location": place[grid[1]],
                "item": item[grid[2]],
                "category": np.array(shop.categories, dtype=object)[grid[2]],
                "units": self.sales.double().numpy().reshape(-1),
                "price": self.price.double().numpy().round(4).reshape(-1),
                "cost": shop.unit_cost.double().numpy()[grid[1], grid[2]].round(4),
                "promo": 0,
                "income": shop.income.double().numpy().round(2)[grid[1]],
                "stock_on_hand": np.nan,
                "censored": self.out.double().numpy().reshape(-1),
                "lat": shop.coordinates[:, 0].double().numpy().round(4)[grid[1]],
                "lon": shop.coordinates[:, 1].double().numpy().round(4)[grid[1]],
            }
        )


def play(truth: Truth, price_of: Callable[[int], Tensor], weeks: int, seed: int) -> Played:
    """``weeks`` after the history, at the prices (S, I) that ``price_of`` sets for each.

    Two plays of one seed meet the same shocks and the same luck, whatever their prices.
    """
    demand, past = truth.demand, len(truth.history.price)
    rng = np.random.default_rng([seed, 2])
    state, kept = demand.rows(torch.tensor([past])), []
    parts: dict[str, list[Tensor]] = {name: [] for name in ("price", "expected", "sales", "out")}
    for week in range(weeks):
        price = price_of(week)
        key = history_key(seed, past + week)
        mean = demand.expected(state, price.unsqueeze(0))[0]
        wanted = demand.sample(state, price.unsqueeze(0), key)[0]
        noise = torch.as_tensor(rng.standard_normal(tuple(mean.shape)), dtype=mean.dtype)
        stock = (mean * (_SAFETY + _STOCK_NOISE * noise).exp()).round()
        sales = torch.minimum(wanted, stock)
        for name, value in (("price", price), ("expected", mean), ("sales", sales), ("out", wanted > stock)):
            parts[name].append(value)
        kept.append(state)
        happened = Period(price.unsqueeze(0), wanted.unsqueeze(0), sales.unsqueeze(0))
        state = demand.advance(state, happened, key)
    return Played(**{name: torch.stack(values) for name, values in parts.items()}, states=tuple(kept))


def profit(truth: Truth, states: tuple[Any, ...], price: Tensor, unit_cost: Tensor) -> Tensor:
    """(H, S, I) expected margin at prices (H, S, I) in the weeks of ``states``, were stock no matter."""
    expected = [truth.demand.expected(s, p.unsqueeze(0))[0] for s, p in zip(states, price, strict=True)]
    return (price - unit_cost) * torch.stack(expected)
