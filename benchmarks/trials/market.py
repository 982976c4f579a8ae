"""A market fitted to the first part of a true history."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

import mercato
from mercato.envs.market import Market
from mercato.envs.structural import FAMILIES, ROLES, Size, Truth
from mercato.envs.structural.records import map_tensors
from mercato.forecasters.panel import read_panel

_SHIFTER = "cost_shifter"


@dataclass(frozen=True)
class Begun:
    """A true market of which the first weeks were seen."""

    market: Market  # fitted to these weeks
    frame: pd.DataFrame  # the whole table, under the usual retailer
    truth: Truth  # of the whole time
    weeks: int  # that were seen

    @property
    def seen(self) -> Truth:
        """The truth as if the history ended where the market's table does."""
        history = map_tensors(self.truth.history, lambda column: column[: self.weeks])
        demand = self.truth.demand
        realised = map_tensors(demand.realised, lambda state: state[: self.weeks + 1])
        return Truth(replace(demand, realised=realised), history)  # type: ignore[type-var]


def begun(family: str, seed: int, size: Size, after: int) -> Begun:
    """A market whose history goes on for so many weeks ``after`` those that it was fitted to.

    Its table has no cost shifter, as most tables have none.
    """
    frame, truth = FAMILIES[family].make(seed, replace(size, weeks=size.weeks + after))
    frame = frame.drop(columns=[_SHIFTER])
    roles = {name: role for name, role in ROLES.items() if name != _SHIFTER}
    first = frame[frame["date"] < np.datetime64(truth.dates[size.weeks])]
    market = mercato.fit(read_panel(first, roles=roles), effort="zero-shot", model="scratch")
    return Begun(market, frame, truth, size.weeks)
