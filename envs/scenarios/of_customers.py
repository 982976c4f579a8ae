"""Effects on customers who are known one by one: what they are shown."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from pydantic import Field

from ...forecasters.customers import Lift, Personal, Popular, Pushed, Recommender, WorthMost, lifted, slates
from ...forecasters.tensors import Cut
from ..settings_file import Fault
from .effect import Count, Factor, LocalEffect, Names, chosen
from .plan import Plan

By = Literal["popular", "personal frequency", "worth most"]
_RULES: dict[By, Recommender] = dict(zip(get_args(By), (Popular(), Personal(), WorthMost()), strict=True))


class Recommendation(LocalEffect):
    """Customers who are shown items, as many times more of which they buy as events told, or it is assumed.

    Beside it they buy as much as ever: what showing one item takes from others is not known.
    """

    by: By = Field(
        "worth most", description="what each customer is shown: popular, personal frequency or worth most"
    )
    push: Names | None = Field(
        None, description="names of items that everybody is shown first, such as a shop's own"
    )
    slate: Count = Field(5, description="items that a customer is shown in a period")
    effect: Factor | None = Field(
        None,
        description="times as much of an item that is bought by who is shown it; if left out, what the events"
        " tell, or, where they do not, what the market card says is assumed",
    )

    def apply(self, plan: Plan) -> Plan:
        market = plan.market
        known = market.customers
        if known is None or known.population is None or isinstance(known.account, str):
            raise Fault(("by",), "expected a market with customers (fitted with --events), found none")
        recommender = _RULES[self.by]
        if self.push is not None:
            try:
                chosen("items", self.push, market.items)
            except Fault as fault:
                raise Fault(("push", *fault.place[1:]), fault.said) from None
            recommender = Pushed(self.push, recommender)
        population, terms = known.population, market.terms
        cut = Cut.of(market.locations, market.items, population.locations, population.items, market.device)
        margin = cut.tensor(terms.reference_price - terms.unit_cost, "SI")
        told = known.account.exposure if self.effect is None else Lift.stated(self.effect)
        lift = lifted(slates(recommender, population, margin, self.slate), told)
        bought = population.weight.unsqueeze(-1) * population.taste  # (S, K, P, I)
        more = (bought * lift).sum((1, 2)) / bought.sum((1, 2)).clamp(min=1e-12)
        factor = torch.ones(market.shape, device=market.device)  # a new item has no customers yet
        factor[cut.places.unsqueeze(1), cut.goods] = torch.where(more > 0, more, 1.0)
        return plan.times("demand", self.where(plan), factor)
