"""Effects on customers: how many come, and what prices mean to them."""

from __future__ import annotations

from pydantic import Field

from .effect import Factor, ItemEffect, LocalEffect, Multiple, Path, along
from .plan import Plan


class Demand(ItemEffect):
    """More or fewer customers."""

    multiplier: Multiple = Field(1.0, description="multiple of demand; 0: not sold there")
    shift: float = Field(
        0.0, ge=-1e9, le=1e9, strict=True, description="units of demand more, by series and period"
    )

    def apply(self, plan: Plan) -> Plan:
        where = self.where(plan)
        plan = plan.times("demand", where, self.multiplier).times("units", where, self.multiplier)
        return plan.put("units", where, plan.units + self.shift)


class Traffic(LocalEffect):
    """More or fewer visitors of a location, who buy all of its items."""

    multiplier: Multiple = Field(1.0, description="multiple of the demand for every item of the locations")

    def apply(self, plan: Plan) -> Plan:
        where = self.where(plan)
        return plan.times("demand", where, self.multiplier).times("units", where, self.multiplier)


class Elasticity(ItemEffect):
    """Customers who mind the prices of these items more or less."""

    multiplier: Multiple = Field(
        1.0, description="multiple of every elasticity to these items' prices, own and cross; 0: none minds"
    )

    def apply(self, plan: Plan) -> Plan:
        return plan.times("response", self.where(plan), self.multiplier)


class Reference(ItemEffect):
    """Prices that customers hold to be usual: where they rise, the same price seems lower."""

    multiplier: Factor = Field(1.0, description="multiple of the reference price that customers compare with")
    path: Path | None = Field(
        None, description="a multiple a period of the window; the last one for the rest"
    )

    def apply(self, plan: Plan) -> Plan:
        plan = plan.times("usual", self.where(plan), self.multiplier)
        if self.path is None:
            return plan
        return plan.times("usual", self.where(plan), along(self.path, self.span(plan), plan))
