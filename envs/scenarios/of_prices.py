"""Effects on what is charged: the policy decides, and these change what it decided."""

from __future__ import annotations

import torch
from pydantic import Field, model_validator

from ..settings_file import Fault
from .effect import Count, Factor, ItemEffect, Money, Path, along
from .plan import Plan


class Price(ItemEffect):
    """Other prices than the policy's."""

    multiplier: Factor = Field(1.0, description="multiple of the price that the policy sets")
    fixed: Money | None = Field(None, gt=0, description="the price, in money, whatever the policy says")
    path: Path | None = Field(
        None,
        description="the price a period of the window as a multiple of the reference price, whatever the"
        " policy says; the last one for the rest",
    )

    @model_validator(mode="after")
    def _one_price(self) -> Price:
        if self.fixed is not None and self.path is not None:
            raise ValueError("expected fixed or path, found both")
        return self

    def apply(self, plan: Plan) -> Plan:
        where = self.where(plan)
        if self.fixed is not None:
            plan = plan.put("fixed", where, self.fixed)
        if self.path is not None:
            multiples = along(self.path, self.span(plan), plan)
            plan = plan.put("fixed", where, multiples * plan.market.terms.reference_price)
        return plan.times("repriced", where, self.multiplier)


class Promotion(ItemEffect):
    """Discounts by a calendar: the first ``length`` of every ``every`` periods of the window."""

    discount: float = Field(
        gt=0, lt=1, strict=True, description="share of the policy's price that is taken off, 0.2: 20%"
    )
    every: Count = Field(1000, description="periods from one promotion to the next")
    length: Count = Field(1000, description="periods that each lasts")

    def apply(self, plan: Plan) -> Plan:
        first, last = self.span(plan)
        runs = [(t - first) % self.every < self.length for t in range(first, last)]
        pattern = [1 - self.discount if run else 1.0 for run in runs]
        return plan.times("repriced", self.where(plan), along(pattern, (first, last), plan))


class PriceLimits(ItemEffect):
    """Prices that may not be lower, or higher, whatever the policy says."""

    floor: Factor | None = Field(None, description="lowest price, multiple of the reference price")
    cap: Factor | None = Field(None, description="highest price, multiple of the reference price")

    @model_validator(mode="after")
    def _a_range(self) -> PriceLimits:
        if self.floor is not None and self.cap is not None and self.floor > self.cap:
            raise ValueError(f"expected a floor at or below the cap {self.cap:g}, found {self.floor:g}")
        return self

    def apply(self, plan: Plan) -> Plan:
        where, reference = self.where(plan), plan.market.terms.reference_price
        if self.floor is not None:
            plan = plan.put("floor", where, torch.maximum(plan.floor, self.floor * reference))
        if self.cap is not None:
            plan = plan.put("cap", where, torch.minimum(plan.cap, self.cap * reference))
        if bool((plan.floor > plan.cap)[where].any()):
            raise Fault((), "expected floors at or below the caps of all limits together, found one above")
        return plan
