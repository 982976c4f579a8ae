"""Effects on customers who are known one by one: what they are shown or sent, and whom they tell."""

from __future__ import annotations

from math import exp
from typing import Literal, get_args

import torch
from pydantic import Field

from ...forecasters.customers import (
    Account,
    Lift,
    Personal,
    Popular,
    Population,
    Pushed,
    Recommender,
    WorthMost,
    lifted,
    slates,
)
from ...forecasters.errors import InputError
from ...forecasters.tensors import Cut
from ..settings_file import Fault
from .effect import Count, Factor, ItemEffect, LocalEffect, Names, Share, chosen
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
        population, account = _known(plan)
        recommender = _RULES[self.by]
        if self.push is not None:
            try:
                chosen("items", self.push, market.items)
            except Fault as fault:
                raise Fault(("push", *fault.place[1:]), fault.said) from None
            recommender = Pushed(self.push, recommender)
        terms = market.terms
        cut = Cut.of(market.locations, market.items, population.locations, population.items, market.device)
        margin = cut.tensor(terms.reference_price - terms.unit_cost, "SI")
        told = account.exposure if self.effect is None else Lift.stated(self.effect)
        lift = lifted(slates(recommender, population, margin, self.slate), told)
        bought = population.mass
        more = (bought * lift).sum((1, 2)) / bought.sum((1, 2)).clamp(min=1e-12)
        factor = torch.ones(market.shape, device=market.device)  # a new item has no customers yet
        factor[cut.places.unsqueeze(1), cut.goods] = torch.where(more > 0, more, 1.0)
        return plan.times("demand", self.where(plan), factor)


class Seeding(LocalEffect):
    """Customers who are addressed so that they tell others of the shop, who then buy more."""

    share: Share = Field(0.1, description="share of customers who are addressed in a period")
    effect: Factor | None = Field(
        None,
        description="times as much that is bought by whom they told; if left out, what the events tell, or,"
        " where they do not, what the market card says is assumed",
    )

    def apply(self, plan: Plan) -> Plan:
        _, account = _known(plan)
        if account.told == 0:
            raise Fault(
                ("share",), "expected customers who told others (a referrer in the events), found none"
            )
        told = account.word_of_mouth if self.effect is None else Lift.stated(self.effect)
        reached = min(1.0, self.share * account.told)
        return plan.times("demand", self.where(plan), 1 + reached * (exp(told.mean) - 1))


class Coupon(ItemEffect):
    """Coupons to customers of some segments: they buy more, and all that they buy costs them less.

    Who would have bought anyway hands in his coupon, too: that is what it costs.
    """

    segments: Names | None = Field(
        None, description="names of segments, as the market card has them; all if left out"
    )
    share: Share = Field(1.0, description="share of their customers who get one in a period")
    discount: Share = Field(0.1, description="share of the price that it takes off, 0.2: 20%")
    effect: Factor | None = Field(
        None,
        description="times as much that is bought by who gets one; if left out, what the events tell, or,"
        " where they do not, what the market card says is assumed",
    )

    def apply(self, plan: Plan) -> Plan:
        market = plan.market
        population, account = _known(plan)
        told = account.coupon if self.effect is None else Lift.stated(self.effect)
        bought = population.mass.sum(2)  # (S, K, I)
        theirs = bought[:, chosen("segments", self.segments, population.segments)].sum(1) / bought.sum(
            1
        ).clamp(min=1e-12)
        more = exp(told.mean) * self.share * theirs
        factor = 1 + more - self.share * theirs
        cut = Cut.of(market.locations, market.items, population.locations, population.items, market.device)
        where, at = self.where(plan), (cut.places.unsqueeze(1), cut.goods)
        multiple, kept = (torch.ones(market.shape, device=market.device) for _ in range(2))
        multiple[at], kept[at] = factor, 1 - self.discount * more / factor  # a new item has no customers yet
        return (
            plan.times("demand", where, multiple).times("kept", where, kept).noted(f"a coupon: {told.text()}")
        )


def _known(plan: Plan) -> tuple[Population, Account]:
    """The customers of a market.

    Raises:
        Fault: none are known; says why.
    """
    customers = plan.market.customers
    if customers is None:
        raise Fault((), "expected a market with customers (fitted with --events), found none")
    try:
        known = customers.known()
    except InputError as error:
        raise Fault(
            (), f"expected a market whose customers are known well enough to simulate: {error}"
        ) from None
    return known.population, known.account
