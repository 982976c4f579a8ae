"""Effects of others: a competitor's prices."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import torch
from pydantic import Field, model_validator
from torch import Tensor

from ..processes.rivals import Follower, Recorded
from ..processes.shopkeeper import Shopkeeper
from ..settings_file import Fault
from .effect import Count, Factor, ItemEffect, Path, Share, along
from .plan import Plan

_COLUMN = "competitor_price"


class Competitor(ItemEffect):
    """A competitor whose price moves demand by a stated cross elasticity η, demand · (q / q̄)^η.

    q / q̄, its price as a multiple of its usual one, is ``fixed`` · ``path`` · a wave (``seasonal``) · what
    the table says of the date (``historical``); or it answers to the shop's price of the period before
    (``undercut``, 0: it matches it); or a ``policy`` sets it, in a shop like this one.
    """

    elasticity: float = Field(
        0.5, ge=0, le=10, strict=True, description="cross elasticity of demand to the competitor's price, η"
    )
    fixed: Factor = Field(1.0, description="its price, multiple of its usual one")
    path: Path | None = Field(None, description="the same a period of the window; the last one for the rest")
    seasonal: Share = Field(0.0, lt=1, description="its price swings by this share of the usual one")
    cycle: Count = Field(52, description="periods of the swing, which begins upwards")
    historical: bool = Field(
        False,
        strict=True,
        description="its price in the table's column competitor_price on that date; its mean there is usual",
    )
    undercut: Share | None = Field(
        None,
        lt=1,
        description="share by which it goes below the shop's price of the period before; 0: matches",
    )
    policy: str | None = Field(
        None, min_length=1, description="file of a policy, or name of a baseline, that sets its price"
    )

    @model_validator(mode="after")
    def _one_process(self) -> Competitor:
        own = self.fixed != 1 or self.path is not None or bool(self.seasonal) or self.historical
        named = {"undercut": self.undercut is not None, "policy": self.policy is not None}
        if sum((own, *named.values())) > 1:
            raise ValueError(
                "expected undercut, a policy, or a price of its own (fixed, path, seasonal, historical),"
                " found several of them"
            )
        return self

    def apply(self, plan: Plan) -> Plan:
        where = self.where(plan)
        cross = self.elasticity * where
        plan = plan.noted(f"assumed: a cross elasticity to the competitor's price of {self.elasticity:g}")
        reference = plan.market.terms.reference_price
        if self.undercut is not None:
            undercut = torch.full_like(reference, self.undercut)
            return plan.beside(Follower(reference, undercut, plan.market.charged_before), cross)
        if self.policy is not None:
            if self.policy not in plan.deciders:
                known = ", ".join(plan.deciders) or "none"
                raise Fault(
                    ("policy",), f"expected one of the policies given ({known}), found {self.policy!r:.60}"
                )
            decider = plan.deciders[self.policy]
            return plan.beside(Shopkeeper(plan.market, decider, cross.amax(0)), cross)
        if self.historical:
            plan = _as_recorded(plan, cross)
        return plan.times("demand", where, torch.pow(self._own(plan), self.elasticity))

    def _own(self, plan: Plan) -> Tensor:
        """(H, 1, 1) its price by fixed, path and wave."""
        first, last = span = self.span(plan)
        swing = [1 + self.seasonal * math.sin(2 * math.pi * t / self.cycle) for t in range(last - first)]
        price = self.fixed * along(swing, span, plan)
        return price if self.path is None else price * along(self.path, span, plan)


def _as_recorded(plan: Plan, cross: Tensor) -> Plan:
    """The plan with the competitor of the table."""
    panel = plan.origin.market.panel
    found = None if panel is None else next((c for c in panel.covariates if c.name == _COLUMN), None)
    if panel is None or found is None:
        raise Fault(("historical",), f"expected a market whose table has a column {_COLUMN}, found none")
    if found.role == "exogenous":
        plan = plan.noted(
            f"the market was fitted with {_COLUMN} and replays what it learned of it;"
            " the stated elasticity comes on top"
        )
    prices = panel.dense(_filled(found.values))
    multiples = torch.from_numpy(prices / prices.mean(0)).nan_to_num(nan=1.0)
    places, goods = list(plan.origin.locations), list(plan.origin.items)
    rows = multiples[:, places][:, :, goods].to(cross)
    return plan.beside(Recorded(rows, max(1, round(365.25 / plan.market.clock[1]))), cross)


def _filled(prices: np.ndarray) -> np.ndarray:
    """(T, N) prices, unknown ones as the last known before, else the first after."""
    known = np.where(np.isfinite(prices) & (prices > 0), prices, np.nan)
    return pd.DataFrame(known).ffill().bfill().to_numpy(dtype=np.float32)
