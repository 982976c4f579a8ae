"""What a market expects of one series in one period, step by step from an ordinary period."""

from __future__ import annotations

import numpy as np
import pandas as pd
from torch import Tensor

from ..envs.market import Market
from ..forecasters.errors import InputError
from ..forecasters.names import positions
from ..forecasters.simulation import LearnedDemand, attribute
from .runtime import fitted_panel
from .standing import current_price

ORDINARY, EXPECTED = "an ordinary period", "expected"


def expectation(market: Market, location: str, item: str, date: str | np.datetime64 | None) -> pd.DataFrame:
    """``mercato.why``: steps from an ordinary period to what is expected of a series.

    Raises:
        InputError: a market that was not fitted, or a series or a date that it does not know.
    """
    panel = fitted_panel(market)
    (place,) = positions([location], market.locations, "a location of the market")
    (number,) = positions([item], market.items, "an item of the market")
    if date is None:
        return steps(market, panel.periods, place, number, current_price(market, panel))
    known = [str(day) for day in panel.dates[1:]]
    if str(date)[:10] not in known:
        raise InputError(
            f"date: expected the first day of a period from {known[0]} to {known[-1]}, or none for the one"
            f" after them, found {date!s:.40}"
        )
    return steps(market, 1 + known.index(str(date)[:10]), place, number, None)


def steps(market: Market, index: int, place: int, item: int, price: Tensor | None) -> pd.DataFrame:
    """The same at a calendar index and at prices (S, I), those that were charged where None.

    Raises:
        InputError: the series is not sold then.
    """
    demand: LearnedDemand = market.demand  # type: ignore[assignment]  # a market with a table is a fitted one
    if not demand.history.listed[index, place, item]:
        raise InputError(
            f"expected a series that is sold in the period, found that {market.items[item]} is not at"
            f" {market.locations[place]}"
        )
    found = attribute(demand, index, place, item, price)
    logs = [found.ordinary, *found.parts.values()]
    names = [ORDINARY, *found.parts, EXPECTED]
    units = np.exp(np.cumsum(logs))
    times = [np.nan, *np.exp(logs[1:]), np.exp(found.told - found.ordinary)]
    return pd.DataFrame({"step": names, "times": times, "units": [*units, np.exp(found.told)]})
