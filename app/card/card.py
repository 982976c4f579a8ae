"""How far to trust a fitted market, in numbers, and a verdict drawn from them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import numpy as np
from torch import Tensor

from ...envs.customers import MarketCustomers
from ...envs.market import Market
from ...forecasters.errors import InputError
from ...forecasters.events import read_events
from ...forecasters.identification import Elasticities
from ...forecasters.panel.sales_panel import SalesPanel
from ...forecasters.progress import SILENT, Progress
from ...forecasters.response import WEAKEST
from ...forecasters.simulation import LearnedDemand
from ..output import plain
from .held_out import held_out
from .simulated import against_history
from .together import together
from .verdict import verdict

_NO_VARIATION = 0.005  # residual spread of log price below which the prior speaks alone


def market_card(market: Market, panel: SalesPanel, seed: int, progress: Progress = SILENT) -> dict[str, Any]:
    """The card of ``card MARKET --json``, in JSON's own types.

    Raises:
        InputError: the market was not fitted.
    """
    demand = market.demand
    if not isinstance(demand, LearnedDemand):
        raise InputError(f"{market.name}: expected a fitted market, found a true one, which needs no card")
    given, found = market.economics.given(), demand.elasticities
    card: dict[str, Any] = plain(
        {
            "market": market.name,
            "frequency": market.frequency,
            "from": str(panel.dates[0]),
            "to": str(panel.dates[-1]),
            "locations": len(market.locations),
            "items": len(market.items),
            "series": len(panel.series),
            "data": _data(panel),
            "elasticity": {
                "own": list(_own(market, panel, (found.own, found.own_lo, found.own_hi))),
                "cross": list(_cross(market, found.cross)),
                "weakest": WEAKEST,
            },
            "together": together(market, demand),
            "identification": _identification(market, panel, found),
            "support": list(_support(market, panel)),
            "fit": {"validation_loss": demand.model.validation_loss, "overfit": demand.model.overfit},
            "customers": None if market.customers is None else _customers(market.customers, seed, progress),
            **held_out(demand, panel, seed, progress),
            "simulated": against_history(demand, panel, market.first_start, seed, progress),
            "cleaning": {
                "rows_read": panel.report.rows_read,
                "rows_kept": panel.report.rows_kept,
                "notes": list(panel.report.notes),
            },
            "economics": {
                name: {"value": value, "given": given[name]}
                for name, value in market.economics.model_dump(include=set(given)).items()
            },
        }
    )
    return {**card, "verdict": verdict(card)}


def _customers(known: MarketCustomers, seed: int, progress: Progress) -> dict[str, Any]:
    """What is known of them, and how true chances of single customers are."""
    if isinstance(known.found, str):
        return {"unknown": known.found}
    told = known.found.account.plain()
    if known.log is None:
        return told
    from ...forecasters.customers import HORIZON, calibration

    try:
        scores = asdict(calibration(read_events(known.log), known.items, seed, progress))
    except InputError as error:
        scores = {"because": str(error)}
    return {**told, "scores": {"horizon": HORIZON, **scores}}


def _data(panel: SalesPanel) -> dict[str, Any]:
    """What the table holds, as far as the verdict asks."""
    observed = np.isfinite(panel.units)
    out = (np.nan_to_num(panel.censored) > 0) & observed
    return {
        "rows": int(observed.sum()),
        "periods": panel.periods,
        "years": float((panel.dates[-1] - panel.dates[0]) / np.timedelta64(1, "D")) / 365.25,
        "stocked_out": float(out.sum() / max(observed.sum(), 1)),
    }


def _identification(market: Market, panel: SalesPanel, found: Elasticities) -> dict[str, Any]:
    """What the elasticities were learned from, by item, and whether something hidden is at work."""

    def at(values: Tensor | None, item: int) -> float | None:
        return None if values is None else float(values[item])

    instrument = [c.name for c in panel.covariates if c.role == "instrument"][:1]
    gap = {"gap": found.gap, "gap_error": found.gap_error} if instrument else {"gap": None, "gap_error": None}
    return {
        "instrument": instrument[0] if instrument else None,
        "confounded": found.confounded if instrument else None,
        **gap,
        "learned_from": ["price", *(c.name for c in panel.covariates if c.role == "decision"), *instrument],
        "terms": _terms(found),
        "items": [
            {
                "item": name,
                "residual_price_spread": float(found.price_spread[i]),
                "prior_only": float(found.price_spread[i]) < _NO_VARIATION,
                "with_instrument": at(found.with_instrument, i),
                "without_instrument": at(found.without_instrument, i),
            }
            for i, name in enumerate(market.items)
        ],
    }


def _terms(found: Elasticities) -> list[str]:
    """What the price response has beyond constant elasticities: the terms that the table showed."""
    parts = {
        "curve": found.curve,
        "chain": found.chain,
        "season": found.sway,
        "stockpiling": found.carryover[..., 0],
        "reference price": found.carryover[..., 1],
    }
    return [name for name, values in parts.items() if bool((values != 0).any())]


def _series(market: Market, panel: SalesPanel) -> Iterator[tuple[int, int, dict[str, str]]]:
    for place, item in panel.select(market.locations, market.items).series.tolist():
        yield place, item, {"location": market.locations[place], "item": market.items[item]}


def _own(market: Market, panel: SalesPanel, ends: tuple[Tensor, Tensor, Tensor]) -> Iterator[dict[str, Any]]:
    for place, item, names in _series(market, panel):
        mean, lo, hi = (float(end[place, item]) for end in ends)
        yield {**names, "mean": mean, "lo": lo, "hi": hi}


def _cross(market: Market, cross: Tensor) -> Iterator[dict[str, Any]]:
    for i, item in enumerate(market.items):
        for j, other in enumerate(market.items):
            if i != j:
                yield {"item": item, "other_item": other, "mean": float(cross[i, j])}


def _support(market: Market, panel: SalesPanel) -> Iterator[dict[str, Any]]:
    terms = market.terms
    for place, item, names in _series(market, panel):
        low, reference, high = (
            float(price[place, item]) for price in (terms.price_low, terms.reference_price, terms.price_high)
        )
        yield {**names, "reference": reference, "low": low, "high": high}
