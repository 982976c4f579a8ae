"""Stores that open: their first eight weeks, from their attributes and from what other stores sold before.

A seventh of the stores has no history. One that opens is forecast by the market model as it is. The naive
forecast is given more: the store's own first weeks, each of which it repeats in the next; the first is the
mean of the other stores.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from mercato.forecasters.evaluation.metrics import DECILES, scores
from mercato.forecasters.market_model import build_features, forecast, observe, shipped
from mercato.forecasters.panel import SalesPanel

from ..tables.piece import Plan, Skip
from .panels import panel_of

WEEKS, WINDOWS, EVERY = 8, 3, 7  # a seventh of the stores, at three times


def measure(name: str, plan: Plan) -> dict[str, Any]:
    """Weighted quantile loss and others, of the market model and of the naive forecast."""
    try:
        panel = panel_of(name, plan)
    except Skip as why:
        return {"panel": name, "skipped": str(why)}
    told: dict[str, list[np.ndarray]] = {}
    came: list[np.ndarray] = []
    for window in range(WINDOWS):
        opens = panel.periods - WEEKS * (WINDOWS - window)
        new = np.arange(len(panel.locations)) % EVERY == window
        seen = observe(_opened(panel, new, opens).window(0, opens + WEEKS), opens)
        known = seen.scored[opens:][:, new]
        features = build_features(seen, opens, [opens])
        deciles = forecast(shipped().network, seen, features, opens, WEEKS)[:, new]
        came.append(seen.units[opens:][:, new][known])
        told.setdefault("market model as it is", []).append(deciles[known])
        told.setdefault("last week's sales, of the stores themselves", []).append(
            _naive(seen.units, new, opens)[known]
        )
    units = np.concatenate(came)
    models = {name: scores(units, np.concatenate(parts)) for name, parts in told.items()}
    return {"panel": name, "weeks": WEEKS, "models": models}


def _opened(panel: SalesPanel, new: np.ndarray, opens: int) -> SalesPanel:
    """The panel as if some locations had been shut before a period."""
    units, price = panel.units.copy(), panel.price.copy()
    hidden = new[panel.series[:, 0]]
    units[:opens, hidden] = np.nan
    price[:opens, hidden] = np.nan
    return replace(panel, units=units, price=price)


def _naive(units: np.ndarray, new: np.ndarray, opens: int) -> np.ndarray:
    """(H, S', I, 9) each week as the one before, the first as other stores; as wide as changes are."""
    own = units[opens:][:, new]
    first = np.broadcast_to(np.nanmean(units[opens - 4 : opens], axis=(0, 1)), own.shape[1:])
    middle = np.concatenate([first[None], own[:-1]])
    for t in range(1, len(middle)):  # a week that was not seen: the one before it
        middle[t] = np.where(np.isfinite(middle[t]), middle[t], middle[t - 1])
    logs = np.log(units[:opens] + 0.5)
    changes = np.diff(logs, axis=0)
    steps = np.nanquantile(changes, DECILES)
    return np.maximum(np.exp(np.log(middle + 0.5)[..., None] + steps) - 0.5, 0.0)


def table(rows: list[dict[str, Any]]) -> str:
    """As Markdown."""
    out = ["| panel, stores without history | forecast | WQL | WAPE | 80% covers |", "|---|---|---|---|---|"]
    for row in rows:
        for name, score in row.get("models", {}).items():
            figures = f"{score['wql']:.4f} | {score['wape']:.1%} | {score['coverage80']:.1%}"
            out.append(f"| {row['panel']} | {name} | {figures} |")
    return "\n".join(out)
