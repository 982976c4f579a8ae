"""Whether drawn markets are like real ones: ``python -m benchmarks.prior``.

A prior predictive check (Gelman et al. 2013, Bayesian Data Analysis, section 6.3): moments of the public
panels among those of drawn ones. A moment outside the middle 98% of the prior is one that the market model
has hardly met.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from mercato.forecasters.market_model import Observed, draw, observe

from .forecasts.panels import PANELS, panel_of
from .record import write_result
from .tables.piece import Plan, Skip

_DRAWN, _FEW = 600, 150
_REAL = ("orange-juice", "ta-feng", "FreshRetailNet")


def moments(panel: Observed) -> dict[str, float]:
    """What a panel of units, prices and promotions is like; NaN where it cannot be told."""
    logs = np.log(panel.units + 0.5 * panel.grain)
    logs = np.where(panel.scored, logs, np.nan)
    demand, price = _within(logs), _within(panel.log_price)
    item = _mean(demand, 1)
    moved = np.abs(np.diff(panel.log_price, axis=0)) > 1e-3
    both = np.isfinite(demand) & np.isfinite(price)
    spread = float(np.sqrt(_all(price**2)))
    return {
        "log units, mean": _all(logs - np.log(panel.grain)),
        "share without sales": _all(np.where(np.isfinite(panel.units), panel.units <= 0, np.nan)),
        "log units, spread within a series": float(np.sqrt(_all(demand**2))),
        "… of the item everywhere": float(np.sqrt(_all(item**2))),
        "… autocorrelation at one period": _correlation(demand[1:], demand[:-1]),
        "… of the item everywhere, autocorrelation": _correlation(item[1:], item[:-1]),
        "log price, spread within a series": spread,
        "share of periods in which a price moves": _all(
            np.where(np.isfinite(panel.log_price[1:] + panel.log_price[:-1]), moved, np.nan)
        ),
        "slope of log units on log price": float(
            (demand * price)[both].sum() / max(float((price**2)[both].sum()), 1e-9)
        )
        if spread > 0.02
        else np.nan,
        "share on promotion": float((panel.promo.max(-1) > 0).mean()) if panel.promo.shape[-1] else np.nan,
    }


def _within(values: np.ndarray) -> np.ndarray:
    """Less the mean of its series."""
    return values - _mean(values, 0)


def _mean(values: np.ndarray, axis: int) -> np.ndarray:
    seen = np.isfinite(values)
    total = np.where(seen, values, 0.0).sum(axis, keepdims=True)
    return np.where(seen.any(axis, keepdims=True), total / seen.sum(axis, keepdims=True).clip(1), np.nan)


def _all(values: np.ndarray) -> float:
    seen = np.isfinite(values)
    return float(values[seen].mean()) if seen.any() else np.nan


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    both = np.isfinite(one) & np.isfinite(other)
    return float(np.corrcoef(one[both], other[both])[0, 1]) if both.sum() > 2 else np.nan


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="the result as JSON on standard output")
    parser.add_argument("--quick", action="store_true", help="fewer draws; not kept")
    parser.add_argument("--shared", type=Path, default=Path("../shared"), help="folder whose data/ has more")
    asked = parser.parse_args()
    drawn = [moments(draw(np.random.default_rng([7, n]))) for n in range(_FEW if asked.quick else _DRAWN)]
    real: dict[str, dict[str, float]] = {}
    for name in _REAL:
        try:
            panel = panel_of(name, Plan(quick=False, shared=asked.shared))
        except Skip as why:
            print(f"{name}: skipped, {why}", file=sys.stderr)
            continue
        real[name] = moments(observe(panel, panel.periods - 3 * PANELS[name]))
    found = {name: _row(name, drawn, real) for name in drawn[0]}
    result = {"drawn": len(drawn), "moments": found}
    if not asked.quick:
        print(f"wrote {write_result('prior', result)}", file=sys.stderr)
    print(json.dumps(result) if asked.json else _table(found))


def _row(name: str, drawn: list[dict[str, float]], real: dict[str, dict[str, float]]) -> dict[str, Any]:
    """Quantiles of the prior, and where each panel lies among the draws, 0 … 1."""
    values = np.array([one[name] for one in drawn])
    values = values[np.isfinite(values)]
    low, middle, high = np.quantile(values, [0.01, 0.5, 0.99])
    places = {panel: float((values < told[name]).mean()) for panel, told in real.items()}
    return {
        "prior": [float(low), float(middle), float(high)],
        "real": {panel: told[name] for panel, told in real.items()},
        "rank": {panel: rank for panel, rank in places.items() if np.isfinite(real[panel][name])},
    }


def _table(found: dict[str, dict[str, Any]]) -> str:
    names = list(next(iter(found.values()))["real"])
    out = [
        f"| moment | prior: 1%, median, 99% | {' | '.join(names)} |",
        f"|---|---|{'---|' * len(names)}",
    ]
    for moment, row in found.items():
        prior = ", ".join(f"{value:.2f}" for value in row["prior"])
        cells = [
            f"{row['real'][name]:.2f} ({row['rank'][name]:.0%})" if name in row["rank"] else "–"
            for name in names
        ]
        out.append(f"| {moment} | {prior} | {' | '.join(cells)} |")
    return "\n".join(out)


if __name__ == "__main__":
    main()
