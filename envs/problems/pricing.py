"""One item whose price is decided, with independent demand: exact dynamic programs know the optimum.

Gallego and van Ryzin 1994 ("Optimal dynamic pricing of inventories with stochastic demand over finite
horizons", Management Science 40(8)), a season's finite stock; Federgruen and Heching 1999 ("Combined pricing
and inventory control under uncertainty", Operations Research 47(3)), prices and orders; food that perishes
(Nahmias 1982, Operations Research 30(4)); a clearance.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ..economics import Economics
from ..market import Market
from ..processes import Independent, Poisson, exponential, linear
from ..processes.iid import Curve, constant_elasticity
from .problem import PROFIT, SEASON, Objective, plain_market


@dataclass(frozen=True)
class Pricing:
    """One item with Poisson demand; its reference price is 1.

    Args:
        name: ``family/cell``.
        about: a line.
        source: who posed it.
        economics: the shop's; with a season the objective is a season's profit, else a period's.
        means: units a period at the reference price, from which they go on and begin again.
        elasticity: of demand, at the reference price.
        unit_cost: c.
        low: lowest price.
        high: highest price.
        curve: how demand answers to other prices.
        most_stock: largest stock that an optimal policy holds, and more.
        most_order: largest order that it places, and more.
    """

    name: str
    about: str
    source: str
    economics: Economics
    means: tuple[float, ...]
    elasticity: float
    unit_cost: float
    low: float
    high: float
    most_stock: int
    most_order: int
    curve: Curve = constant_elasticity

    @property
    def objective(self) -> Objective:
        return PROFIT if self.economics.season is None else SEASON

    @property
    def opening(self) -> int:
        """Units in stock as a season begins."""
        cover = self.economics.initial_cover
        assert not isinstance(cover, tuple)
        return round(cover * self.means[0])

    def market(self) -> Market:
        """The problem as a market."""
        one = torch.ones(1, 1)
        demand = Independent(
            Poisson(),
            torch.tensor(self.means).view(-1, 1, 1) if len(self.means) > 1 else self.means[0] * one,
            reference_price=one,
            elasticity=self.elasticity * one,
            curve=self.curve,
        )
        ends = {"low": self.low, "high": self.high}
        return plain_market(self.name, demand, self.economics, unit_cost=self.unit_cost, **ends)


_FREE = 1e-4  # unit cost of stock that is there anyway


def finite_stock(stock: int, sales: float, periods: int = 20) -> Pricing:
    """Gallego and van Ryzin's exponential demand a·exp(-p), in a season of ``periods``.

    Of ``stock`` units, which cost nothing any more, ``sales`` = a / e would sell at the price 1, which earns
    most where stock never ends. Left units are worth nothing.
    """
    mean = sales / periods
    return Pricing(
        name=f"finite-stock/n{stock}-d{sales:g}-T{periods}",
        about=f"{stock} units, {periods} periods, demand a·exp(-p) with {sales:g} sales at the price 1",
        source="Gallego and van Ryzin 1994, Management Science 40(8)",
        economics=Economics(
            decide="price", holding_rate=0.0, shortage_rate=0.0, unit_cost_share=_FREE,
            initial_cover=stock / mean, season=periods, salvage_rate=0.0,
        ),
        means=(mean,), elasticity=-1.0, unit_cost=_FREE, low=0.25, high=4.0, curve=exponential,
        most_stock=stock, most_order=0,
    )  # fmt: skip


def prices_and_orders(order_every: int, lead_time: int = 0) -> Pricing:
    """Federgruen and Heching's shop: a season of 12 periods, demand up and down, on a line in the price."""
    swing = (4.0, 5.0, 7.0, 9.0, 10.0, 9.0, 7.0, 6.0, 5.0, 4.0, 3.0, 3.0)
    return Pricing(
        name=f"prices-and-orders/R{order_every}-L{lead_time}",
        about=f"12 periods of changing linear demand, backorders, an order every {order_every} periods",
        source="Federgruen and Heching 1999, Operations Research 47(3)",
        economics=Economics(
            lead_time=lead_time, unmet="backorder", holding_rate=0.05, shortage_rate=0.3, unit_cost_share=0.5,
            initial_cover=0.0, season=len(swing), salvage_rate=0.5, order_every=order_every,
        ),
        means=swing, elasticity=-1.5, unit_cost=0.5, low=0.6, high=1.6, curve=linear,
        most_stock=90 if order_every > 1 else 50, most_order=90 if order_every > 1 else 60,
    )  # fmt: skip


