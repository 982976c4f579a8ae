"""A history as the price response reads it: what its prices did to demand, and demand freed of that."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from ..features import History
from ..statistics import lasting_steps
from .price_response import Context, PriceResponse

_IN_STOCK = (
    0.8  # least share of a series' rows whose sales were all that was wanted, for its level to be judged
)


def log_level(history: History, effect: Tensor | float = 0.0) -> Tensor:
    """(S, I) mean log sales of each series less ``effect`` (T, S, I); the item's mean where it never sold."""
    weight = history.known.float()
    logs = ((history.demand + 0.5 * history.grain).log() - effect) * weight
    total, count = logs.sum(0), weight.sum(0)
    by_item = total.sum(0) / count.sum(0).clamp(min=1)
    return torch.where(count > 0, total / count.clamp(min=1), by_item)


def history_context(history: History, response: PriceResponse) -> Context:
    """What the answer to prices depended on at the periods 0 … T: fields (T + 1, S, I, …)."""
    harmonic = history.ahead[: history.periods + 1, ..., :2]
    listed = None if history.assortment is None else history.listed[: history.periods + 1]
    carryover = [torch.zeros_like(harmonic[0])]
    for t in range(history.periods):
        now = Context(harmonic[t], listed=None if listed is None else listed[t])
        effect = response.own_effect(history.log_price[t], history.promo[t], now)
        carryover.append(response.carry_over(carryover[-1], effect))
    return Context(harmonic, torch.stack(carryover), listed=listed)


def history_effect(history: History, response: PriceResponse) -> Tensor:
    """(T, S, I) effect on log demand of the prices and promotions that were charged, past ones included."""
    context = history_context(history, response)
    return response.effect(history.log_price, history.promo, context.until(history.periods))


def adjusted_history(history: History, level: Tensor, effect: Tensor) -> Tensor:
    """(T, S, I) log demand above its level, with the ``effect`` (T, S, I) of prices taken out."""
    return (history.demand + 0.5 * history.grain).log() - level - effect


def with_steps(history: History, response: PriceResponse) -> History:
    """The history with the lasting steps that the levels of series took.

    A series that is often out of stock is not judged: how often that is changes what it sells, too.
    """
    effect = history_effect(history, response)
    demand = adjusted_history(history, log_level(history, effect), effect)
    rows = history.known & history.listed[: history.periods]
    whole = rows & history.stock_outs.whole
    judged = whole.sum(0) >= _IN_STOCK * rows.sum(0)
    return replace(history, stepped=lasting_steps(demand, whole & judged))
