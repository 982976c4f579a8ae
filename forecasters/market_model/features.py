"""What is known of a period before it comes: of its prices and calendar, and of all that was sold before.

Everything is free of scale, so that one network reads any panel: log demand above the series' level and freed
of the identified effect of prices, log prices over their usual ones. Numbers of the past are running means
over half-lives, of the series and of what is common to an item, a location, the chain. Two regressions are
fitted on the way, each on what precedes the forecast alone: of an item's demand on prices, promotions,
calendar and exogenous columns (ridge, drawn to that of all items), and of demand on single columns, for their
slopes. How far to trust them at which length of history is the network's to learn. The first one also reads
the promotions before and after a period, where that would have foretold the history better.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from .levels import levels, tamed
from .observed import Observed
from .ridge import Ridge, extended
from .running import first_known, lagged, mean, or_else, root, running, weight

_SERIES, _SHARED, _RESIDUAL = (1.0, 2.0, 4.0, 8.0, 20.0, 50.0), (1.0, 4.0, 13.0, 50.0), (2.0, 8.0, 30.0)
_SPREAD, _SLOPE, _NEWS = 20.0, 80.0, 4.0  # half-lives, periods
_PRICE = 5.0  # times a log price, to be of the size of the others
_HARMONICS = 3
_NEAR = 0.5  # mean distances, at which a neighbour counts for a third
_LARGEST = 8.0  # of any feature
SCALE = 8.0  # periods of a horizon


@dataclass(frozen=True)
class Features:
    """Of a panel of T periods, S locations, I items, for forecasts from some origins on."""

    level: np.ndarray  # (S, I) log units of an ordinary period
    _offer: tuple[str, ...]  # names of the first columns of ``_ahead``
    _ahead: np.ndarray  # (T, S, I, A) of a period, known before it comes
    _past: dict[int, np.ndarray]  # origin → (S, I, P) of what precedes it
    _news: dict[int, np.ndarray]  # origin → (S, I, 2) what is known only afterwards says of what comes
    _static: np.ndarray  # (S, I, Q)
    _ridge: Ridge
    _weekdays: dict[int, np.ndarray]  # origin → (7, S, I) usual demand on each day of the week
    _weekday: np.ndarray  # (T,)
    _last_year: np.ndarray  # (T, I) mean demand of the item and the period
    _year: int

    def at(self, origin: int, horizon: int) -> np.ndarray:
        """(S, I, F) float32 features of the period ``horizon`` after ``origin``, the first unknown one."""
        target = origin + horizon
        shape = (*self.level.shape, 1)
        last_year = np.zeros((*self.level.shape, 2), dtype=np.float32)
        around = self._last_year[max(0, target - self._year - 1) : min(target - self._year + 2, origin)]
        if target >= self._year + 1 and len(around):
            last_year[..., 0], last_year[..., 1] = around.mean(0), 1
        parts = [
            self._ridge.predict(origin, target),
            self._ahead[target],
            self._past[origin],
            self._news[origin],
            self._static,
            np.full(shape, horizon / SCALE),
            np.full(shape, np.log1p(horizon)),
            self._weekdays[origin][self._weekday[target]][..., None],
            last_year,
        ]
        return np.clip(np.concatenate(parts, axis=-1), -_LARGEST, _LARGEST).astype(np.float32)

    @property
    def groups(self) -> tuple[str, ...]:
        """(F) what each feature tells of."""
        kinds = {"price": "prices", "promo": "promotions", "effect": "identified effect of prices"}
        offer = [kinds[name.split()[0]] for name in self._offer]
        past = next(iter(self._past.values())).shape[-1]
        return (
            "regression on what is known ahead",
            *offer,
            *["calendar"] * (self._ahead.shape[-1] - len(offer)),
            *["past demand"] * past,
            *["columns known only afterwards"] * 2,
            *["size of the series"] * self._static.shape[-1],
            *["periods ahead"] * 2,
            *["calendar"] * 3,
        )


def build_features(panel: Observed, fitted: int, origins: Sequence[int]) -> Features:
    """Features of a panel for forecasts from ``origins`` on; levels are of its first ``fitted`` periods."""
    shape, usable = panel.units.shape, np.where(panel.exposure > 0, panel.exposure, np.nan)
    log_demand = np.log(panel.units / usable + 0.5 * panel.grain)
    level = levels(log_demand[:fitted], panel.attributes)
    charged = mean(panel.log_price[:fitted], 0)[0]
    usual = or_else(charged, first_known(panel.log_price))  # what is launched later
    effect = np.zeros(shape) if panel.effect is None else panel.effect
    there = np.where(np.isfinite(log_demand), effect, np.nan)
    effect = effect - np.nan_to_num(mean(there[:fitted], 0))
    demand = log_demand - level - effect
    prices = _prices(panel, panel.log_price - usual, effect)
    calendar = _calendar(panel)
    week = range(2 * _HARMONICS, calendar.shape[-1] if panel.weekday is not None else 0)
    columns = [np.broadcast_to(prices[name], shape) for name in _REGRESSORS]
    columns += [calendar[..., k] for k in (0, 1, *week)]
    columns += list(np.moveaxis(panel.exogenous, -1, 0))
    known = np.nan_to_num(np.stack(columns, axis=-1))
    ridge = Ridge.of(known, demand)
    calm = tamed(demand, demand - ridge.residuals(demand), fitted)
    if not np.array_equal(calm, demand, equal_nan=True):
        demand, ridge = calm, Ridge.of(known, calm)
    ridge = extended(ridge, demand, _beside(prices), np.exp(0.5 * level), fitted)
    ahead = np.concatenate(
        [np.stack([np.broadcast_to(x, shape) for x in prices.values()], axis=-1), calendar], -1
    )
    static = _static(panel, fitted, level, charged)
    weekday = np.zeros(shape[0], dtype=np.int64) if panel.weekday is None else panel.weekday
    return Features(
        level,
        tuple(prices),
        np.nan_to_num(ahead).astype(np.float32),
        _past(panel, demand, prices, ridge, origins),
        _news(panel, demand, origins),
        static,
        ridge,
        _by_weekday(demand, weekday, origins, panel.weekday is not None),
        weekday,
        np.nan_to_num(mean(demand, 1)[:, 0]),
        panel.periods_a_year,
    )


_REGRESSORS = (
    *("price", "price rivals", "price cheapest rival", "promo 0", "promo 1", "promo 0 rivals"),
    *(
        "promo 1 rivals",
        "price before",
        "promo 0 chain",
        "promo 1 chain",
        "price chain",
        "price rivals chain",
    ),
)


def _prices(panel: Observed, price: np.ndarray, effect: np.ndarray) -> dict[str, np.ndarray]:
    """Prices over the usual ones, promotions, their effect (T, S, I): own, rivals', the chain's, before."""
    rivals = (panel.category[:, None] == panel.category) & ~np.eye(len(panel.category), dtype=bool)
    price = _PRICE * price
    out = {
        "price": price,
        "price rivals": _others(price, rivals),
        "price cheapest rival": _least(price, panel.category),
    }
    out["effect"] = effect
    first = panel.promo[..., :1].max(-1, initial=0)
    rest = panel.promo[..., 1:].max(-1, initial=0)
    for k, promo in enumerate((first, rest)):
        there = np.where(panel.listed, promo, np.nan)
        out |= {f"promo {k}": there, f"promo {k} rivals": _others(there, rivals)}
    out |= {f"{name} chain": mean(values, 1) for name, values in out.items()}
    for name in ("promo 0", "effect"):  # what waits for a promotion is not sold before it
        out[f"{name} after"] = _led(out[name])
    for name in ("price", "price chain", "effect", "promo 0", "promo 0 chain", "promo 1 chain"):
        for by, when in ((1, "before"), (2, "before that")):
            out[f"{name} {when}"] = lagged(out[name], by)
    every = list(range(len(price)))
    for name in ("price", "price chain"):
        out[f"{name} of late"] = running(out[name], 8.0, every)
    return out


def _beside(prices: dict[str, np.ndarray]) -> list[np.ndarray]:
    """(T, S, I, 2) promotions that are over, of which customers have a store; those that they wait for."""
    promo = np.nan_to_num(np.stack([prices["promo 0"], prices["promo 1"]], axis=-1))
    return [_ended(promo), np.nan_to_num(_led(promo))] if promo.any() else []


def _past(
    panel: Observed,
    demand: np.ndarray,
    prices: dict[str, np.ndarray],
    ridge: Ridge,
    origins: Sequence[int],
) -> dict[int, np.ndarray]:
    """(S, I, P) of each origin."""
    shape = panel.units.shape
    common = {"item": mean(demand, 1), "location": mean(demand, 2), "chain": mean(mean(demand, 1), 2)}
    common["nearby"] = _nearby(demand, panel.distance)
    missed = ridge.residuals(demand)
    columns: list[np.ndarray] = []  # (O, S, I), or 1 for S or I
    for half_life in _SERIES:
        columns += [running(demand, half_life, origins), weight(demand, half_life, origins)]
    for half_life in _SHARED:
        columns += [running(values, half_life, origins) for values in common.values()]
    by = {"series": missed, "item": mean(missed, 1), "location": mean(missed, 2)}
    by["chain"] = mean(by["item"], 2)
    by["nearby"] = _nearby(missed, panel.distance)
    for half_life in _RESIDUAL:
        columns += [running(values, half_life, origins) for values in by.values()]
    for values in (demand, common["item"]):
        centred = running(values, _SPREAD, origins)
        columns.append(root(running(values**2, _SPREAD, origins) - centred**2))
        columns.append(root(running((values - lagged(values, 1)) ** 2, _SPREAD, origins)))
    columns += [root(running(by[name] ** 2, _SPREAD, origins)) for name in ("series", "item")]
    nothing = np.where(np.isfinite(panel.units), panel.units <= 0, np.nan)
    columns.append(running(nothing, _SPREAD, origins))
    for half_life in (4.0, 13.0):
        columns += [running(prices[name], half_life, origins) for name in ("price", "price chain")]
    columns += _slope(prices["price"], demand, origins)
    for name in ("price chain", "promo 0 chain", "promo 1 chain", "price rivals chain"):
        columns += _slope(prices[name], common["item"], origins)
    for values in (demand, prices["price"]):
        columns.append(
            np.stack([np.nan_to_num(values[o - 1]) if o else np.zeros(shape[1:]) for o in origins])
        )
    stacked = np.stack([np.broadcast_to(x, (len(origins), *shape[1:])) for x in columns], axis=-1)
    stacked = np.nan_to_num(stacked).astype(np.float32)
    return dict(zip(origins, stacked, strict=True))


def _news(panel: Observed, demand: np.ndarray, origins: Sequence[int]) -> dict[int, np.ndarray]:
    """(S, I, 2) of each origin: what visits, views and the like of late say of the next period, and are.

    Demand above its running mean is regressed on the columns of the period before above theirs.
    """
    if panel.signals.shape[-1] == 0:
        return {origin: np.zeros((*demand.shape[1:], 2)) for origin in origins}
    every = range(len(demand) + 1)
    above = demand - running(demand, _NEWS, every)[:-1]
    usual = running(panel.signals, _NEWS, every)
    fresh = np.zeros((len(every), *panel.signals.shape[1:]))
    fresh[1:] = np.nan_to_num(panel.signals - usual[:-1])
    ridge = Ridge.of(fresh[:-1], above)
    ridge = replace(ridge, columns=fresh)
    return {
        origin: np.concatenate(
            [ridge.predict(origin, origin), fresh[origin].mean(-1, keepdims=True)], axis=-1
        )
        for origin in origins
    }


def _static(panel: Observed, fitted: int, level: np.ndarray, usual: np.ndarray) -> np.ndarray:
    """(S, I, Q) how large a series is, how dear, in how large a panel."""
    _, places, goods = panel.units.shape
    columns = [
        (level - np.log(panel.grain)) / 3,
        level - mean(level, 0),
        level - mean(level, 1),
        usual - mean(usual, 0),
        usual - mean(usual, 1),
        np.asarray(float(panel.effect is not None)),
        np.asarray(np.log(places) / 3),
        np.asarray(np.log(goods) / 3),
        np.asarray(float(panel.weekday is not None)),
        np.log1p(np.isfinite(panel.units[:fitted]).sum(0)) / 3,  # the level is a guess where it is 0
    ]
    return np.nan_to_num(np.stack([np.broadcast_to(x, (places, goods)) for x in columns], axis=-1))


def _calendar(panel: Observed) -> np.ndarray:
    """(T, S, I, 4·harmonics) of the year, and of the week where periods are days."""
    angles = [2 * np.pi * k * panel.year for k in range(1, _HARMONICS + 1)]
    columns = [f(angle) for angle in angles for f in (np.sin, np.cos)]
    week = np.zeros(len(panel.year)) if panel.weekday is None else 2 * np.pi * panel.weekday / 7
    used = float(panel.weekday is not None)
    columns += [used * f(k * week) for k in range(1, _HARMONICS + 1) for f in (np.sin, np.cos)]
    whole = np.stack(columns, axis=-1)[:, None, None]
    return np.broadcast_to(whole, (*panel.units.shape, whole.shape[-1]))


def _slope(column: np.ndarray, demand: np.ndarray, origins: Sequence[int]) -> list[np.ndarray]:
    """Of demand on one column, and the column's spread: both (O, …)."""
    seen = np.isfinite(column) & np.isfinite(demand)
    x, z = (np.where(seen, v, np.nan) for v in (column, demand))
    mean_x, mean_z, square, product = (running(v, _SLOPE, origins, drawn=1e-6) for v in (x, z, x * x, x * z))
    variance = (square - mean_x**2).clip(0)
    return [(product - mean_x * mean_z) / (variance + 0.02), np.sqrt(variance)]