def fresh_food(life: int, issuing: str = "fifo") -> Pricing:
    """Food that can be sold for ``life`` days, priced and ordered daily."""
    return Pricing(
        name=f"fresh-food/{issuing}-m{life}",
        about=f"food that lasts {life} days, {issuing}, priced and ordered every day",
        source="Nahmias 1982, Operations Research 30(4), with prices",
        economics=Economics(
            lead_time=1, holding_rate=0.0, shortage_rate=0.1, unit_cost_share=0.6, initial_cover=1.0,
            shelf_life=life, issuing=issuing, waste_cost_rate=0.2,
        ),
        means=(3.0,), elasticity=-2.5, unit_cost=0.6, low=0.6, high=1.5,
        most_stock=12 * life, most_order=12 if life < 3 else 9,
    )  # fmt: skip


def spoiling_food(waste_rate: float) -> Pricing:
    """Food of which a share spoils every night, priced and ordered daily."""
    return Pricing(
        name=f"fresh-food/spoils-w{waste_rate:g}",
        about=f"food of which {waste_rate:.0%} spoil a night, priced and ordered every day",
        source="Nahmias 1982, Operations Research 30(4), with prices",
        economics=Economics(
            lead_time=1, holding_rate=0.0, shortage_rate=0.1, unit_cost_share=0.6, initial_cover=2.0,
            waste_rate=waste_rate, waste_cost_rate=0.2,
        ),
        means=(5.0,), elasticity=-2.5, unit_cost=0.6, low=0.6, high=1.5, most_stock=40, most_order=30,
    )  # fmt: skip


def clearance(stock: int, salvage: float) -> Pricing:
    """A season's stock that goes out of fashion: demand falls by a seventh a period."""
    means = tuple(8.0 * (6 / 7) ** period for period in range(12))
    return Pricing(
        name=f"clearance/n{stock}-s{salvage:g}",
        about=f"{stock} units, 12 periods of falling demand, salvage {salvage:g} of the cost",
        source="Gallego and van Ryzin 1994, Management Science 40(8), section 5",
        economics=Economics(
            decide="price", shortage_rate=0.0, unit_cost_share=0.6, initial_cover=stock / means[0],
            season=len(means), salvage_rate=salvage,
        ),
        means=means, elasticity=-2.5, unit_cost=0.6, low=0.3, high=2.0, most_stock=stock, most_order=0,
    )  # fmt: skip


def slow_supply(lead_time: int) -> Pricing:
    """A season in which orders are long on their way."""
    return Pricing(
        name=f"slow-supply/L{lead_time}",
        about=f"a season of 12 periods, orders {lead_time} periods on their way, salvage half of the cost",
        source="Zipkin 2008, Operations Research 56(5), with prices and a season",
        economics=Economics(
            lead_time=lead_time, holding_rate=0.01, shortage_rate=0.1, unit_cost_share=0.6,
            initial_cover=lead_time + 1.0, season=12, salvage_rate=0.5,
        ),
        means=(3.0,), elasticity=-2.5, unit_cost=0.6, low=0.6, high=1.6, most_stock=30, most_order=12,
    )  # fmt: skip


GALLEGO_VAN_RYZIN = tuple(finite_stock(stock, 10.0) for stock in (5, 10, 20))
FEDERGRUEN_HECHING = (prices_and_orders(1), prices_and_orders(4), prices_and_orders(1, lead_time=1))
FRESH_FOOD = (fresh_food(2), fresh_food(2, "lifo"), fresh_food(3), spoiling_food(0.2), spoiling_food(0.5))
CLEARANCE = (clearance(30, 0.3), clearance(60, 0.3), clearance(60, -0.1))
SLOW_SUPPLY = (slow_supply(2), slow_supply(3))
