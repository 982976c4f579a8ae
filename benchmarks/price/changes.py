"""What one week at another price does, the learned market against the true one.

One item's price moves at a time, at all locations, the others at their reference; expected demand, the mean
of the last year's weeks as each began, with what had been remembered then.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from mercato.envs.structural import demand_change
from mercato.forecasters.simulation import LearnedDemand, LearnedState
from mercato.forecasters.simulation.demand import DemandProcess
from mercato.forecasters.tensors.noise import NoiseKey

from .elasticities import Row
from .market import Studied

_WEEKS = 52
_MULTIPLES = (0.85, 1.15)
_GRID = torch.linspace(0.7, 1.4, 71)  # of the reference price, where the best one is looked for
_NEAR = 0.05  # a best price this near to the reference has no wrong side


def price_changes(market: Studied) -> Row:
    """Errors of the demand change at ±15%, in elasticity units, and optima on the wrong side."""
    periods = market.learned.periods
    weeks = torch.arange(max(1, periods - _WEEKS), periods)
    demand = market.truth.demand
    state, reference = demand.rows(weeks), market.reference
    errors = {
        name: torch.stack([_error(learned, weeks, demand, state, reference, m) for m in _MULTIPLES])
        for name, learned in (("unpromoted", market.unpromoted), ("promoted", market.learned))
    }  # each (multiple, I)
    best = _best_multiple(market.unpromoted, _start(market.unpromoted, weeks), market)
    true_best = _best_multiple(demand, state, market)
    wrong = ((best - 1) * (true_best - 1) < 0) & ((true_best - 1).abs() > _NEAR)
    return {
        "change_error": float(errors["unpromoted"].abs().nanmean()),
        "change_error_worst_item": float(errors["unpromoted"].abs().mean(0).nan_to_num().max()),
        "change_error_down": float(errors["unpromoted"][0].nanmean()),
        "change_error_up": float(errors["unpromoted"][1].nanmean()),
        "change_error_promotions_follow": float(errors["promoted"].abs().nanmean()),
        "optimum_wrong_side": int(wrong.sum()),
        "optimum_error": float((best - true_best).abs().mean()),
    }


def _start(learned: LearnedDemand, weeks: Tensor) -> LearnedState:
    zero = torch.zeros_like(weeks)
    return learned.reset(weeks, NoiseKey(0, zero, zero, zero))


def _error(
    learned: LearnedDemand,
    weeks: Tensor,
    demand: DemandProcess,
    state: Any,
    reference: Tensor,
    multiple: float,
) -> Tensor:
    """(I,) error of the change in log demand, over the change in log price."""
    change = demand_change(learned, _start(learned, weeks), reference, multiple)
    true = demand_change(demand, state, reference, multiple)  # NaN where the year does not list it
    change, true = change.where(true.isfinite(), torch.nan).nanmean(0), true.nanmean(0)
    return (change - true) / math.log(multiple)


def _best_multiple(demand: DemandProcess, state: Any, market: Studied) -> Tensor:
    """(I,) the multiple of its reference price that earns most on the item alone, unit costs being known."""
    reference, cost = market.reference, market.truth.history.cost.median(0).values
    usual = demand.outlook(state).mean.shape[0]
    base = demand.expected(state, reference.expand(usual, *reference.shape)).mean(0)
    profit = torch.stack(
        [
            ((reference * m - cost) * base * demand_change(demand, state, reference, m).exp()).nansum(0)
            for m in _GRID.tolist()
        ]
    )
    return _GRID[profit.argmax(0)]
