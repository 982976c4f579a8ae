"""How far to trust a fitted market: elasticities, supported prices, its sales against the real ones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from torch import Tensor

from ..envs.market import Market
from ..forecasters.elasticity import Elasticities
from ..forecasters.errors import InputError
from ..forecasters.learned import LearnedDemand
from ..forecasters.panel.sales_panel import SalesPanel
from ..forecasters.paths import sample_paths
from ..forecasters.progress import SILENT, Progress

_NO_VARIATION = 0.005  # residual spread of log price below which the prior speaks alone
_PATHS, _LENGTH = 16, 26  # sampled histories, and periods of each at most


def market_card(market: Market, panel: SalesPanel, seed: int, progress: Progress = SILENT) -> dict[str, Any]:
    """The card of ``card MARKET --json``.

    Raises:
        InputError: the market was not fitted.
    """
    demand = market.demand
    if not isinstance(demand, LearnedDemand):
        raise InputError(f"{market.name}: expected a fitted market, found a true one, which needs no card")
    given, found = market.economics.given(), demand.elasticities
    return {
        "market": market.name,
        "frequency": market.frequency,
        "from": str(panel.dates[0]),
        "to": str(panel.dates[-1]),
        "locations": len(market.locations),
        "items": len(market.items),
        "series": len(panel.series),
        "elasticity": {
            "own": list(_own(market, panel, (found.own, found.own_lo, found.own_hi))),
            "cross": list(_cross(market, found.cross)),
        },
        "support": list(_support(market, panel)),
        "fit": {"validation_loss": demand.model.validation_loss, "overfit": demand.model.overfit},
        "identification": _identification(market, panel, found),
        "simulated": _against_history(demand, panel, seed, progress),
        "economics": {
            name: {"value": value, "given": given[name]}
            for name, value in market.economics.model_dump().items()
        },
        "cleaning": list(panel.report.notes),
    }


def _identification(market: Market, panel: SalesPanel, found: Elasticities) -> dict[str, Any]:
    """What the elasticities were learned from, by item, and whether something hidden is at work."""

    def at(values: Tensor | None, item: int) -> float | None:
        return None if values is None else float(values[item])

    instrument = [c.name for c in panel.covariates if c.role == "instrument"][:1]
    return {
        "instrument": instrument[0] if instrument else None,
        "confounded": found.confounded if instrument else None,
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


def _against_history(
    demand: LearnedDemand, panel: SalesPanel, seed: int, progress: Progress
) -> dict[str, Any]:
    """Simulated against real sales over the last periods, at the prices and promotions that they had.

    Rows in which stock ran out are left out of both. The model has seen these periods: this asks whether the
    market behaves like the real one, not how well it forecasts, which ``mercato backtest`` measures.
    """
    length = min(_LENGTH, panel.periods // 3)
    begin = panel.periods - length
    history = demand.history
    seen = (history.known & (history.censored == 0))[begin:].cpu().numpy()
    real = np.where(seen, history.units[begin:].cpu().numpy(), np.nan)
    paths = [
        np.where(seen, path, np.nan)
        for path in sample_paths(demand, demand.history, begin, length, _PATHS, seed, progress)
    ]
    told = [_moments(path) for path in paths]
    return {
        "from": str(panel.dates[begin]),
        "to": str(panel.dates[-1]),
        "paths": _PATHS,
        "measures": [
            {
                "measure": name,
                "real": value,
                "simulated": float(np.mean([one[name] for one in told])),
                "lo": float(np.quantile([one[name] for one in told], 0.1)),
                "hi": float(np.quantile([one[name] for one in told], 0.9)),
            }
            for name, value in _moments(real).items()
        ],
    }


def _moments(units: np.ndarray) -> dict[str, float]:
    """Moments of units (T, S, I), NaN where not compared; 0 where a moment does not exist."""
    flat = units.reshape(len(units), -1)
    logs = np.log1p(flat[:, np.isfinite(flat).sum(axis=0) >= 4])
    centred = np.nan_to_num(logs - np.nanmean(logs, axis=0)) if logs.size else logs
    total = np.square(centred).sum()
    deviation = np.sqrt(np.square(centred).mean(axis=0))
    moving = centred[:, deviation > 0] / deviation[deviation > 0]
    together = moving.T @ moving / len(flat)
    pairs = together.size - len(together)
    return {
        "units a series and period, mean": float(np.nanmean(flat)) if np.isfinite(flat).any() else 0.0,
        "log units, standard deviation over time": float(deviation.mean()) if deviation.size else 0.0,
        "log units, autocorrelation at one period": (
            float((centred[1:] * centred[:-1]).sum() / total) if total > 0 else 0.0
        ),
        "log units, mean correlation between series": (
            float((together.sum() - np.trace(together)) / pairs) if pairs else 0.0
        ),
    }
