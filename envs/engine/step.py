"""One period of a batch of markets, exactly in the order of events.

1 the order due now has arrived (the state says so); 2 the policy has priced and ordered; an order placed in
period t with lead time L >= 1 arrives at the start of t + L, with L = 0 at once; 3 demand; 4 sales, then lost
sales or backorders; 5 costs on ending stock, waste (what is past its shelf life, and what spoils), and the
arrivals of the next morning, which serve what is owed first. The convention is that of Zipkin 2008 ("Old and
new methods for lost-sales inventory systems", Operations Research 56(5)): ending stock (x - D)+ is held and
(D - x)+ short, x being stock less backorders.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from ...forecasters.errors import InputError
from ..economics import Economics
from ..market import Market, Terms
from .stock import Spoil, stock_of
from .types import Decision, Outcome, State

SAME_PRICE = 1e-4  # a price within this share of the reference price has not changed


def step(
    state: State, decision: Decision, demand: Tensor, market: Market, luck: Tensor | None = None
) -> tuple[State, Outcome]:
    """Next state and what the period brought, for ``demand`` (B, S, I) units; pure, on any device.

    The decision is taken as it is: price rules and capacity are enforced before. The demand process is not
    advanced: ``state.demand`` passes through, and what only the process knows (``disagreement``) is 0.
    ``luck`` (B, C, S, I) are the uniforms by which units spoil, one a cohort (C = 1 without a shelf life).

    Raises:
        InputError: units spoil and there is no ``luck``.
    """
    economics, terms = market.economics, market.terms
    price, order = decision.price, decision.order

    at_once = order if economics.lead_time == 0 else torch.zeros_like(order)
    stock, served_now = stock_of(state, economics).add(at_once).take(state.backorders)
    stock, sales = stock.take(demand)
    unmet, left = demand - sales, stock.units
    backordered = unmet if economics.unmet == "backorder" else torch.zeros_like(unmet)
    owed = state.backorders - served_now + backordered
    stock, wasted = stock.overnight(_spoil(market, luck))
    arrived, pipeline = _arrive(state.pipeline, order)
    stock, served_next = stock.add(arrived).take(owed)
    on_hand, backorders = stock.units, owed - served_next
    loss = _write_off(on_hand + pipeline.sum(1), state.age, market)
    changed = (price - state.last_price).abs() > SAME_PRICE * terms.reference_price

    outcome = Outcome(
        price=price,
        ordered=order,
        demand=demand,
        sales=sales,
        lost=unmet - backordered,
        backordered=backordered,
        served=served_now + served_next,
        wasted=wasted,
        revenue=price * (sales + backordered),
        purchase=terms.unit_cost * order,
        ordering=_ordering(order > 0, economics),
        holding=economics.holding_rate * terms.unit_cost * left,
        shortage=economics.shortage_rate * terms.reference_price * (unmet - backordered + owed),
        price_change=economics.price_change_cost * changed,
        waste=economics.waste_cost_rate * terms.unit_cost * wasted,
        profit=torch.zeros_like(price),
        write_off=loss,
        ending_value=stock_value(on_hand, pipeline, backorders, terms) - loss,
        disagreement=torch.zeros_like(price),
        off_support=market.supported.distance(price),
    )
    after = replace(
        state,
        on_hand=on_hand,
        cohorts=stock.cohorts,
        pipeline=pipeline,
        backorders=backorders,
        last_price=price,
        last_sales=sales,
        since_change=torch.where(changed, 1, state.since_change + 1),
        age=state.age + 1,
    )
    return after, replace(outcome, profit=cash_profit(outcome))


def cash_profit(outcome: Outcome) -> Tensor:
    """(B, S, I) revenue less everything paid in the period."""
    costs = outcome.purchase + outcome.ordering + outcome.holding + outcome.shortage
    return outcome.revenue - (costs + outcome.price_change + outcome.waste)


def stock_value(on_hand: Tensor, pipeline: Tensor, backorders: Tensor, terms: Terms) -> Tensor:
    """(B, S, I) inventory position at unit cost: on hand (B, S, I) + pipeline (B, L, S, I) - backorders."""
    return terms.unit_cost * (on_hand + pipeline.sum(1) - backorders)


def _write_off(units: Tensor, age: Tensor, market: Market) -> Tensor:
    """(B, S, I) what ``units`` (B, S, I), on hand or on order, lose of their cost as the season ends."""
    economics = market.economics
    if economics.season is None or economics.salvage_rate == 1:
        return torch.zeros_like(units)
    last = (age + 1 == economics.season).view(-1, 1, 1)
    return torch.where(last, (1 - economics.salvage_rate) * market.terms.unit_cost * units, 0.0)


def initial_pipeline(on_hand: Tensor, economics: Economics) -> Tensor:
    """Nothing on order: zeros (B, L, S, I) beside ``on_hand`` (B, S, I)."""
    markets, *series = on_hand.shape
    return on_hand.new_zeros(markets, economics.lead_time, *series)


def _ordering(placed: Tensor, economics: Economics) -> Tensor:
    """(B, S, I) cost of orders ``placed`` (B, S, I); a location's joint cost is shared by what it orders."""
    if economics.joint_order_cost == 0:
        return economics.fixed_order_cost * placed
    together = placed.sum(-1, keepdim=True).clamp(min=1)
    return (economics.fixed_order_cost + economics.joint_order_cost / together) * placed


def _spoil(market: Market, luck: Tensor | None) -> Spoil:
    """What spoils of units, by the period's luck."""
    spoilage = market.spoilage
    if spoilage is None:
        return torch.zeros_like
    if luck is None:
        raise InputError("step: expected luck (B, C, S, I) beside a waste rate, found none")
    return lambda units: spoilage(units, luck)


def _arrive(pipeline: Tensor, order: Tensor) -> tuple[Tensor, Tensor]:
    """What arrives at the next period's start, and the pipeline as seen then."""
    if pipeline.shape[1] == 0:
        return torch.zeros_like(order), pipeline
    queue = torch.cat([pipeline[:, :-1], (pipeline[:, -1] + order).unsqueeze(1)], dim=1)
    return queue[:, 0], torch.cat([queue[:, 1:], torch.zeros_like(queue[:, :1])], dim=1)
