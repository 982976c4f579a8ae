"""Order rules, from what is expected until the next order can arrive."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ...envs.engine.stock import stock_of
from ...envs.engine.view import View, critical_ratio, left_rate

_ROUNDING = 1e-3  # units by which a sum of fractions may miss a whole number


@dataclass(frozen=True)
class BaseStock:
    """Order up to the newsvendor's quantile of demand until the next order can arrive.

    The level is the critical-ratio quantile of demand over lead time and review period (Zipkin 2000,
    Foundations of Inventory Management, section 6.2). Demand is taken as gamma distributed with the outlook's
    spread, its quantile by Wilson and Hilferty (1931). ``safety`` multiplies the level and is tuned by
    simulation: with lost sales and a lead time the quantile is only a guide.
    """

    safety: float | Tensor = 1.0  # a tensor (B, 1, 1) tries one a market

    def level(self, view: View, price: Tensor) -> Tensor:
        """Order-up-to level (B, S, I) in units at the prices (B, S, I) about to be charged."""
        return self.safety * newsvendor(view, price)

    def order(self, view: View, price: Tensor, lift: Tensor | float = 1.0) -> Tensor:
        return order_up_to(lift * self.level(view, price), view)


@dataclass(frozen=True)
class FixedCover:
    """Order up to the same number of periods of expected demand for every series."""

    cover: float | Tensor  # periods; a tensor (B, 1, 1) tries one a market

    def level(self, view: View, price: Tensor) -> Tensor:
        """Order-up-to level (B, S, I) in units at the prices (B, S, I) about to be charged."""
        return self.cover * expected_a_period(view, price)

    def order(self, view: View, price: Tensor, lift: Tensor | float = 1.0) -> Tensor:
        return order_up_to(lift * self.level(view, price), view)


@dataclass(frozen=True)
class CappedBaseStock:
    """Base-stock, but never more at once than ``cap`` periods of expected demand.

    Asymptotically optimal under lost sales for long lead times and for dear shortages alike (Xin 2021,
    Understanding the performance of capped base-stock policies in lost-sales inventory models, Operations
    Research 69(1)).
    """

    safety: float | Tensor = 1.0  # of ``BaseStock``
    cap: float | Tensor = 2.0  # periods of expected demand

    def order(self, view: View, price: Tensor, lift: Tensor | float = 1.0) -> Tensor:
        most = lift * self.cap * expected_a_period(view, price)
        return torch.minimum(BaseStock(self.safety).order(view, price, lift), most)


@dataclass(frozen=True)
class ConstantOrder:
    """The same share of expected demand every period, whatever the stock.

    Optimal under lost sales as the lead time grows (Goldberg, Katz-Rogozhnikov, Lu, Sharma and Squillante
    2016, Mathematics of Operations Research 41(3)). Fractions of a unit are made up for in later periods.
    """

    share: float | Tensor = 0.9  # of the expected demand of a period

    def order(self, view: View, price: Tensor, lift: Tensor | float = 1.0) -> Tensor:
        rate = lift * self.share * expected_a_period(view, price)
        age = view.state.age.view(-1, 1, 1)
        return in_time((rate * (age + 1) + _ROUNDING).floor() - (rate * age + _ROUNDING).floor(), view)


@dataclass(frozen=True)
class ReorderPoint:
    """(s, S): order up to S where the inventory position is down to s (Scarf 1960), for a fixed order cost.

    s is the level of ``BaseStock``; S lies ``batch`` economic order quantities √(2·K·λ / h) above it (Harris
    1913), with the fixed cost K, expected demand λ a period and the holding cost h of a unit and period.
    """

    safety: float | Tensor = 1.0  # of ``BaseStock``
    batch: float | Tensor = 1.0  # economic order quantities

    def order(self, view: View, price: Tensor, lift: Tensor | float = 1.0) -> Tensor:
        economics, terms = view.market.economics, view.market.terms
        point = lift * BaseStock(self.safety).level(view, price)
        holding = (left_rate(view) * terms.unit_cost).clamp(min=1e-9)
        fixed = economics.fixed_order_cost + economics.joint_order_cost
        quantity = (2 * fixed * expected_a_period(view, price) / holding).sqrt()
        due = view.position() <= point
        return torch.where(due, order_up_to(point + self.batch * quantity, view), 0.0)


@dataclass(frozen=True)
class CanOrder:
    """(s, c, S): once an item of a location is down to s, all that are down to c are ordered up to S.

    For what is saved where items are ordered together (Ignall 1969, Management Science 15(5); Federgruen,
    Groenevelt and Tijms 1984, Management Science 30(3)). s is the level of ``BaseStock``; S lies ``batch``
    economic quantities above it, those of a cycle of √(2·K / Σ h·λ) periods that all items share, with K what
    an order of all of them costs; c lies in between.
    """

    safety: float | Tensor = 1.0  # of ``BaseStock``
    batch: float | Tensor = 1.0  # economic quantities
    share: float | Tensor = 0.5  # of the way from s to S, at which c lies

    def order(self, view: View, price: Tensor, lift: Tensor | float = 1.0) -> Tensor:
        economics, terms = view.market.economics, view.market.terms
        point, demand = lift * BaseStock(self.safety).level(view, price), expected_a_period(view, price)
        fixed = economics.joint_order_cost + economics.fixed_order_cost * demand.shape[-1]
        holding = (left_rate(view) * terms.unit_cost * demand).sum(-1, keepdim=True).clamp(min=1e-9)
        batch = self.batch * demand * (2 * fixed / holding).sqrt()
        position = view.position()
        due = (position <= point).any(-1, keepdim=True) & (position <= point + self.share * batch)
        return torch.where(due, order_up_to(point + batch, view), 0.0)


@dataclass(frozen=True)
class WasteAware:
    """Base-stock that does not count the units which are expected to spoil before the next order arrives.

    Broekmeulen and van Donselaar 2009 (A heuristic to manage perishable inventory with batch ordering,
    positive lead-times, and time-varying demand, Computers & Operations Research 36(11)).
    """

    safety: float | Tensor = 1.0  # of ``BaseStock``

    def order(self, view: View, price: Tensor, lift: Tensor | float = 1.0) -> Tensor:
        level = lift * BaseStock(self.safety).level(view, price)
        return in_time((level - view.position() + expected_waste(view, price)).clamp(min=0.0), view)


def order_up_to(level: Tensor, view: View) -> Tensor:
    """Units (B, S, I) that bring the inventory position to ``level`` (B, S, I)."""
    return in_time((level - view.position()).clamp(min=0.0), view)


def in_time(order: Tensor, view: View) -> Tensor:
    """Units (B, S, I), none where they arrive when the season is over."""
    return order * view.in_time


def expected_a_period(view: View, price: Tensor) -> Tensor:
    """(B, S, I) mean demand a period until the next order but this one arrives."""
    return view.expected_until_arrival(price) / view.until_arrival


def newsvendor(view: View, price: Tensor) -> Tensor:
    """(B, S, I) quantile of demand until the next order but this one arrives, at the critical ratio."""
    cycle = view.until_arrival
    ninth = view.outlook.spread.square() / (9.0 * cycle)  # a ninth of the cycle's squared variation
    z = torch.special.ndtri(critical_ratio(view, price))
    return view.expected_until_arrival(price) * (1.0 - ninth + z * ninth.sqrt()).clamp(min=0.0).pow(3)


def expected_waste(view: View, price: Tensor) -> Tensor:
    """(B, S, I) units, on hand or on order, expected to spoil before an order placed now arrives."""
    economics, demand = view.market.economics, expected_a_period(view, price)
    stock, waste = stock_of(view.state, economics), torch.zeros_like(demand)
    for arriving in view.state.pipeline.unbind(1):
        stock, _ = stock.take(demand)
        stock, wasted = stock.overnight(lambda units: economics.waste_rate * units)
        stock, waste = stock.add(arriving), waste + wasted
    return waste