def _by_weekday(
    demand: np.ndarray, weekday: np.ndarray, origins: Sequence[int], days: bool
) -> dict[int, np.ndarray]:
    """(7, S, I) usual demand on each day of the week, of each origin; zeros where periods are no days."""
    total, count = np.zeros((7, *demand.shape[1:])), np.zeros((7, *demand.shape[1:]))
    keep, out = 0.5 ** (1 / 4.0), {}
    wanted = set(origins)
    for t in range(len(demand) + 1):
        if t in wanted:
            out[t] = total / (count + 0.5)
        if t < len(demand) and days:
            seen, day = np.isfinite(demand[t]), weekday[t]
            total[day] = keep * total[day] + np.where(seen, demand[t], 0.0)
            count[day] = keep * count[day] + seen
    return out


def _others(values: np.ndarray, rivals: np.ndarray) -> np.ndarray:
    """(T, S, I) mean over an item's rivals (I, I) at the location; 0 where there are none."""
    seen = np.isfinite(values)
    total, count = np.where(seen, values, 0.0) @ rivals, seen.astype(float) @ rivals
    return total / count.clip(1)


def _least(values: np.ndarray, category: np.ndarray) -> np.ndarray:
    """(T, S, I) least over the other items of a category (I,) at the location; 0 where there are none."""
    values, out = np.where(np.isfinite(values), values, np.inf), np.zeros(values.shape)
    for kind in np.unique(category):
        here = np.flatnonzero(category == kind)
        if len(here) > 1:
            ordered = np.partition(values[..., here], 1, axis=-1)
            least, second = ordered[..., :1], ordered[..., 1:2]
            rivals = np.where(
                values[..., here] == least, second, least
            )  # of two alike the second is the same
            out[..., here] = np.where(np.isfinite(rivals), rivals, 0.0)
    return out


def _nearby(values: np.ndarray, distance: np.ndarray | None) -> np.ndarray:
    """(T, S, I) mean over the other locations, near ones above all where distances (S, S) are known."""
    places = values.shape[1]
    near = np.ones((places, places)) if distance is None else np.exp(-distance / _NEAR)
    near = near * ~np.eye(places, dtype=bool)
    seen = np.isfinite(values)
    total = np.einsum("sz,tzi->tsi", near, np.where(seen, values, 0.0))
    count = np.einsum("sz,tzi->tsi", near, seen.astype(float))
    return np.where(count > 1e-9, total / count.clip(1e-9), np.nan)


def _ended(promo: np.ndarray) -> np.ndarray:
    """How large a promotion (T, …) was that is over, half of it a period on."""
    out, left = np.zeros_like(promo), np.zeros_like(promo[0])
    for t in range(1, len(promo)):
        left = np.maximum(left / 2, promo[t - 1])
        out[t] = left * (1 - promo[t])
    return out


def _led(values: np.ndarray) -> np.ndarray:
    """Of the period after; NaN for the last one."""
    out = np.full_like(values, np.nan)
    out[:-1] = values[1:]
    return out
