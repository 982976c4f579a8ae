"""A panel of known truth and the market that was learned from it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cached_property

from torch import Tensor

from mercato.envs.structural import FAMILIES, ROLES, Size, Truth, true_market
from mercato.forecasters.fit import fit_demand
from mercato.forecasters.model import DemandModel
from mercato.forecasters.panel import SalesPanel, read_panel
from mercato.forecasters.simulation.learned import LearnedDemand


@dataclass(frozen=True)
class Drawn:
    """A panel and the market that it tells of."""

    panel: SalesPanel
    truth: Truth

    @cached_property
    def reference(self) -> Tensor:
        """(S, I) reference prices of the true market: medians of the logged ones."""
        return true_market(self.truth).terms.reference_price


@dataclass(frozen=True)
class Studied(Drawn):
    """What every figure of a panel is measured from."""

    model: DemandModel  # one fit of the whole panel
    seconds: float  # that it took

    @cached_property
    def learned(self) -> LearnedDemand:
        """The learned market after the whole panel."""
        return LearnedDemand.after(self.model, self.panel)

    @cached_property
    def unpromoted(self) -> LearnedDemand:
        """The same, no promotion following a discount: nobody plans promotions in the true market in play."""
        return LearnedDemand(self.model, self.learned.history, self.model.response.without_promotions())


def draw(family: str, seed: int, size: Size) -> Drawn:
    """A panel of ``family``."""
    frame, truth = FAMILIES[family].make(seed, size)
    return Drawn(read_panel(frame, roles=ROLES), truth)


def study(family: str, seed: int, size: Size) -> Studied:
    """Draw a panel of ``family`` and learn its market."""
    drawn = draw(family, seed, size)
    began = time.perf_counter()
    model = fit_demand(drawn.panel)
    return Studied(drawn.panel, drawn.truth, model, time.perf_counter() - began)
