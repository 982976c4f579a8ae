"""Effects of others: a competitor's prices."""

from __future__ import annotations

import math

import torch
from pydantic import Field, model_validator

from ..processes.rivals import Follower
from .effect import Count, Factor, ItemEffect, Path, Share, along
from .plan import Plan


class Competitor(ItemEffect):
    """A competitor whose price moves demand by a stated cross elasticity η, demand · (q / q̄)^η.

    q / q̄, its price as a multiple of its usual one, is ``fixed`` · ``path`` · a wave (``seasonal``); or, with
    ``undercut``, it answers to the shop's price of the period before (0: it matches it).
    """

    elasticity: float = Field(
        0.5, ge=0, le=10, strict=True, description="cross elasticity of demand to the competitor's price, η"
    )
    fixed: Factor = Field(1.0, description="its price, multiple of its usual one")
    path: Path | None = Field(None, description="the same a period of the window; the last one for the rest")
    seasonal: Share = Field(0.0, lt=1, description="its price swings by this share of the usual one")
    cycle: Count = Field(52, description="periods of the swing, which begins upwards")
    undercut: Share | None = Field(
        None,
        lt=1,
        description="share by which it goes below the shop's price of the period before; 0: matches",
    )

    @model_validator(mode="after")
    def _one_process(self) -> Competitor:
        if self.undercut is not None and (self.fixed != 1 or self.path is not None or self.seasonal):
            raise ValueError("expected undercut, or a price of its own (fixed, path, seasonal), found both")
        return self

    def apply(self, plan: Plan) -> Plan:
        where = self.where(plan)
        plan = plan.noted(f"assumed: a cross elasticity to the competitor's price of {self.elasticity:g}")
        if self.undercut is not None:
            reference = plan.market.terms.reference_price
            rival = Follower(reference, torch.full_like(reference, self.undercut), plan.market.charged_before)
            return plan.beside(rival, self.elasticity * where)
        first, last = span = self.span(plan)
        swing = [1 + self.seasonal * math.sin(2 * math.pi * t / self.cycle) for t in range(last - first)]
        price = self.fixed * along(swing, span, plan)
        if self.path is not None:
            price = price * along(self.path, span, plan)
        return plan.times("demand", where, torch.pow(price, self.elasticity))
