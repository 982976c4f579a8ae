"""What is known of a period before it comes: of its prices and calendar, and of all that was sold before.

Everything is free of scale, so that one network reads any panel: log demand above the series' level and freed
of the identified effect of prices, log prices over their usual ones. Numbers of the past are running means
over half-lives, of the series and of what is common to an item, a location, the chain. Two regressions are
fitted on the way, each on what precedes the forecast alone: of an item's demand on prices, promotions,
calendar and exogenous columns (ridge, drawn to that of all items), and of demand on single columns, for their
slopes. How far to trust them at which length of history is the network's to learn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .observed import Observed

_SERIES, _SHARED, _RESIDUAL = (1.0, 2.0, 4.0, 8.0, 20.0, 50.0), (1.0, 4.0, 13.0, 50.0), (2.0, 8.0, 30.0)
_SPREAD, _SLOPE, _RIDGE = 20.0, 80.0, 60.0  # half-lives, periods
_DRAWN = 0.25  # periods' worth of zeros in a running mean
_PRICE = 5.0  # times a log price, to be of the size of the others
_HARMONICS = 3
_ALIKE = 0.3  # correlation of one period's rows of an item: many locations say little more than a few
_STIFF = 3.0  # periods' worth of belief in a regression's prior
_LARGEST = 8.0  # of any feature
SCALE = 8.0  # periods of a horizon


@dataclass(frozen=True)
class Features:
    """Of a panel of T periods, S locations, I items, for forecasts from some origins on."""

    level: np.ndarray  # (S, I) log units of an ordinary period
    _offer: tuple[str, ...]  # names of the first columns of ``_ahead``
    _ahead: np.ndarray  # (T, S, I, A) of a period, known before it comes
    _past: dict[int, np.ndarray]  # origin → (S, I, P) of what precedes it
    _static: np.ndarray  # (S, I, Q)
    _ridge: _Ridge
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
            *["size of the series"] * self._static.shape[-1],
            *["periods ahead"] * 2,
            *["calendar"] * 3,
        )


def build_features(panel: Observed, fitted: int, origins: Sequence[int]) -> Features:
    """Features of a panel for forecasts from ``origins`` on; levels are of its first ``fitted`` periods."""
    shape, usable = panel.units.shape, np.where(panel.exposure > 0, panel.exposure, np.nan)
    log_demand = np.log(panel.units / usable + 0.5 * panel.grain)
    level = _level(log_demand[:fitted])
    charged = _mean(panel.log_price[:fitted], 0)[0]
    usual = _or(charged, _first(panel.log_price))  # what is launched later
    effect = np.zeros(shape) if panel.effect is None else panel.effect
    there = np.where(np.isfinite(log_demand), effect, np.nan)
    effect = effect - np.nan_to_num(_mean(there[:fitted], 0))
    demand = log_demand - level - effect
    prices = _prices(panel, panel.log_price - usual, effect)
    calendar = _calendar(panel)
    week = range(2 * _HARMONICS, calendar.shape[-1] if panel.weekday is not None else 0)
    columns = [np.broadcast_to(prices[name], shape) for name in _REGRESSORS]
    columns += [calendar[..., k] for k in (0, 1, *week)]
    columns += list(np.moveaxis(panel.exogenous, -1, 0))
    ridge = _Ridge.of(np.nan_to_num(np.stack(columns, axis=-1)), demand)
    ahead = np.concatenate(
        [np.stack([np.broadcast_to(x, shape) for x in prices.values()], axis=-1), calendar], -1
    )
    static = _static(panel, level, charged)
    weekday = np.zeros(shape[0], dtype=np.int64) if panel.weekday is None else panel.weekday
    return Features(
        level,
        tuple(prices),
        np.nan_to_num(ahead).astype(np.float32),
        _past(panel, demand, prices, ridge, origins),
        static,
        ridge,
        _by_weekday(demand, weekday, origins, panel.weekday is not None),
        weekday,
        np.nan_to_num(_mean(demand, 1)[:, 0]),
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
    out |= {f"{name} chain": _mean(values, 1) for name, values in out.items()}
    for name in ("price", "price chain", "effect", "promo 0", "promo 0 chain", "promo 1 chain"):
        for by, when in ((1, "before"), (2, "before that")):
            out[f"{name} {when}"] = _lagged(out[name], by)
    every = list(range(len(price)))
    for name in ("price", "price chain"):
        out[f"{name} of late"] = _running(out[name], 8.0, every)
    return out


def _past(
    panel: Observed,
    demand: np.ndarray,
    prices: dict[str, np.ndarray],
    ridge: _Ridge,
    origins: Sequence[int],
) -> dict[int, np.ndarray]:
    """(S, I, P) of each origin."""
    shape = panel.units.shape
    common = {"item": _mean(demand, 1), "location": _mean(demand, 2), "chain": _mean(_mean(demand, 1), 2)}
    missed = ridge.residuals(demand)
    columns: list[np.ndarray] = []  # (O, S, I), or 1 for S or I
    for half_life in _SERIES:
        columns += [_running(demand, half_life, origins), _weight(demand, half_life, origins)]
    for half_life in _SHARED:
        columns += [_running(values, half_life, origins) for values in common.values()]
    by = {"series": missed, "item": _mean(missed, 1), "location": _mean(missed, 2)}
    by["chain"] = _mean(by["item"], 2)
    for half_life in _RESIDUAL:
        columns += [_running(values, half_life, origins) for values in by.values()]
    for values in (demand, common["item"]):
        centred = _running(values, _SPREAD, origins)
        columns.append(_root(_running(values**2, _SPREAD, origins) - centred**2))
        columns.append(_root(_running((values - _lagged(values, 1)) ** 2, _SPREAD, origins)))
    columns += [_root(_running(by[name] ** 2, _SPREAD, origins)) for name in ("series", "item")]
    nothing = np.where(np.isfinite(panel.units), panel.units <= 0, np.nan)
    columns.append(_running(nothing, _SPREAD, origins))
    for half_life in (4.0, 13.0):
        columns += [_running(prices[name], half_life, origins) for name in ("price", "price chain")]
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


def _static(panel: Observed, level: np.ndarray, usual: np.ndarray) -> np.ndarray:
    """(S, I, Q) how large a series is, how dear, in how large a panel."""
    _, places, goods = panel.units.shape
    columns = [
        (level - np.log(panel.grain)) / 3,
        level - _mean(level, 0),
        level - _mean(level, 1),
        usual - _mean(usual, 0),
        usual - _mean(usual, 1),
        np.asarray(float(panel.effect is not None)),
        np.asarray(np.log(places) / 3),
        np.asarray(np.log(goods) / 3),
        np.asarray(float(panel.weekday is not None)),
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


@dataclass(frozen=True)
class _Ridge:
    """An item's demand regressed on columns (T, S, I, K), again before each period, on what precedes it."""

    columns: np.ndarray
    weights: np.ndarray  # (T + 1, I, K)
    centre: np.ndarray  # (T + 1, I, K) of the columns

    @staticmethod
    def of(columns: np.ndarray, demand: np.ndarray) -> _Ridge:
        """Rows of older periods count less; those of one period count as a few."""
        seen = np.isfinite(demand)
        weight = seen / (1 + _ALIKE * (seen.sum(1, keepdims=True) - 1).clip(0))
        value = np.where(seen, demand, 0.0)
        weighted = columns * weight[..., None]
        sums = (
            np.einsum("tsik,tsil->tikl", weighted, columns),
            np.einsum("tsik,tsi->tik", weighted, value),
            weighted.sum(1),
            (weight * value).sum(1),
            weight.sum(1),
        )
        decay = _decay(_RIDGE, range(len(demand) + 1), len(demand))
        return _Ridge(columns, *_solve(*(np.tensordot(decay, x, 1) for x in sums)))

    def predict(self, origin: int, target: int) -> np.ndarray:
        """(S, I, 1) the effect on log demand of what is known ahead, around that of an ordinary period."""
        away = self.columns[target] - self.centre[origin]
        return np.einsum("sik,ik->si", away, self.weights[origin])[..., None]

    def residuals(self, demand: np.ndarray) -> np.ndarray:
        """(T, S, I) of each period, by the regression on what precedes it."""
        away = self.columns - self.centre[:-1, None]
        return demand - np.einsum("tsik,tik->tsi", away, self.weights[:-1])


