"""Where a market stands right after the latest sales: what decisions for the coming period start from.

To read a long history takes seconds, and one decision a moment: a ``Standing`` keeps what was read.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ..agents.explanation import Ordinary
from ..envs.economics import Economics
from ..envs.engine.stock import fresh
from ..envs.engine.types import State
from ..envs.engine.view import View
from ..envs.market import Market
from ..envs.simulator import Simulator
from ..forecasters.errors import InputError
from ..forecasters.names import positions
from ..forecasters.panel.calendar import declared_grid
from ..forecasters.panel.extend import extended
from ..forecasters.panel.sales_panel import SalesPanel
from ..forecasters.response import PriceResponse
from ..forecasters.simulation import LearnedDemand, LearnedState
from ..forecasters.tensors import Cut, NoiseKey
from .price_tags import decimals_of
from .reasons import SAME

Stock = tuple[np.ndarray, np.ndarray]  # (S, I) units on hand, NaN where unknown, and on order
_AT_ONCE = 2**18  # series whose demand is asked for together: it bounds the memory
_LARGE = 5000  # series of a chain, beyond which memory is worth more than reading its history again


@dataclass(frozen=True)
class Customers:
    """Some customers that the data leave possible, about to meet the coming period's prices."""

    demand: LearnedDemand
    state: LearnedState

    def expected(self, prices: Tensor) -> Tensor:
        """Expected demand (V, S, I) at each of ``prices`` (V, S, I)."""
        size = max(1, _AT_ONCE // prices[0].numel())
        return torch.cat([self.demand.expected(self.state, part) for part in prices.split(size)])

    def within(self, part: LearnedDemand, cut: Cut) -> Customers:
        """The same of the ``cut`` of the market whose customers are ``part``."""
        return Customers(self.demand.within(part, cut), self.state.select(cut))


@dataclass(frozen=True)
class Standing:
    """A fitted market right after a later history, ``panel``: its own panel, carried on."""

    market: Market
    panel: SalesPanel
    sold: np.ndarray  # (N,) bool: series of the panel that go on in the coming period
    notes: list[str]  # what is not decided, and why
    seed: int
    whole: tuple[Standing, Cut] | None = field(default=None, repr=False)  # that it is a part of, and which

    @classmethod
    def of(cls, market: Market, own: SalesPanel, latest: SalesPanel | None, seed: int) -> Standing:
        """Where a market stands.

        Args:
            market: a fitted market.
            own: the panel that it was fitted on.
            latest: the latest sales table, which carries it on; None where there is none.
            seed: for whatever is drawn.
        """
        panel, notes = (own, []) if latest is None else extended(own, latest)
        market = after(market, panel)
        market = market.with_demand(market.demand.unmoving())  # type: ignore[attr-defined]  # made sure of
        sold = _sold(market, panel, latest, notes)
        return cls(market, panel, sold, notes, seed)

    @property
    def date(self) -> str:
        """First day of the coming period."""
        panel = self.panel
        return str(declared_grid(panel.frequency, panel.dates).starts(np.array([panel.periods]))[0])

    @property
    def demand(self) -> LearnedDemand:
        return self.market.demand  # type: ignore[return-value]  # ``after`` has made sure

    def under(self, economics: Economics) -> Standing:
        """The same history under other price rules: what was read of it is kept."""
        other = replace(self, market=replace(self.market, economics=economics))
        for name in ("_state", "usual", "others", "price_before", "decimals"):
            if name in self.__dict__:
                other.__dict__[name] = self.__dict__[name]
        return other

    def part(self, locations: Collection[str]) -> Standing:
        """Where these locations stand, and all whose prices are common with theirs or compared with them.

        Nothing of the history is read again: what is expected of them is what the whole market expects.
        """
        market, panel, labels = self.market, self.panel, np.array(self.market.compared)
        at = positions(list(locations), market.locations, "locations of the market")
        wanted = np.isin(labels, labels[at])
        if wanted.all():
            return self
        names = [name for name, here in zip(market.locations, wanted.tolist(), strict=True) if here]
        cut = Cut.of(market.locations, market.items, names, None, market.device)
        part = market.select(names)
        assert isinstance(part.demand, LearnedDemand)
        other = replace(
            self,
            market=part.with_demand(self.demand.within(part.demand, cut)),
            panel=panel.select(names),
            sold=self.sold[wanted[panel.series[:, 0]]],
            whole=(self, cut),
        )
        other.__dict__.update(
            _state=self._state.select(cut),
            _usual_view=self._usual_view.within(other.market, cut),
            usual=self.usual.within(part.demand, cut),
            others=tuple(one.within(part.demand, cut) for one in self.others),
            price_before=cut.tensor(self.price_before, "SI"),
            decimals=self.decimals,
        )
        return other

    @cached_property
    def ordinary(self) -> Ordinary:
        """What a decision is compared with; for a part what it is for the whole."""
        if self.whole is None:
            return Ordinary.of(self.market)
        whole, cut = self.whole
        return whole.ordinary.select(cut)

    def named(self, locations: Collection[str]) -> frozenset[str]:
        """Locations as the market writes them.

        Raises:
            InputError: the market does not know one.
        """
        places = positions(list(locations), self.market.locations, "locations of the market")
        return frozenset(self.market.locations[place] for place in places)

    def at(self, locations: Collection[str]) -> np.ndarray:
        """(N,) bool: series of the panel at these locations.

        Raises:
            InputError: the market does not know one.
        """
        places = positions(list(locations), self.market.locations, "locations of the market")
        return np.isin(self.panel.series[:, 0], places)

    @cached_property
    def decimals(self) -> int:
        """That prices are written with."""
        return decimals_of(self.panel)

    @cached_property
    def price_before(self) -> Tensor:
        """(S, I) what each series cost before its price last changed; its price where it never did."""
        price = pd.DataFrame(self.panel.price).ffill().bfill().to_numpy()
        same = np.abs(price - price[-1]) <= SAME * price[-1]
        last = np.where(same.all(axis=0), len(price) - 1, len(price) - 1 - np.argmin(same[::-1], axis=0))
        out = np.ones(self.market.shape, dtype=np.float32)
        place, item = self.panel.series.T
        out[place, item] = price[last, np.arange(len(last))]
        return torch.from_numpy(out).to(self.market.device)

    @cached_property
    def others(self) -> tuple[Customers, ...]:
        """All that the data leave possible, but for the usual ones."""
        _ = self._state  # before them: what the network says of the history is theirs, too
        return tuple(self._customers(response) for response in self.demand.response.plausible().values())

    @cached_property
    def usual(self) -> Customers:
        demand, state = self.demand, self._state
        mean = LearnedDemand(demand.model, demand.history, demand.response.at("mean"))
        certain = mean.possible(self._key)  # what was read of the history is the same
        return Customers(mean, replace(state.demand, own=certain.own, way=certain.way, memory=()))

    def _customers(self, response: PriceResponse) -> Customers:
        demand = self.demand
        with torch.no_grad():
            about = demand.rereading(response).reset(self._state.start, self._key)
        return Customers(LearnedDemand(demand.model, demand.history, response), about)

    @property
    def _key(self) -> NoiseKey:
        state = self._state
        return NoiseKey(0, state.slot, state.episode, state.age)

    def state(self, stock: Stock | None) -> State:
        """The one market's state at the start of the coming period, with that stock where it is known.

        What is on order is due in the next one. Stock counts as fresh: no table says how old it is.
        """
        state, economics = self._state, self.market.economics
        if stock is None:
            return state
        on_hand, on_order = (torch.from_numpy(part).to(self.market.device).unsqueeze(0) for part in stock)
        on_hand = torch.where(on_hand.isnan(), state.on_hand, on_hand)
        pipeline = state.pipeline.clone()
        if economics.lead_time == 0:
            on_hand = on_hand + on_order
        else:
            pipeline[:, 0] = on_order
        return replace(state, on_hand=on_hand, cohorts=fresh(on_hand, economics), pipeline=pipeline)

    def view(self, state: State) -> View:
        """What a policy may look at; what it makes of the customers alone is worked out once."""
        return replace(self._usual_view, state=state)

    @cached_property
    def _usual_view(self) -> View:
        return self._simulator.view(self._state)

    @cached_property
    def _simulator(self) -> Simulator:
        return Simulator(self.market, 1, 1, self.seed, evaluation=True)

    @cached_property
    def _state(self) -> State:
        market, panel = self.market, self.panel
        start = torch.full((1,), panel.periods, dtype=torch.int64, device=market.device)
        state = self._simulator.initial_state(start, last_price=current_price(market, panel))
        since = torch.from_numpy(_since_change(panel, market)).to(market.device)
        if len(panel.series) > _LARGE:
            self.demand.let_go()
        return replace(state, since_change=since.expand_as(state.since_change).clone())


def after(market: Market, panel: SalesPanel) -> Market:
    """The fitted market right after a later history, its own panel carried on (``panel.extended``)."""
    if panel.dates[0] != market.dates[0] or panel.periods < len(market.dates):
        raise InputError(
            f"expected the market's own panel from {market.dates[0]} on, carried on by the latest table,"
            f" found one from {panel.dates[0]} to {panel.dates[-1]}"
        )
    if not isinstance(market.demand, LearnedDemand):
        raise TypeError(f"expected a fitted market, found one of {type(market.demand).__name__}")
    demand = market.demand.condition(panel, fitted=len(market.dates))
    return replace(market, dates=panel.dates, demand=demand, logged_price=demand.history.log_price.exp())


def current_price(market: Market, panel: SalesPanel) -> Tensor:
    """(S, I) last known price of each series; the reference price where there is none."""
    last = pd.DataFrame(panel.select(market.locations, market.items).price).ffill().to_numpy()[-1]
    price = torch.from_numpy(panel.dense(last.astype(np.float32))).to(market.device)
    return torch.where(price.isnan(), market.terms.reference_price, price)


def _since_change(panel: SalesPanel, market: Market) -> np.ndarray:
    """(S, I) int64 periods since each price last changed."""
    price = pd.DataFrame(panel.price).ffill().bfill().to_numpy()
    same = np.abs(price - price[-1]) <= SAME * price[-1]
    run = np.where(same.all(axis=0), len(price), np.argmin(same[::-1], axis=0))
    out = np.full(market.shape, panel.periods, dtype=np.int64)
    out[panel.series[:, 0], panel.series[:, 1]] = np.maximum(run, 1)
    return out


def _sold(market: Market, panel: SalesPanel, latest: SalesPanel | None, notes: list[str]) -> np.ndarray:
    """(N,) bool: series of the panel that go on in the coming period.

    Raises:
        InputError: none does.
    """
    place, item = panel.series.T
    demand: LearnedDemand = market.demand  # type: ignore[assignment]  # ``after`` has made sure
    listed = demand.history.listed[panel.periods].cpu().numpy()[place, item]
    there = np.ones_like(listed)
    if latest is not None:
        theirs = {(latest.locations[s], latest.items[i]) for s, i in latest.series.tolist()}
        there = np.array([(panel.locations[s], panel.items[i]) in theirs for s, i in panel.series.tolist()])
    going, ended = there & listed, there & ~listed
    if ended.any():
        first = panel.series[np.argmax(ended)]
        notes.append(
            f"{int(ended.sum())} series have ended and need no decision, first {panel.locations[first[0]]},"
            f" {panel.items[first[1]]}"
        )
    if not going.any():
        raise InputError("expected a series that goes on after the latest table, found that all have ended")
    return going
