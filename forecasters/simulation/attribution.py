"""Why the market expects what it does of one series: integrated gradients through the fitted model.

Regressions, Transformer and price response are one differentiable function of what they read. What an input
adds to the log of expected demand is its integrated gradient from an ordinary period, before which every
series sold its usual amount at its reference price, without promotions, at the average time of the year.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from ..response import Context, adjusted_history, history_context
from ..statistics import Explanation, integrated_gradients
from ..tensors import room_for
from .learned import LearnedDemand
from .state import log_mean_of_members

_HELD = 160  # bytes a series, period, channel and block while gradients are taken
_AT_ONCE = 2**15  # series and periods whose gradients are taken together, where there are more points


def attribute(
    demand: LearnedDemand, date: int, place: int, item: int, price: Tensor | None = None, steps: int = 8
) -> Explanation:
    """What each group of inputs adds to the log of the units expected of a series in a period, a number each.

    Past demand is freed of the effect of its prices, as the Transformer reads it. What past prices still do
    (stock at home, a reference price) is a group of its own.

    Args:
        demand: a fitted market's, T periods, S locations, I items.
        date: calendar index of the period, 1 … T.
        place: location of the series.
        item: of the series.
        price: (S, I) prices of that period, with the promotions that go with such discounts. None: the prices
            and promotions that were charged, in a period of the history.
        steps: of the quadrature.

    Raises:
        InputError: there is no memory for the gradients.
    """
    history, response, trunk = demand.history, demand.response, demand.model.settings.trunk
    series, periods = history.known[0].numel(), min(date, trunk.blocks * trunk.window)
    each = _HELD * periods * trunk.width * trunk.blocks
    room_for(series, each, "series of a market's gradients", history.units.device)
    with torch.no_grad():
        context = history_context(history, response)
        effect = response.effect(history.log_price, history.promo, context.until(history.periods))
        adjusted = adjusted_history(history, demand.model.level, effect + history.steps)
        adjusted = adjusted[:date] * history.known[:date]
    assert context.carryover is not None
    listed = None if context.listed is None else context.listed[date]
    inputs = {
        "past": adjusted,
        "price": (history.log_price[date] if price is None else price.log()) - response.pivot,
        "promo": history.promo[date] if price is None else history.promo[0, ..., :0],
        "carryover": context.carryover[date],
        "ahead": history.ahead[date],
    }

    def log_mean(told: Mapping[str, Tensor]) -> Tensor:
        base = demand.log_base(told["past"], told["ahead"])
        promo = told["promo"] if price is None else None
        now = Context(told["ahead"][..., :2], told["carryover"], listed=listed)
        effect = response.effect(told["price"] + response.pivot, promo, now)
        return (log_mean_of_members(base) + effect)[:, place, item]

    at_once = max(1, _AT_ONCE // (series * periods))
    found = integrated_gradients(log_mean, inputs, steps, at_once)
    with torch.no_grad():
        ends = {name: torch.stack([torch.zeros_like(value), value]) for name, value in inputs.items()}
        ordinary, told = log_mean(ends).cpu().double().numpy()
    parts = {name: value.cpu().double().numpy() for name, value in found.items()}
    return Explanation(ordinary, _grouped(parts, place, item, history.week), told)


def _grouped(found: Mapping[str, np.ndarray], place: int, item: int, week: int) -> dict[str, np.ndarray]:
    """The parts (…, S, I, …) of inputs, summed by what they tell of; none of columns that there are not."""

    def split(values: np.ndarray, names: tuple[str, str, str]) -> dict[str, np.ndarray]:
        """Of the series, of the other items of its location, of the other locations."""
        own, here = values[place, item], values[place].sum()
        return dict(zip(names, (own, here - own, values.sum() - here), strict=True))

    seasons = 8 if week >= 7 else 2  # harmonics of the year, and of the week where a period is a day
    promo, ahead = found["promo"], found["ahead"].sum((0, 1))
    pasts = ("its own past demand", "other items' past demand", "other locations' past demand")
    parts = split(found["past"].sum(0), pasts)
    parts |= split(found["price"], ("its own price", "other items' prices", "other locations' prices"))
    parts |= {"promotions": promo.sum()} if promo.shape[-1] else {}
    parts |= {"prices before": found["carryover"].sum(), "calendar": ahead[:seasons].sum()}
    return parts | ({"columns known ahead": ahead[seasons:].sum()} if len(ahead) > seasons else {})
