"""Effects on what a shop pays."""

from __future__ import annotations

from pydantic import Field

from .effect import Factor, ItemEffect, Money, Multiple, Path, along
from .plan import Plan


class Cost(ItemEffect):
    """Another unit cost."""

    multiplier: Factor = Field(1.0, description="multiple of the unit cost")
    path: Path | None = Field(
        None, description="a multiple a period of the window; the last one for the rest"
    )

    def apply(self, plan: Plan) -> Plan:
        plan = plan.times("cost", self.where(plan), self.multiplier)
        if self.path is None:
            return plan
        return plan.times("cost", self.where(plan), along(self.path, self.span(plan), plan))


class Holding(ItemEffect):
    """Another cost of holding stock."""

    multiplier: Multiple = Field(1.0, description="multiple of the cost of holding a unit")

    def apply(self, plan: Plan) -> Plan:
        return plan.times("holding", self.where(plan), self.multiplier)


class Shortage(ItemEffect):
    """Another cost of a unit short."""

    multiplier: Multiple = Field(1.0, description="multiple of the cost of a unit short")

    def apply(self, plan: Plan) -> Plan:
        return plan.times("shortage", self.where(plan), self.multiplier)


class Ordering(ItemEffect):
    """A dearer order, whatever its size."""

    fixed: Money = Field(0.0, description="money that an order of a series costs more")

    def apply(self, plan: Plan) -> Plan:
        return plan.put("ordering", self.where(plan), plan.ordering + self.fixed)
