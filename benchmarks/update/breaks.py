"""True markets that change while they are watched: in level, or in how customers answer to prices."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from torch import Tensor

from mercato.envs.structural import Size
from mercato.envs.structural.draw import draw_log_linear
from mercato.envs.structural.log_linear import LogLinearDemand
from mercato.envs.structural.reference import ROLES, panel_frame
from mercato.envs.structural.retailer import Retailer, write_history
from mercato.envs.structural.shocks import Customers
from mercato.envs.structural.truth import Truth
from mercato.forecasters.panel import SalesPanel, read_panel


@dataclass(frozen=True)
class BrokenDemand(LogLinearDemand):
    """Log-linear customers that are others from a week on."""

    since: int = 0  # week of the break
    moved: float = 0.0  # added to log demand
    steeper: float = 1.0  # multiplies own elasticities
    goods: int | None = None  # first so many items alone; all where None

    def log_mean(self, state: Customers, price: Tensor, promo: Tensor | float = 0.0) -> Tensor:
        usual = super().log_mean(state, price, promo)
        shift = (self.heard(state, price) / self.shop.reference_price).log()
        more = self.moved + (self.steeper - 1) * self.own_of(state) * shift
        if self.goods is not None:
            more = more * (torch.arange(more.shape[-1]) < self.goods)
        return torch.where((state.week >= self.since).view(-1, 1, 1), usual + more, usual)


def broken_panel(
    seed: int, size: Size, since: int, level: float = 0.0, steeper: float = 1.0, items: int | None = None
) -> SalesPanel:
    """The table of a log-linear market that breaks in week ``since``; until then that of the same seed."""
    whole = draw_log_linear(size, seed)
    parts = {f.name: getattr(whole, f.name) for f in fields(whole)}
    demand = BrokenDemand(**parts, since=since, moved=level, steeper=steeper, goods=items)
    truth = Truth(*write_history(demand, Retailer(), size.weeks, seed))
    return read_panel(panel_frame(truth), roles=ROLES)


def without_column(panel: SalesPanel, name: str, since: int) -> SalesPanel:
    """The table whose column ``name`` is empty from period ``since`` on."""
    values = panel.covariate(name).values.copy()
    values[since:] = np.nan
    others = tuple(replace(c, values=values) if c.name == name else c for c in panel.covariates)
    return replace(panel, covariates=others)
