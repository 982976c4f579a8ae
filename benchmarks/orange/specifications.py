"""How the pooled own elasticity moves with what is held constant: what you assume decides it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mercato.forecasters.features.history import build_history
from mercato.forecasters.fit import identify
from mercato.forecasters.panel import SalesPanel

from ..peers.dml import least_squares, ridge_dml
from ..peers.fixed_effects import absorb


@dataclass(frozen=True)
class _Rows:
    """Observed rows with sales, flattened to N."""

    log_units: np.ndarray  # (N,)
    log_price: np.ndarray  # (N,)
    promo: np.ndarray  # (N, K)
    log_rivals: np.ndarray  # (N,) mean log price of the location's other items
    period: np.ndarray  # (N,) int
    place: np.ndarray  # (N,) int
    good: np.ndarray  # (N,) int


def specifications(panel: SalesPanel) -> list[dict]:
    """``{controls, elasticity, error, method}`` of each specification; an error of None is not known.

    Errors are clustered by location in the regressions. The others estimate every item and give the mean,
    with the error of a mean of independent estimates: too small where items' errors go together.
    """
    rows = _rows(panel)
    table = []
    for controls, effects, columns in _ladder(rows):
        x = np.column_stack([rows.log_units, rows.log_price, *columns])
        inside = absorb(x, effects)
        slopes, errors = least_squares(inside[:, 1:], inside[:, 0], rows.place)
        table.append(_line(controls, slopes[0], float(errors[0]), "least squares"))
    found = ridge_dml(panel)
    table.append(
        _line(
            "past demand, prices, deals; deals, rivals' prices",
            *_pooled(found.own, found.lo, found.hi),
            "DML",
        )
    )
    learned = identify(panel, build_history(panel))[2]
    ends = [x.double().mean(0).numpy() for x in (learned.own, learned.own_lo, learned.own_hi)]
    elasticity, error = _pooled(*ends)
    table.append(_line("as the market is learned; one store moves its price", elasticity, error, "mercato"))
    together = elasticity + float(learned.chain.mean())
    table.append(_line("as the market is learned; all stores move theirs", together, None, "mercato"))
    return table


def _line(controls: str, elasticity: float, error: float | None, method: str) -> dict:
    return {"method": method, "controls": controls, "elasticity": float(elasticity), "error": error}


def _pooled(own: np.ndarray, lo: np.ndarray, hi: np.ndarray) -> tuple[float, float]:
    errors = (hi - lo) / (2 * 1.645)
    return float(own.mean()), float(np.sqrt(np.square(errors).sum()) / len(own))


def _ladder(rows: _Rows) -> list[tuple[str, list[np.ndarray], list[np.ndarray]]]:
    """Controls in words, effects to absorb, further columns."""
    store_item = rows.place * (rows.good.max() + 1) + rows.good
    item_week = rows.good * (rows.period.max() + 1) + rows.period
    main = [rows.place, rows.period, rows.good]
    series = [store_item, rows.period]
    both = [store_item, item_week]
    deals = list(rows.promo.T)
    return [
        ("store, week, item", main, []),
        ("store × item, week", series, []),
        ("store × item, week; deal, feature", series, deals),
        ("store × item, week; deal, feature; rivals' mean price", series, [*deals, rows.log_rivals]),
        ("store × item, item × week", both, []),
        ("store × item, item × week; deal, feature", both, deals),
        ("store × item, item × week; deal, feature; rivals' mean price", both, [*deals, rows.log_rivals]),
    ]


def _rows(panel: SalesPanel) -> _Rows:
    history = build_history(panel)
    units, price = history.units.double().numpy(), history.log_price.double().numpy()
    keep = history.known.numpy() & (units > 0)
    period, place, good = np.nonzero(keep)
    rivals = (price.sum(2, keepdims=True) - price) / max(1, price.shape[2] - 1)
    return _Rows(
        log_units=np.log(units[keep]),
        log_price=price[keep],
        promo=history.promo.double().numpy()[keep],
        log_rivals=rivals[keep],
        period=period,
        place=place,
        good=good,
    )
