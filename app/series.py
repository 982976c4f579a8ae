"""The Python interface to one series: its price response, and its course under policies."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch

from ..agents.evaluation import trajectory
from ..envs.market import Market
from ..forecasters.errors import InputError, whole
from ..forecasters.names import positions
from ..forecasters.progress import SILENT, Progress
from ..forecasters.simulation import LearnedDemand
from ..forecasters.tensors import NoiseKey
from .arguments import AnyMarket, AnyPolicy, open_any, valid_seed
from .benchmarking import check_horizon
from .policies import policies_named
from .report.contents import Response

_GRID, _BEYOND = 61, 0.15  # prices; how far beyond the supported ones they go
_OBSERVED = 200  # prices of the history, the last ones


def price_response(market: AnyMarket, location: str, item: str) -> Response:
    """Expected units of one series over its own price, in the period after the table.

    The other prices stay at their reference. Between ``lo`` and ``hi`` lie the units at all own elasticities
    within their 90% interval; outside ``support``, the prices that were tried, they are extrapolated.

    Args:
        market: a fitted market.
        location: of the series.
        item: of the series.

    Returns:
        ``price``, ``units``, ``lo`` and ``hi``, lists of one length; ``support``, ``reference`` and
        ``observed`` prices; ``.table``, the curve as a data frame.

    Raises:
        InputError: a market that was not fitted, or a location or an item that it does not know.
    """
    shop = open_any(market)
    if not isinstance(shop.demand, LearnedDemand):
        raise InputError(f"market {shop.name}: expected one that was fitted to a table, found another")
    return response(shop, *_series(shop, location, item))


def trajectories(
    market: AnyMarket,
    policies: Sequence[AnyPolicy | None],
    location: str,
    item: str,
    horizon: int = 26,
    seed: int = 0,
    *,
    episode: int = 0,
    progress: Progress = SILENT,
) -> pd.DataFrame:
    """One series through one episode under each policy, before the same customers.

    Args:
        market: the market to simulate.
        policies: policies, their files, or names of baselines (``whatif``); None: the usual one.
        location: of the series.
        item: of the series.
        horizon: periods of the episode.
        seed: of the customers, as in ``benchmark``.
        episode: which of the episodes that ``benchmark`` plays, from 0.
        progress: is informed of every stage.

    Returns:
        One row per policy and period: ``policy``, ``period`` from 1, ``price``, ``on_hand`` as the policy
        decides, ``ordered``, ``demand``, ``sales`` and ``unmet`` units.

    Raises:
        InputError: a location, an item or a policy that is not known, or an argument out of range.
    """
    shop, seed = open_any(market), valid_seed(seed)
    horizon, episode = whole("horizon", horizon, 1), whole("episode", episode, 0)
    check_horizon(shop, horizon)
    place, number = _series(shop, location, item)
    played = []
    for policy in policies_named(shop, policies, seed, progress):
        names = shop.locations[place], shop.items[number]
        path = trajectory(shop, policy, *names, horizon, seed, episode)
        columns = {name: getattr(path, name) for name in ("price", "on_hand", "ordered", "demand", "sales")}
        table = pd.DataFrame(columns).astype(float)
        table.insert(0, "policy", policy.name)
        table.insert(1, "period", np.arange(1, len(table) + 1))
        played.append(table.assign(unmet=table["demand"] - table["sales"]))
    return pd.concat(played, ignore_index=True)


def _series(market: Market, location: str, item: str) -> tuple[int, int]:
    """Place and number of a series by its names."""
    (place,) = positions([str(location)], market.locations, "a location of the market")
    (number,) = positions([str(item)], market.items, "an item of the market")
    return int(place), int(number)


@torch.no_grad()
def response(market: Market, place: int, item: int) -> Response:
    """Of the period after the history, the other prices at their reference; market: a fitted one."""
    demand: LearnedDemand = market.demand  # type: ignore[assignment]
    zero = torch.zeros(1, dtype=torch.int64, device=market.device)
    state = demand.reset(zero + demand.periods, NoiseKey(0, zero, zero, zero))
    terms = market.terms
    low, high = float(terms.price_low[place, item]), float(terms.price_high[place, item])
    grid = torch.linspace((1 - _BEYOND) * low, (1 + _BEYOND) * high, _GRID, device=market.device)
    prices = terms.reference_price.repeat(len(grid), 1, 1)
    prices[:, place, item] = grid
    middle = demand.expected(state, prices)[:, place, item]
    usual = demand.response.effect(prices.log())[:, place, item]
    ends = []
    for end in ("lo", "hi"):
        changed = demand.model.response.at(end)
        ends.append(middle * (changed.effect(prices.log())[:, place, item] - usual).exp())
    seen = demand.history.log_price[:, place, item][demand.history.known[:, place, item]].exp()
    span = torch.stack(ends)
    return Response(
        title=f"{market.items[item]}, location {market.locations[place]}",
        price=grid.tolist(),
        units=middle.tolist(),
        lo=span.min(0).values.tolist(),
        hi=span.max(0).values.tolist(),
        support=(low, high),
        reference=float(terms.reference_price[place, item]),
        observed=seen[-_OBSERVED:].tolist(),
    )