def _solve(
    gram: np.ndarray, cross: np.ndarray, total: np.ndarray, value: np.ndarray, count: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Weights (…, I, K) of every item, drawn to those of all items together, and the columns' centre."""
    number = count.clip(1e-6)[..., None]
    centre = total / number
    gram = gram - number[..., None] * centre[..., :, None] * centre[..., None, :]
    cross = cross - centre * value[..., None]
    spread = (np.einsum("...kk->...k", gram) / number).clip(0.05)
    identity = np.eye(gram.shape[-1])
    together = gram.sum(-3) + (2 * _STIFF * spread.mean(-2) + 1e-3)[..., None] * identity
    prior = np.linalg.solve(together, cross.sum(-2)[..., None])[..., 0][..., None, :]
    own = gram + _STIFF * spread[..., None] * identity
    return np.linalg.solve(own, (cross + _STIFF * spread * prior)[..., None])[..., 0], centre


def _slope(column: np.ndarray, demand: np.ndarray, origins: Sequence[int]) -> list[np.ndarray]:
    """Of demand on one column, and the column's spread: both (O, …)."""
    seen = np.isfinite(column) & np.isfinite(demand)
    x, z = (np.where(seen, v, np.nan) for v in (column, demand))
    mean_x, mean_z, square, product = (_running(v, _SLOPE, origins, drawn=1e-6) for v in (x, z, x * x, x * z))
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


def _running(
    values: np.ndarray, half_life: float, origins: Sequence[int], drawn: float = _DRAWN
) -> np.ndarray:
    """(O, …) exponentially weighted mean of what was known before each origin, drawn to 0."""
    seen = np.isfinite(values)
    decay = _decay(half_life, origins, len(values))
    total = np.tensordot(decay, np.where(seen, values, 0.0), 1)
    return total / (np.tensordot(decay, seen.astype(float), 1) + drawn)


def _weight(values: np.ndarray, half_life: float, origins: Sequence[int]) -> np.ndarray:
    """(O, …) how much was known, 0 … 1."""
    seen = np.isfinite(values).astype(float)
    return np.tensordot(_decay(half_life, origins, len(values)), seen, 1) * (1 - 0.5 ** (1 / half_life))


def _decay(half_life: float, origins: Sequence[int], periods: int) -> np.ndarray:
    """(O, T) weight of each period in what is remembered at each origin; 1 for the one before."""
    age = np.array(origins)[:, None] - 1 - np.arange(periods)
    return np.where(age >= 0, 0.5 ** (age.clip(0) / half_life), 0.0)


def _mean(values: np.ndarray, axis: int) -> np.ndarray:
    """Mean along ``axis``, which is kept, of what is known; NaN where nothing is."""
    seen = np.isfinite(values)
    total, count = np.where(seen, values, 0.0).sum(axis, keepdims=True), seen.sum(axis, keepdims=True)
    return np.where(count > 0, total / count.clip(1), np.nan)


def _level(log_demand: np.ndarray) -> np.ndarray:
    """(S, I) mean; the item's where a series was never seen, the panel's where the item was not."""
    own = _mean(log_demand, 0)[0]
    return np.nan_to_num(_or(_or(own, _mean(own, 0)), _mean(own.reshape(1, -1), 1)))


def _first(values: np.ndarray) -> np.ndarray:
    """(…) the first known one along time; NaN where there is none."""
    return np.take_along_axis(values, np.isfinite(values).argmax(0)[None], axis=0)[0]


def _or(values: np.ndarray, otherwise: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(values), values, otherwise)


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


def _lagged(values: np.ndarray, by: int) -> np.ndarray:
    out = np.full_like(values, np.nan)
    out[by:] = values[:-by]
    return out


def _root(square: np.ndarray) -> np.ndarray:
    return np.sqrt(square.clip(0))
