"""One series with independent demand as a dynamic program: the best prices and orders, and the best orders at
each price that stays.

The period is that of ``mercato.envs.engine.step``, and so are the accounts, as rewards have them: a unit's
cost is paid when it is sold, owed or wasted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, lcm

import numpy as np
import torch

from ...envs.economics import Economics
from ...envs.market import Market
from ...envs.processes import Independent
from ...envs.processes.iid import IndependentState
from ...forecasters.errors import InputError
from .shelf import Shelf

_DAMPING = 0.9  # of a step, without which policies that go round and round never settle
_NOTHING = 1e-10  # probability of demand that is left out
_DUST = 1e-4  # units by which single precision may miss a whole number
_FEW, _MANY = 64, 4096  # demands told apart


@dataclass(frozen=True)
class Series:
    """What is known of a series, whose demand goes through T dates and begins again."""

    economics: Economics
    reference_price: float
    unit_cost: float
    prices: np.ndarray  # (P,) candidates
    chances: np.ndarray  # (T, P, D) P(D = d) at each date and price; the last is of d or more
    mean: np.ndarray  # (T, P) E[D]
    most_stock: int  # largest stock on hand that is told apart
    most_order: int  # largest order
    room: int | None = None  # largest inventory position; None: any

    @staticmethod
    def of(market: Market, prices: np.ndarray, most_stock: int, most_order: int) -> Series:
        """The only series of a market of independent demand, at ``prices`` (P,)."""
        demand, terms = market.demand, market.terms
        if not isinstance(demand, Independent) or market.shape != (1, 1):
            raise InputError(f"{market.name}: expected one series of independent demand, found {market!r}")
        dates = torch.arange(1 if demand.base.dim() == 2 else len(demand.base))
        charged = torch.as_tensor(prices, dtype=torch.float32).repeat(len(dates)).view(-1, 1, 1)
        each = IndependentState(dates.repeat_interleave(len(prices)))
        mean = demand.expected(each, charged).double().view(-1, len(prices))
        economics, typical = market.economics, float(terms.typical_demand)
        most_order = largest_order(economics, typical, most_order)
        return Series(
            economics=economics,
            reference_price=float(terms.reference_price),
            unit_cost=float(terms.unit_cost),
            prices=np.asarray(prices, dtype=float),
            chances=chances(
                lambda classes: demand.counts.probabilities(mean, classes).numpy(),
                shown(economics, most_stock, most_order),
            ),
            mean=mean.numpy(),
            most_stock=most_stock,
            most_order=most_order,
            room=None if economics.capacity is None else ceil(economics.capacity * typical),
        )


def largest_order(economics: Economics, typical: float, otherwise: int) -> int:
    """Largest order of a series that sells ``typical`` units a period: what its shop allows, if less."""
    if economics.decide == "price":
        return 0
    if economics.largest_order is None:
        return otherwise
    return min(otherwise, ceil(economics.largest_order * typical - _DUST))


def shown(economics: Economics, most_stock: int, most_order: int) -> int | None:
    """Largest demand worth telling apart, that of the largest stock; None where unmet demand waits."""
    if economics.unmet == "backorder":
        return None
    return most_stock if economics.shelf_life is None else economics.shelf_life * most_order


def chances(probabilities: Callable[[int], np.ndarray], most: int | None) -> np.ndarray:
    """(…, D) P(D = d), the last of d or more: of ``most``, or of what is next to impossible.

    Args:
        probabilities: (…, D) of so many counts, from 0 on.
    """
    classes = _FEW if most is None else most + 1
    while True:
        found = probabilities(classes)
        rest = 1 - found.sum(-1)
        if most is not None or rest.max() < _NOTHING or classes >= _MANY:
            found[..., -1] += rest
            return found
        classes *= 2


@dataclass(frozen=True)
class Plan:
    """Prices and orders by date and state, and what they are worth."""

    value: float  # profit a period in the long run; of a season where it has one, from its start
    price: np.ndarray  # (T, *states) int, place in ``Series.prices``
    order: np.ndarray  # (T, *states) int, units


class Program:
    """The dynamic program of a series.

    States are (stock, q_1, …, q_{L - 1}): what is on the shelf, and orders on their way, the next due first.
    With a lead time of 0 an order is placed, and arrives, before the stock meets demand.
    """

    def __init__(self, series: Series) -> None:
        self.series, self.lead_time = series, series.economics.lead_time
        self.shelf = Shelf.of(series)
        self.periods = [self.shelf.period(series, date) for date in range(len(series.chances))]
        self.arrive = self.shelf.arrive(series.most_order)  # (K', Q)
        orders = np.arange(series.most_order + 1)
        economics = series.economics
        self.cycle = lcm(len(series.chances), economics.order_every)  # dates after which all begins again
        self.ordering = (economics.fixed_order_cost + economics.joint_order_cost) * (orders > 0)
        self.full = self._full(orders)

    def season(self, start: int) -> Plan:
        """The best plan of a season that begins with ``start`` fresh units and nothing on order."""
        value, plan = self._through(self._ending(), self._length())
        return Plan(float(value[0][self._begin(start)]), *plan)

    def season_at_each_price(self, start: int) -> np.ndarray:
        """(P,) worth of the season with the best orders at each price that stays."""
        value = self._ending()
        for date in reversed(range(self._length())):
            value = self._worth(value, date).max(-1)
        return np.array([worth[self._begin(start)] for worth in value])

    def long_run(self, tolerance: float = 1e-6) -> Plan:
        """The best plan for ever, by relative value iteration; right to half of ``tolerance``."""
        value = self._nothing()
        while True:
            before = value
            value, plan = self._through(value, self.cycle)
            change = (value - before) / self.cycle
            if change.max() - change.min() <= tolerance:
                return Plan(float(change.max() + change.min()) / 2, *plan)
            value = before + _DAMPING * (value - before - (value - before).flat[0])

    def long_run_at_each_price(self, tolerance: float = 1e-6) -> np.ndarray:
        """(P,) the same with the best orders at each price that stays."""
        value = np.repeat(self._nothing(), len(self.series.prices), axis=0)
        axes = tuple(range(1, value.ndim))
        while True:
            before = value
            for date in reversed(range(self.cycle)):
                value = self._worth(value, date).max(-1)
            change = (value - before) / self.cycle
            highest, lowest = change.max(axes), change.min(axes)
            if (highest - lowest).max() <= tolerance:
                return (highest + lowest) / 2
            step, first = value - before, (slice(None), *(slice(1),) * len(axes))
            value = before + _DAMPING * (step - step[first])

    def place(self, held: np.ndarray, ages: np.ndarray) -> np.ndarray:
        """(N,) places, on the states' first axis, of stocks less what is owed (N,), or by age (N, m)."""
        return self.shelf.find(held, ages, fresh=self.lead_time > 0)

    def _through(self, value: np.ndarray, dates: int) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
        """Value (1, *states) at the first of ``dates`` before ``value``, and the best prices and orders."""
        prices, orders = [], []
        for date in reversed(range(dates)):
            value, price, order = self._best(self._worth(value, date))
            prices.append(price)
            orders.append(order)
        return value, (np.stack(prices[::-1]), np.stack(orders[::-1]))

    def _length(self) -> int:
        """Dates of the season.

        Raises:
            InputError: the shop has none.
        """
        if (season := self.series.economics.season) is None:
            raise InputError("series: expected economics with a season, found none")
        return season

    def _begin(self, start: int) -> tuple[int, ...]:
        """Place of the state of ``start`` fresh units and nothing on order."""
        life = self.series.economics.shelf_life or 0
        ages = np.array([0] * (life - 1) + [start])[None]
        place = int(self.place(np.array([start]), ages)[0])
        return (place, *(0,) * max(self.lead_time - 1, 0))

    def _worth(self, value: np.ndarray, date: int) -> np.ndarray:
        """(P, *states, Q) worth of each price and order at the states, ``value`` (1 or P, *states) being that
        of the states of the next date."""
        reward, kernel = self.periods[date % len(self.periods)]
        if self.lead_time == 0:
            after = reward + (kernel @ value[..., None])[..., 0]  # (P, K) of what is on the shelf at demand
            worth = after[:, self.arrive] - self.ordering
        else:
            later = value[
                :, self.arrive
            ]  # (1 or P, K', Q, …): what is due next, then the others, the new last
            flat = kernel @ later.reshape(*later.shape[:2], -1)
            worth = flat.reshape(*kernel.shape[:2], *later.shape[2:])
            worth = worth + reward.reshape(*reward.shape, *(1,) * self.lead_time) - self.ordering
        if date % self.series.economics.order_every:
            return worth[..., :1]
        return worth if self.full is None else np.where(self.full, -np.inf, worth)

    def _best(self, worth: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Of ``worth`` (P, *states, Q) the largest (1, *states), its price and its order."""
        each, states = np.moveaxis(worth, 0, -2), worth.shape[1:-1]
        flat = each.reshape(*states, -1)
        best = flat.argmax(-1)
        price, order = np.divmod(best, worth.shape[-1])
        return np.take_along_axis(flat, best[..., None], -1)[..., 0][None], price, order

    def _nothing(self) -> np.ndarray:
        """(1, *states) zeros."""
        if self.lead_time == 0:
            return np.zeros((1, len(self.arrive)))
        return np.zeros((1, len(self.shelf.stock), *(self.arrive.shape[1],) * (self.lead_time - 1)))

    def _ending(self) -> np.ndarray:
        """(1, *states) what stock, counted at its cost, loses where the season's end takes it for less."""
        series = self.series
        lost = (1 - series.economics.salvage_rate) * series.unit_cost
        return self._nothing() - lost * self._held(self._stock().clip(min=0))

    def _stock(self) -> np.ndarray:
        """Stock, less what is owed, by the first axis of the states."""
        return self.shelf.stock if self.lead_time else self.shelf.left

    def _held(self, stock: np.ndarray) -> np.ndarray:
        """``stock`` and everything on order, at the states."""
        for _ in range(self.lead_time - 1):
            stock = stock[..., None] + np.arange(self.series.most_order + 1)
        return stock

    def _full(self, orders: np.ndarray) -> np.ndarray | None:
        """(*states, Q) bool, orders that the shop has no room for; None where it has for all."""
        if (room := self.series.room) is None:
            return None
        return (orders > 0) & (self._held(self._stock())[..., None] + orders > room)
