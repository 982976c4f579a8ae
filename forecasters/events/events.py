"""What customers did: one row an event, the one input that knows a customer from another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, get_args

import numpy as np

from ..panel.sales_panel import CleaningReport

Kind = Literal["visit", "view", "click", "cart", "buy", "return", "message", "recommend", "coupon"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True)
class Events:
    """N events, sorted by time, then by customer; what is not known of one is -1, NaN or empty.

    Names are given once and meant by their index: a purchase of item 3 by customer 7 has ``item`` 3 and
    ``customer`` 7. Units are positive, of returns, too.
    """

    customers: tuple[str, ...]
    items: tuple[str, ...]
    locations: tuple[str, ...]
    channels: tuple[str, ...]
    customer: np.ndarray  # (N,) int32
    time: np.ndarray  # (N,) datetime64[s]
    kind: np.ndarray  # (N,) int8 index into KINDS
    item: np.ndarray  # (N,) int32
    location: np.ndarray  # (N,) int32
    channel: np.ndarray  # (N,) int16
    session: np.ndarray  # (N,) int32 visits that the file itself tells apart
    units: np.ndarray  # (N,) float32 of a purchase or a return
    price: np.ndarray  # (N,) float32 a unit
    propensity: np.ndarray  # (N,) float32 chance that what was recommended would be, 0 … 1
    referrer: np.ndarray  # (N,) int32 the customer who told of it
    text: np.ndarray | None = None  # (N,) object, str; None where no event has any
    cost: np.ndarray | None = None  # (N,) float32 a unit; None where no event has any
    attributes: Mapping[str, np.ndarray] = field(default_factory=dict)  # (C,) object, str, of customers
    report: CleaningReport = field(default_factory=CleaningReport)

    def __len__(self) -> int:
        return len(self.customer)

    def __repr__(self) -> str:
        size = f"events={len(self):,}, customers={len(self.customers):,}, items={len(self.items):,}"
        when = f", {self.time[0]} to {self.time[-1]}" if len(self) else ""
        return f"Events({size}{when})"

    @property
    def identified(self) -> Events:
        """Events of customers that are known."""
        return self if (self.customer >= 0).all() else self.rows(self.customer >= 0)

    @property
    def day(self) -> np.ndarray:
        """(N,) datetime64[D]"""
        return self.time.astype("datetime64[D]")

    def rows(self, which: np.ndarray) -> Events:
        """Those of a mask (N,) or of indices in rising order; names keep their places."""
        columns: dict[str, Any] = {f.name: getattr(self, f.name) for f in fields(self)}
        cut = {k: v[which] for k, v in columns.items() if isinstance(v, np.ndarray)}
        return replace(self, **cut)

    def of(self, *kinds: Kind) -> Events:
        """Events of some kinds."""
        return self.rows(np.isin(self.kind, [KINDS.index(kind) for kind in kinds]))

    def between(self, start: np.datetime64 | None = None, stop: np.datetime64 | None = None) -> Events:
        """Events from ``start`` (included) to ``stop`` (excluded)."""
        first = 0 if start is None else int(np.searchsorted(self.time, start.astype("datetime64[s]")))
        last = len(self) if stop is None else int(np.searchsorted(self.time, stop.astype("datetime64[s]")))
        return self.rows(np.arange(first, last))
