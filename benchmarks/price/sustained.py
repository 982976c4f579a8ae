"""Every price held for months: the learned market, simulated step by step, against the true one.

From the end of the history and from earlier weeks, both markets play on with all prices at a multiple of the
reference, counts drawn and remembered; nobody promotes. Both know the weeks before the start and no shock
after. Demand is summed over paths and starts, and compared as it is, and as its ratio to the same market's
demand at reference prices (the *answer*), in which only the price response is left.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from mercato.envs.structural import Truth
from mercato.forecasters.simulation.demand import DemandProcess, Period
from mercato.forecasters.tensors.noise import NoiseKey

from .elasticities import Row
from .market import Studied

PATHS = 64  # from every start
_STARTS = 4
_BETWEEN = 26  # weeks from one start to the next
_LENGTH = 26
_HORIZONS = (12, 26)
_MULTIPLES = (0.85, 1.15)
_STRETCHES = ((0, 4), (4, 12), (12, 26))

_Totals = dict[float, Tensor]  # demand (weeks, I) by multiple


def sustained(market: Studied, paths: int = PATHS) -> Row:
    """Relative errors of total demand and by item, the largest over multiples and horizons; by stretch."""
    starts = [market.learned.periods - _BETWEEN * k for k in range(_STARTS)]
    episode = torch.arange(paths)
    zero = torch.zeros_like(episode)
    first = NoiseKey(0, zero, episode, zero)

    def totals(demand: DemandProcess, begin: Callable[[int], Any]) -> _Totals:
        return {
            m: torch.stack(
                [simulate(demand, begin(start), market.reference * m, _LENGTH, first) for start in starts]
            ).mean(0)
            for m in (1.0, *_MULTIPLES)
        }

    learned = market.unpromoted
    model = totals(learned, lambda start: learned.reset(zero + start, first))
    true = totals(market.truth.demand, lambda start: as_last_week_left_it(market.truth, start, first))
    plain = [_miss(model[m][:h], true[m][:h]) for m in _MULTIPLES for h in _HORIZONS]
    answer = [_answer(model, true, m, 0, h) for m in _MULTIPLES for h in _HORIZONS]
    by_stretch = {(m, s): float(_answer(model, true, m, *s)[0]) for m in _MULTIPLES for s in _STRETCHES}
    early, late = _STRETCHES[0], _STRETCHES[-1]
    return {
        **_largest("sustained", plain),
        **_largest("sustained_answer", answer),
        "sustained_level": float(_miss(model[1.0], true[1.0])[0]),
        "sustained_level_unknowable": unknowable(market.truth),
        **{f"answer_{m}_weeks_{a + 1}_{b}": miss for (m, (a, b)), miss in by_stretch.items()},
        "drift": max(abs(by_stretch[m, late] - by_stretch[m, early]) for m in _MULTIPLES),
    }


def unknowable(truth: Truth) -> float:
    """By how much who takes the history for ordinary misses the level, all else known.

    AR(1) shocks return to zero, which the table cannot tell from their mean in it.
    """
    demand: Any = truth.demand
    weeks = torch.arange(1, _LENGTH + 1)
    laws, seen = demand.parameters.shocks, demand.rows(torch.arange(demand.periods))
    back = {
        name: 1 - (getattr(laws, name).persistence ** weeks).mean()
        for name in ("chain", "location", "series")
    }
    return float(sum(share * getattr(seen, name).mean() for name, share in back.items()))


def _miss(model: Tensor, true: Tensor) -> Tensor:
    """(1 + I,) relative error of demand (weeks, I), in all and by item."""
    return _sums(model) / _sums(true) - 1


def _answer(model: _Totals, true: _Totals, multiple: float, begin: int, end: int) -> Tensor:
    """(1 + I,) relative error of the ratio to demand at reference prices, the weeks begin … end."""
    of_model, of_truth = (_sums(d[multiple][begin:end]) / _sums(d[1.0][begin:end]) for d in (model, true))
    return of_model / of_truth - 1


def _sums(demand: Tensor) -> Tensor:
    items = demand.sum(0)
    return torch.cat([items.sum().unsqueeze(0), items])


def _largest(name: str, misses: list[Tensor]) -> Row:
    miss = torch.stack(misses).abs()
    return {
        f"{name}_total": float(miss[:, 0].max()),
        f"{name}_item": float(miss[:, 1:].max()),
        f"{name}_item_mean": float(miss[:, 1:].mean()),
    }


def as_last_week_left_it(truth: Truth, start: int, key: NoiseKey) -> Any:
    """The true market's states at ``start``, this week's shocks drawn anew: nobody knew them."""
    history, last = truth.history, start - 1
    paths = torch.zeros_like(key.slot)
    week = Period(
        *(x[last].expand(len(paths), -1, -1) for x in (history.price, history.demand, history.sales))
    )
    before = replace(key, period=key.period - 1)
    return truth.demand.advance(truth.demand.rows(paths + last), week, before, history.promo[last])


@torch.no_grad()
def simulate(demand: DemandProcess, state: Any, price: Tensor, length: int, first: NoiseKey) -> Tensor:
    """(length, I) demand at ``price`` (S, I) held from ``state`` on, summed over locations, mean of paths."""
    price = price.expand(len(first.slot), *price.shape)
    weeks = []
    for week in range(length):
        key = replace(first, period=first.period + week)
        units = demand.sample(state, price, key)
        state = demand.advance(state, Period(price, units, units), key)
        weeks.append(units.mean(0).sum(0))
    return torch.stack(weeks)
