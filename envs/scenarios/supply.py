"""Orders that take another time than the market's lead time: where they are put in the pipeline."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from ...forecasters.tensors import NoiseKey
from ..engine.stock import stock_of
from ..engine.types import State
from .plan import Plan

_LATE_STREAM = 200  # and those after it, one a delay


def slots(plan: Plan) -> int:
    """Slots of the pipeline: periods that an order may be under way at most, one at least.

    Two where nothing may arrive in some period: what is held goes into the second.
    """
    longest = int(sum((delay.by * (delay.share > 0) for delay in plan.delays), start=plan.lead).max())
    return max(longest, 2 if bool((plan.arriving == 0).any()) else 1)


def changed(plan: Plan) -> bool:
    """Whether any order takes another time than the market's lead time."""
    usual = plan.market.economics.lead_time
    late = any(bool((delay.share > 0).any()) for delay in plan.delays)
    return late or bool(((plan.lead != usual) | (plan.arriving == 0)).any())


def announced(plan: Plan, t: int) -> int:
    """The lead time that policies reckon with in period ``t``: the longest, lateness aside."""
    return int(plan.lead[t].max())


def placed(state: State, order: Tensor, plan: Plan, t: int, key: NoiseKey) -> State:
    """The state in which ``order`` (B, S, I) is due when it is, and what may not arrive in ``t`` + 1 is held.

    The engine is about to put the order into the pipeline's last slot: it is added where it belongs and taken
    off there, so that the inventory position stays what it is.
    """
    pipeline = state.pipeline.clone()
    last = pipeline.shape[1] - 1
    lead = plan.lead[t].long().expand(order.shape)
    for number, delay in enumerate(plan.delays):
        late = key.uniform(plan.market.series_ids, _LATE_STREAM + number) < delay.share[t]
        lead = lead + delay.by * late
    lead = torch.where((lead == 0) & (plan.arriving[t] == 0), 1, lead)
    at_once = torch.where(lead == 0, order, 0.0)
    later = (order - at_once).unsqueeze(1)
    pipeline.scatter_add_(1, (lead - 1).clamp(min=0).unsqueeze(1), later)
    pipeline[:, last] -= order
    if t + 1 < plan.horizon:
        held = pipeline[:, 0] * (plan.arriving[t + 1] == 0)
        pipeline[:, 0] -= held
        pipeline[:, min(1, last)] += held
    stock = stock_of(state, plan.market.economics).add(at_once)
    return replace(state, pipeline=pipeline, on_hand=stock.units, cohorts=stock.cohorts)
