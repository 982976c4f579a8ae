"""Effects on what arrives: suppliers that fail, ration, or take longer."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field

from .effect import Factor, ItemEffect, Multiple, Share, Weeks
from .plan import Plan


class Outage(ItemEffect):
    """A supplier that does not deliver during the window."""

    orders: Literal["refused", "delayed"] = Field(
        "refused",
        description="refused: none is taken, none is charged, what is on the way arrives; delayed: what would"
        " arrive during the window arrives right after it",
    )

    def apply(self, plan: Plan) -> Plan:
        field = {"refused": "taken", "delayed": "arriving"}[self.orders]
        return plan.put(field, self.where(plan), 0.0)


class Capacity(ItemEffect):
    """A supplier that delivers so much at most."""

    limit: Multiple = Field(
        1.0, description="largest order of a series, in periods of its usual demand at reference prices"
    )

    def apply(self, plan: Plan) -> Plan:
        units = (self.limit * plan.market.terms.typical_demand).ceil()
        return plan.put("limit", self.where(plan), torch.minimum(plan.limit, units))


class LeadTime(ItemEffect):
    """Orders placed in the window take another time, and some are late."""

    multiplier: Factor = Field(1.0, description="multiple of the lead time, rounded to whole periods")
    extra: Weeks = Field(0, description="periods more")
    late: Share = Field(0.0, description="share of orders that come late, each by chance")
    late_by: Weeks = Field(1, description="periods by which a late order is late")

    def apply(self, plan: Plan) -> Plan:
        where = self.where(plan)
        if self.multiplier != 1 and not bool(plan.lead[where].any()):
            plan = plan.noted("orders arrive at once: a multiple of that lead time changes nothing")
        lead = (plan.lead * self.multiplier + 0.5).floor() + self.extra
        plan = plan.put("lead", where, lead)
        return plan.late(self.late * where, self.late_by) if self.late and self.late_by else plan
