"""Effects on customers who are known one by one: what they are shown or sent, and whom they tell."""

from __future__ import annotations

from typing import Literal, get_args

from pydantic import Field
from torch import Tensor

from ...forecasters.customers import (
    Account,
    Campaign,
    Coupons,
    Lift,
    Personal,
    Popular,
    Population,
    Pushed,
    Recommender,
    Seeds,
    Showing,
    WorthMost,
)
from ...forecasters.errors import InputError
from ..processes.customers import customers_of
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
        _, account = _known(plan)
        recommender = _RULES[self.by]
        if self.push is not None:
            try:
                chosen("items", self.push, market.items)
            except Fault as fault:
                raise Fault(("push", *fault.place[1:]), fault.said) from None
            recommender = Pushed(self.push, recommender)
        told = account.exposure if self.effect is None else Lift.stated(self.effect)
        slate = min(self.slate, len(plan.origin.market.items))  # nobody is shown more than there is
        return _addressed(plan, self.where(plan), Showing(recommender, slate, told), told)


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
        return _addressed(plan, self.where(plan), Seeds(self.share, told, account.told), told)


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
        population, account = _known(plan)
        told = account.coupon if self.effect is None else Lift.stated(self.effect)
        wanted = chosen("segments", self.segments, population.segments).tolist()
        segments = None if self.segments is None else tuple(population.segments[k] for k in wanted)
        return _addressed(plan, self.where(plan), Coupons(self.discount, told, segments, self.share), told)


def _addressed(plan: Plan, where: Tensor, campaign: Campaign, told: Lift) -> Plan:
    """The plan with a campaign ``where`` (H, S, I) it applies; what is new has no customers yet."""
    action = plan.market.action(campaign)
    places, goods = plan.origin.market.shape
    return plan.addressing(where[:, :places, :goods], action).noted(f"{campaign.name}: {told.text()}")


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
    if customers_of(plan.market.demand) is None:
        raise Fault((), "expected a market that is played with its customers, found others (of its truth)")
    return known.population, known.account
