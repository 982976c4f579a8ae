"""What a recommendation is worth: purchases that it causes, not those that it stands beside.

Three quarters of the clicks on a shop's recommendations would have come anyway (Sharma, Hofman and Watts
2015, "Estimating the causal impact of recommendation systems from observational data", ACM EC). So the effect
is estimated only where the log says by what chance something was shown, and keeps what was held back by the
same coin: a ``recommend`` row with ``units`` 0 (a "ghost", Johnson, Lewis and Nubbemeyer 2017, "Ghost ads",
Journal of Marketing Research 54(6)). Elsewhere a prior is stated.
"""

from __future__ import annotations

import numpy as np

from ..events import KINDS, Events
from .lift import Lift, Trial, lift
from .within import counted

WINDOW = np.timedelta64(7, "D")
"""After which a purchase is no longer laid to what was shown."""
PRIOR = (0.1, 0.1)  # mean and spread of the log ratio where no log tells it
_NONE = "no recommend row has a propensity"
_NO_GHOSTS = "no recommend row with units 0, held back by the same chance"


def exposure_effect(events: Events, window: np.timedelta64 = WINDOW) -> Lift:
    """How showing an item multiplies the units of it that its customer buys within ``window``."""
    found = _estimated(events, window)
    return Lift(*PRIOR, because=found) if isinstance(found, str) else found


def _estimated(events: Events, window: np.timedelta64) -> Lift | str:
    shows = events.of("recommend")
    shows = shows.rows((shows.item >= 0) & np.isfinite(shows.propensity))
    if not len(shows):
        return _NONE
    shown = shows.units != 0  # NaN: the row says that it was
    return lift(exposures(events, shows, shown, window)) if not shown.all() else _NO_GHOSTS


def exposures(events: Events, shows: Events, shown: np.ndarray, window: np.timedelta64) -> Trial:
    """``shows`` (N,) with what their customers bought afterwards, and had bought before."""
    buys = events.rows((events.kind == KINDS.index("buy")) & (events.item >= 0))
    pairs, shown_pairs = (_pair(e, len(events.items)) for e in (buys, shows))
    units = np.nan_to_num(buys.units, nan=1.0).astype(np.float64)
    bought = counted(pairs, buys.time, shown_pairs, shows.time, shows.time + window, units)
    start = np.full_like(shows.time, events.time.min())
    before = [
        counted(of(buys), buys.time, of(shows), start, shows.time)
        for of in (lambda e: _pair(e, len(events.items)), lambda e: e.customer, lambda e: e.item)
    ]
    return Trial(
        outcome=bought,
        shown=shown,
        propensity=shows.propensity.astype(np.float64),
        features=np.log1p(np.column_stack(before)),
        cluster=shows.customer,
    )


def _pair(events: Events, items: int) -> np.ndarray:
    """(N,) one number for a customer and an item."""
    number: np.ndarray = events.customer.astype(np.int64) * items + events.item
    return number
