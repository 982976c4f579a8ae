"""A log of events, carried on by a later one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from .events import Events

_NAMED = {
    "customers": ("customer", "referrer"),
    "items": ("item",),
    "locations": ("location",),
    "channels": ("channel",),
}
_PLAIN = ("time", "kind", "units", "price", "propensity")


def carried_on(own: Events, latest: Events) -> Events:
    """``own`` up to the first day of ``latest``, and ``latest`` from then on: of that day it tells all."""
    own = own.between(stop=latest.day[0]) if len(latest) else own
    names = {name: tuple(sorted({*getattr(own, name), *getattr(latest, name)})) for name in _NAMED}
    merged = {name: np.concatenate([getattr(own, name), getattr(latest, name)]) for name in _PLAIN}
    for name, columns in _NAMED.items():
        at = {one: place for place, one in enumerate(names[name])}
        for column in columns:
            parts = [_renamed(getattr(events, column), getattr(events, name), at) for events in (own, latest)]
            merged[column] = np.concatenate(parts)
    later = np.where(latest.session < 0, -1, latest.session + own.session.max(initial=-1) + 1)
    same: dict[str, Any] = {**names, **merged}
    return replace(
        latest,
        **same,
        session=np.concatenate([own.session, later]).astype(np.int32),
        text=_either(own, latest, "text", ""),
        cost=_either(own, latest, "cost", np.float32(np.nan)),
        attributes=_attributes(own, latest, names["customers"]),
    )


def _renamed(index: np.ndarray, names: tuple[str, ...], at: dict[str, int]) -> np.ndarray:
    """Indices (N,) into ``names`` as indices into those that ``at`` places; −1 stays."""
    moved = np.array([*(at[name] for name in names), -1], dtype=index.dtype)
    return moved[index]


def _either(own: Events, latest: Events, name: str, unknown: np.generic | str) -> np.ndarray | None:
    """A column of both, ``unknown`` where one of them has none; None where neither has any."""
    parts = [getattr(events, name) for events in (own, latest)]
    if all(part is None for part in parts):
        return None
    kind = next(part.dtype for part in parts if part is not None)
    filled = [
        np.full(len(events), unknown, dtype=kind) if part is None else part
        for events, part in zip((own, latest), parts, strict=True)
    ]
    return np.concatenate(filled)


def _attributes(own: Events, latest: Events, customers: tuple[str, ...]) -> dict[str, np.ndarray]:
    """(C,) text of all customers; where both logs tell of one the latest holds."""
    at = {name: place for place, name in enumerate(customers)}
    found: dict[str, np.ndarray] = {}
    for events in (own, latest):
        place = np.array([at[name] for name in events.customers], dtype=np.int64)
        for name, values in events.attributes.items():
            column = found.setdefault(name, np.full(len(customers), "", dtype=object))
            column[place[values != ""]] = values[values != ""]
    return found
