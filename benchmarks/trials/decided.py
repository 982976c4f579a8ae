"""Decisions in a true market, what they really earned, and what ``mercato evaluate`` says of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from mercato.app.experiment.api import evaluate
from mercato.envs.structural.retailer import history_key

from .market import Begun

Row = dict[str, Any]
_FARTHEST = 0.1  # of the log price that a decision departs from the usual one


def decided(begun: Begun, seed: int) -> Row:
    """Whether the intervals cover the truth, and how wide they are in shares of what was earned.

    Every decided series has one price, drawn at random around its usual one, for all weeks. Once all
    locations have decisions, and are compared with usual prices by the market; once a half is held out, and
    they are compared with the retailer who goes on there.
    """
    market, truth = begun.market, begun.truth
    usual = market.terms.reference_price
    rng = np.random.default_rng([seed, 5])
    moved = torch.from_numpy(rng.uniform(-_FARTHEST, _FARTHEST, tuple(usual.shape))).float()
    price = (usual * moved.exp() * 1e4).round() / 1e4
    weeks = len(truth.history.price) - begun.weeks
    log = truth.history.price[begun.weeks :]
    everywhere = torch.ones(len(usual), dtype=torch.bool)
    some = torch.from_numpy(rng.permutation(len(usual)) < len(usual) // 2)
    usual_prices = usual.expand(weeks, -1, -1)
    row: Row = {}
    for name, held, other in (("market", ~everywhere, usual_prices), ("held_out", some, log)):
        charged = torch.where(held.view(1, -1, 1), log, price)
        sales, earned = _week_by_week(begun, charged, held, seed)
        _, without = _week_by_week(begun, other, held if name == "market" else everywhere, seed)
        true = float((earned - without)[:, ~held].sum())
        table = _table(begun, charged, sales, held)
        decisions = _decisions(begun, price, ~held)
        names = [market.locations[k] for k in torch.nonzero(held)[:, 0].tolist()]
        told = evaluate(market, decisions, table, held_out=names, seed=seed)
        gain = told.held_out if held.any() else told.gain
        assert gain is not None
        total = float(earned[:, ~held].sum())
        row |= {
            f"{name}_covered": float(gain.lo <= true <= gain.hi),
            f"{name}_true": true / total,
            f"{name}_said": gain.mean / total,
            f"{name}_half_width": (gain.hi - gain.lo) / 2 / total,
        }
    return row


def _week_by_week(begun: Begun, price: Tensor, as_logged: Tensor, seed: int) -> tuple[Tensor, Tensor]:
    """Sales and margins (H, S, I) at prices (H, S, I), in the weeks after the market's table.

    The same customers come whatever the prices; stock follows what is expected at them.

    Args:
        begun: the market.
        price: that are charged.
        as_logged: (S,) bool, locations where the retailer's promotions run.
        seed: of the true history.
    """
    demand, history = begun.truth.demand, begun.truth.history
    sales = []
    for week, charged in enumerate(price):
        t = begun.weeks + week
        state, key = demand.rows(torch.tensor([t])), history_key(seed, t)
        promo = history.promo[t] * as_logged.view(-1, 1)
        usual = demand.log_mean(state, history.price[t].unsqueeze(0), history.promo[t])[0]
        now = demand.log_mean(state, charged.unsqueeze(0), promo)[0]
        stock = (history.stock[t] * (now - usual).exp()).round()
        sales.append(torch.minimum(demand.sample(state, charged.unsqueeze(0), key, promo)[0], stock))
    sold = torch.stack(sales)
    return sold, (price - history.cost[begun.weeks :]) * sold


def _table(begun: Begun, price: Tensor, sales: Tensor, held: Tensor) -> pd.DataFrame:
    """The sales table of the whole time, with the rows of decisions in it."""
    frame = begun.frame.copy()
    late = (frame["date"] >= np.datetime64(begun.truth.dates[begun.weeks])).to_numpy()
    changed = np.broadcast_to((~held).view(1, -1, 1).numpy(), tuple(price.shape)).reshape(-1)
    for column, values in (("price", price), ("units", sales)):
        new = values.double().numpy().round(4).reshape(-1)
        frame.loc[late, column] = np.where(changed, new, frame.loc[late, column])
    for column in ("promo", "censored"):
        frame.loc[late, column] = np.where(changed, 0.0, frame.loc[late, column])
    return frame


def _decisions(begun: Begun, price: Tensor, where: Tensor) -> pd.DataFrame:
    market = begun.market
    rows = [
        (market.locations[s], market.items[i], float(price[s, i]))
        for s in torch.nonzero(where)[:, 0].tolist()
        for i in range(len(market.items))
    ]
    first = str(begun.truth.dates[begun.weeks])
    return pd.DataFrame(rows, columns=["location", "item", "price"]).assign(date=first)
