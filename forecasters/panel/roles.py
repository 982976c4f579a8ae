"""The role of every covariate: declared, or told from its name and from how it varies."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

from ..errors import InputError
from ..names import meant
from .cells import Cells
from .implausible import without_strays
from .sales_panel import ROLES, Covariate, Role
from .tables import FIELDS

_BY_NAME: dict[str, Role] = {
    "promo": "decision",
    "deal": "decision",
    "feature": "decision",
    "competitor_price": "exogenous",
    "stock_on_hand": "past",
}
_PROMOTIONS = {
    *("promo", "promos", "promotion", "promotions", "promoted", "onpromotion", "ispromo", "aktion"),
    *(
        "deal",
        "deals",
        "feature",
        "featured",
        "feat",
        "display",
        "displayed",
        "coupon",
        "flyer",
        "discounted",
    ),
}
"""Words that name a promotion, alone or among others: is_promo, on_promotion, Promo2, feature_flag."""
_RATIOS = 3  # of a series, at least, for a fixed share to be more than a short table
_SHARE_SPREAD = 0.01  # a shifter within 1% of a fixed share of the price carries the price's own news


def covariates_of(cells: Cells, declared: Mapping[str, str], notes: list[str]) -> tuple[Covariate, ...]:
    """Covariates of all numeric columns that the contract does not name itself, in the table's order.

    ``cost`` becomes one only where it is declared an instrument.

    Raises:
        InputError: a declared role that does not exist, names no column or does not fit its column.
    """
    names = [name for name in cells.values if name not in FIELDS]
    if declared.get("cost") == "instrument" and "cost" in cells.values:
        names.append("cost")
    for name, role in declared.items():
        if name not in names:
            raise InputError(
                f"roles: expected a column of numbers ({', '.join(names) or 'there is none'}), found"
                f" {name}={role}{meant(name, names)}"
            )
        if role not in ROLES:
            raise InputError(f"roles: expected one of {', '.join(ROLES)} for {name}, found {role}")
    return tuple(_covariate(name, cells, declared.get(name), notes) for name in names)


def _covariate(name: str, cells: Cells, declared: str | None, notes: list[str]) -> Covariate:
    values = cells.values[name]
    if (unknown := np.isnan(values)).any():
        notes.append(f"{name}: {unknown.sum()} of {len(values)} rows are empty, kept as unknown")
    values = _plausible(name, values, cells, notes)
    role = declared or _BY_NAME.get(name)
    if role is None and _is_promotion(name, values):
        notes.append(f"{name}: taken as a promotion (role decision); declare another role if that is wrong")
        role = "decision"
    role = role or _told_by_variation(name, cells, notes)
    if role == "static":
        return Covariate(name, "static", _static(name, cells))
    if role == "instrument":
        _refuse_share_of_price(name, cells)
    table = cells.spread(values)
    if role == "exogenous" and _constant_within(values, cells.period, len(cells.dates)):
        table = np.repeat(
            _first_known(values, cells.period, len(cells.dates))[:, None], len(cells.series), axis=1
        )
    return Covariate(name, role, table)  # type: ignore[arg-type]  # checked against ROLES


def _plausible(name: str, values: np.ndarray, cells: Cells, notes: list[str]) -> np.ndarray:
    """``values`` (C,) with those beyond belief unknown."""
    strays = without_strays(cells.spread(values))[1][cells.period, cells.owner]
    if strays.any():
        notes.append(
            f"{name}: {strays.sum()} rows far from all others, such as {values[strays][0]:g}, taken as"
            f" unknown, first: {cells.dates[cells.period[strays].min()]}"
        )
    return np.where(strays, np.nan, values)


def _is_promotion(name: str, values: np.ndarray) -> bool:
    """Whether a column is named like a promotion and holds what promotions are: flags, shares or percent.

    A promoted price, or what a promotion cost, is named alike and is none.
    """
    words = re.findall(r"[a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower())
    known = values[~np.isnan(values)]
    if not _PROMOTIONS.intersection(words) or not len(known) or known.min() < 0 or known.max() > 100:
        return False
    return bool((known == 0).any() and (known.max() <= 1 or (known % 1 == 0).all()))


def _told_by_variation(name: str, cells: Cells, notes: list[str]) -> Role:
    values = cells.values[name]
    if _constant_within(values, cells.owner, len(cells.series)):
        return "static"
    shared = len(values) > len(
        np.unique(cells.period)
    )  # with one series a date, "the same for all" says nothing
    if shared and _constant_within(values, cells.period, len(cells.dates)):
        notes.append(
            f"{name}: the same for all series on each of {len(cells.dates)} dates, taken as known in "
            "advance (role exogenous); declare another role if that is wrong"
        )
        return "exogenous"
    notes.append(
        f"{name}: {len(values)} rows that vary over time, taken as known only afterwards (role past); "
        "declare another role if that is wrong"
    )
    return "past"


def _first_known(values: np.ndarray, group: np.ndarray, groups: int) -> np.ndarray:
    """One known value a group, NaN where none is known: (groups,) float32."""
    first = np.full(groups, np.nan, dtype=np.float32)
    known = ~np.isnan(values)
    first[group[known]] = values[known]
    return first


def _constant_within(values: np.ndarray, group: np.ndarray, groups: int) -> bool:
    typical = _first_known(values, group, groups)[group]
    return bool((np.isnan(values) | (typical == values.astype(np.float32))).all())


def _static(name: str, cells: Cells) -> np.ndarray:
    values = cells.values[name]
    if not _constant_within(values, cells.owner, len(cells.series)):
        raise InputError(
            f"roles: expected {name} to be constant in every series (static), found values that change"
        )
    one_each = _first_known(values, cells.owner, len(cells.series))
    return np.repeat(one_each[None, :], len(cells.dates), axis=0)


def _refuse_share_of_price(name: str, cells: Cells) -> None:
    ratio = cells.values[name] / cells.values["price"]
    size = len(cells.series)
    known = np.isfinite(ratio) & (ratio != 0)
    known &= (np.bincount(cells.owner[known], minlength=size) >= _RATIOS)[cells.owner]
    owner, ratio = cells.owner[known], ratio[known]
    mean = np.bincount(owner, ratio, size) / np.maximum(np.bincount(owner, minlength=size), 1)
    spread = float(np.sqrt(np.mean((ratio / mean[owner] - 1) ** 2))) if known.any() else 0.0
    if spread < _SHARE_SPREAD:
        raise InputError(
            f"roles: expected the instrument {name} to move on its own, found a fixed share of the price "
            f"(their ratio varies by {spread:.1%} within a series)"
        )
