"""Shocks that travel: which locations are near, and how a shock reaches them."""

from __future__ import annotations

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from ..settings_file import Fault
from .effect import Count, ItemEffect, Multiple, Names, Share, Weeks, chosen
from .plan import Plan


class Shock(ItemEffect):
    """A shock of demand at some locations that spreads to their neighbours, weaker and later at each step."""

    multiplier: Multiple = Field(1.0, description="multiple of demand at the locations where it begins")
    spread: Share = Field(
        0.5, description="part of the effect on log demand that is left at each next neighbour"
    )
    lag: Weeks = Field(1, description="periods that it takes to the next neighbour")
    neighbours: Count = Field(2, description="nearest locations that each one passes it on to")
    locations: Names = Field(description="names of the locations where it begins")

    def apply(self, plan: Plan) -> Plan:
        steps = self._steps(plan)
        first, last = self.span(plan)
        goods = self._goods(plan).to(plan.demand.device)
        for step in range(int(steps.max()) + 1):
            begin, end = first + step * self.lag, min(last + step * self.lag, plan.horizon)
            where = torch.zeros_like(plan.demand, dtype=torch.bool)
            where[begin:end, steps == step] = goods
            plan = plan.times("demand", where, self.multiplier ** (self.spread**step))
        return plan

    def _steps(self, plan: Plan) -> Tensor:
        """(S,) how many neighbours away each location is; −1 where it never gets."""
        sources = chosen("locations", self.locations, plan.market.locations)
        near = _nearest(_coordinates(plan), self.neighbours)
        steps = torch.full((plan.market.shape[0],), -1)
        steps[sources] = 0
        front, step = sources, 0
        while self.spread and len(front):
            step += 1
            reached = near[front].any(0) & (steps < 0)
            steps[reached] = step
            front = reached.nonzero()[:, 0]
        return steps


def _nearest(degrees: Tensor, number: int) -> Tensor:
    """(S, S) bool: the ``number`` nearest others of each location."""
    distance = _distances(degrees)
    near = torch.zeros(distance.shape, dtype=torch.bool)
    others = distance.fill_diagonal_(torch.inf).argsort(dim=1)[:, : min(number, len(distance) - 1)]
    return near.scatter(1, others, True)


def _coordinates(plan: Plan) -> Tensor:
    """(S, 2) latitude and longitude in degrees; a new location is where the one is that it is like."""
    market, places = plan.origin.market, list(plan.origin.locations)
    panel, shop = market.panel, getattr(market.demand, "shop", None)
    if panel is not None and panel.coordinates is not None and np.isfinite(panel.coordinates).all():
        return torch.from_numpy(panel.coordinates).double()[places]
    if shop is not None:
        return shop.coordinates.double().cpu()[places]
    raise Fault(("spread",), "expected a market with lat and lon of every location, found one without")


def _distances(degrees: Tensor) -> Tensor:
    """(S, S) great-circle distances (haversine), in radians."""
    lat, lon = torch.deg2rad(degrees).unbind(-1)
    a = ((lat.unsqueeze(1) - lat) / 2).sin() ** 2
    a = a + lat.cos().unsqueeze(1) * lat.cos() * ((lon.unsqueeze(1) - lon) / 2).sin() ** 2
    return 2 * a.clamp(0, 1).sqrt().arcsin()
