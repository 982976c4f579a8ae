"""Elasticities against the truth.

An own elasticity that moves with the price or the season is compared, on both sides, as the mean over all
weeks of the local one at the price charged; where it never changes that is the one number it is. The ends of
an interval move along with the estimate. A model's word is of a series' own price and of nothing else: what
it says of a price that moves everywhere, or was remembered, shows in ``changes`` and ``sustained``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from mercato.envs.structural import (
    FAMILIES,
    ROLES,
    Size,
    Truth,
    oracle_elasticities,
    own_elasticities,
    shrunk,
)
from mercato.forecasters.features.history import build_history
from mercato.forecasters.fit import identify
from mercato.forecasters.panel import SalesPanel, read_panel
from mercato.forecasters.response.price_response import WEAKEST, Context

from ..peers.naive import naive_by_item
from .market import Studied

Row = dict[str, float | None]

_STEP = 0.01  # of log price, by which slopes are taken


def true_own(truth: Truth) -> Tensor:
    """(S, I) own elasticities at the prices charged, mean of the weeks."""
    demand, history = truth.demand, truth.history
    weeks = demand.rows(torch.arange(len(history.price)))
    return own_elasticities(demand, weeks, history.price).nanmean(0)  # of the weeks in which it was listed


def stated_own(market: Studied) -> tuple[Tensor, Tensor, Tensor]:
    """(S, I) the model's own elasticities at the prices charged and the ends of their intervals."""
    history, response = market.learned.history, market.model.response
    until = history.periods
    context = Context(harmonic=history.ahead[:until, ..., :2], listed=history.listed[:until])
    alone, listed = replace(response, chain=torch.zeros_like(response.chain)), history.listed[:until]

    def charged(which: Literal["lo", "mean", "hi"]) -> Tensor:
        answer, out = alone.at(which), torch.empty_like(history.log_price)
        for item in range(out.shape[-1]):
            step = torch.zeros(out.shape[-1])
            step[item] = _STEP
            up, down = (
                answer.effect(history.log_price + way, history.promo, context)[..., item]
                for way in (step, -step)
            )
            out[..., item] = (up - down) / (2 * _STEP)
        return out.where(listed, torch.nan).nanmean(0)  # as the truth: of the weeks in which it was listed

    return charged("mean"), charged("lo"), charged("hi")


def own_and_cross(market: Studied) -> Row:
    """Errors of the elasticities, the floor of the oracle, and what the diagnosis says."""
    truth, found = market.truth, market.model.elasticities
    true, (own, lo, hi) = true_own(truth), stated_own(market)
    sold = true.isfinite()
    own, lo, hi = (x.where(sold, torch.nan) for x in (own, lo, hi))
    item, true_item = own.nanmean(0), true.nanmean(0)
    oracle = oracle_elasticities(truth.demand, truth.history)
    off = ~torch.eye(len(true_item), dtype=torch.bool)

    def error(value: Tensor) -> float:
        return float((value - true).abs().nanmean())

    series, floor, pooled = error(own), error(shrunk(oracle)), error(true_item.expand_as(true))
    return {
        "item_mae": _mae(item, true_item),
        "item_bias": float((item - true_item).mean()),
        "item_rank": float(np.corrcoef(item.argsort().argsort(), true_item.argsort().argsort())[0, 1]),
        "item_mae_naive": _mae(naive_by_item(truth.history.price.log(), truth.history.sales), true_item),
        "wrong_signs": int((found.own >= WEAKEST).sum()),  # estimated there or beyond, and kept there
        "series_mae": series,
        "series_mae_oracle": error(oracle.value),
        "series_mae_oracle_shrunk": floor,
        "series_mae_pooled": pooled,
        "series_over_oracle_shrunk": series / floor,
        "series_below_pooled": 1 - series / pooled,
        "series_covered_90": float(((lo <= true) & (true <= hi))[sold].float().mean()),
        "cross_mae": float((found.cross - truth.cross())[off].abs().nanmean()),
        "alarm": int(found.confounded),
        "alarm_gap": found.gap,
        "alarm_gap_error": found.gap_error,
        "curve": float(found.curve.mean()),
        "chain": float(found.chain.mean()),
        "sway": float(found.sway.square().sum(-1).sqrt().mean()),
        "memory_recent": float(found.carryover[:, 0].mean()),
        "memory_lasting": float(found.carryover[:, 1].mean()),
        "overfit_ratio": market.model.overfit,
    }


def without_shifter(family: str, seed: int, size: Size) -> Row:
    """The same panel, its cost shifter declared to be no shifter."""
    frame, truth = FAMILIES[family].make(seed, size)
    panel: SalesPanel = read_panel(frame, roles={**ROLES, "cost_shifter": "past"})
    _, _, found = identify(panel, build_history(panel))
    return {
        "no_shifter_item_mae": _mae(found.own.mean(0), true_own(truth).nanmean(0)),
        "no_shifter_cannot_tell": int(found.with_instrument is None),  # the card then says so
        "no_shifter_alarm": int(found.confounded),
    }


def _mae(value: Tensor, true: Tensor) -> float:
    return float((value - true).abs().mean())
