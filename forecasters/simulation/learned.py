"""The learned market's customers: the fitted model, sampled step by step under an agent's own prices."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Literal

import torch
from torch import Tensor

from ..features import History, Past, build_history
from ..identification import impute_demand
from ..model import DemandModel
from ..network import Recalled, Seen, Unmoving
from ..panel.sales_panel import SalesPanel
from ..response import WEAKEST, Context, PriceResponse, Way
from ..statistics import nb_sample
from ..tensors import Cut, NoiseKey, series_ids, stable_id
from .demand import Outlook, Period
from .model_of_history import ModelOfHistory
from .reading import later_history
from .state import LearnedState, log_mean_of_members

_SHOCKS, _POISSON = 0, 2  # streams of noise: common shocks take 0 and 1
_MEMBER, _ELASTICITY, _FORM = 5, 6, 7  # which market an episode is played in


class LearnedDemand(ModelOfHistory):
    """``DemandProcess`` of a fitted model conditioned on a history.

    An episode's customers follow one member of the ensemble, with own elasticities drawn from what the data
    leave open; ``outlook`` and ``expected``, which policies see, are means over all that is possible.

    ``advance`` remembers the whole demand of a period: a stock-out hides customers from the shop, not from
    the market, so that two policies under one seed meet the same customers. Where the model only observes
    another market, whoever feeds it says what could be seen (``envs.processes.ObservedDemand``).
    """

    calendar = True

    def __init__(self, model: DemandModel, history: History, response: PriceResponse | None = None):
        super().__init__(model, history, response)
        device = history.units.device
        self._certain: dict[str, LearnedDemand] = {}
        self._ids = series_ids(self.locations, self.items).to(device)
        self._place_ids = torch.tensor([stable_id(name) for name in self.locations], device=device)
        self._item_ids = torch.tensor([stable_id(item) for item in self.items], device=device)
        groups = range(self.response.choice.diversion.shape[-1])
        self._group_ids = torch.tensor([stable_id(f"category {g}") for g in groups], device=device)
        self._market_id = torch.tensor([stable_id("market")], device=device)

    @classmethod
    def after(
        cls, model: DemandModel, panel: SalesPanel, response: PriceResponse | None = None
    ) -> LearnedDemand:
        """The customers of a model (on any device) after the history of a panel."""
        return cls._after(model, build_history(panel, model.fitted), response)

    @classmethod
    def _after(cls, model: DemandModel, history: History, response: PriceResponse | None) -> LearnedDemand:
        history = impute_demand(history, model.response.to("cpu"))
        if model.stepped is not None:  # the history begins as the one that was fitted, and goes on from there
            told = model.stepped.to("cpu")[: history.periods]
            rest = told.new_zeros(history.periods - len(told), *told.shape[1:])
            history = replace(history, stepped=torch.cat([told, rest]))
        return cls(model, history.to(model.level.device), response)

    def with_bases(self, model: DemandModel) -> LearnedDemand:
        """The same history before a model that differs in nothing but its regressions and its common shocks.

        What the network read is kept, which is most of the work.
        """
        other = LearnedDemand(model, self.history, self.response)
        for name in ("_reading", "_out", "_layers"):
            if name in self.__dict__:
                other.__dict__[name] = self.__dict__[name]
        return other

    def without_anchor(self) -> LearnedDemand:
        """The same customers as they are sampled, not moved to a forecast."""
        return self.with_bases(replace(self.model, anchor=None))

    def recalling(self) -> LearnedDemand:
        """The same customers for several runs of the same episodes, one after the other.

        As long as customers want the same as in the first of them, the network is not asked again. On a GPU,
        where comparing would make it wait, they are as they were.
        """
        if self._ids.device.type != "cpu":
            return self
        _ = self._layers, self._expected  # read once, whoever recalls
        other = copy.copy(self)
        other._network = Recalled(self._network)
        return other

    def unmoving(self) -> LearnedDemand:
        """The same customers, asked about the period after a history alone: nothing is kept for a step."""
        other = copy.copy(self)
        other._network = Unmoving(self._network)
        return other

    def let_go(self) -> None:
        """Let go of what was read of the history, but for what ``outlook``, ``expected``, ``later`` and
        ``rereading`` need.

        Whatever asks for the rest has it read again.
        """
        _ = self._weekly
        for name in ("_layers", "_reading"):
            self.__dict__.pop(name, None)

    def reset(self, start: Tensor, key: NoiseKey) -> LearnedState:
        """Markets about to play period ``start`` (B,) in 1 … periods, after the history before it."""
        reading = self._reading
        memory = self._network.begin(self._layers, start)
        told = self._expected[start]
        log_base = told[..., 0] + self._drift(start, start)
        past = Past(*(getattr(reading.past, f.name)[start] for f in fields(Past)))
        member = (key.uniform(self._market_id, _MEMBER)[:, 0] * told.shape[-2]).long()
        return LearnedState(
            memory,
            log_base,
            told[..., 1],
            past,
            reading.effects[start],
            start.clone(),
            member,
            self._drawn(key),
            start.clone(),
            self._way(key),
        )

    def possible(self, key: NoiseKey) -> Context:
        """As many customers as ``key`` has markets, drawn from what the data leave open."""
        return Context(own=self._drawn(key), way=self._way(key))

    def _way(self, key: NoiseKey) -> Way:
        """How customers divide themselves over items, as likely as the data have it."""
        form = key.uniform(self._market_id, _FORM)[:, 0]
        return self.response.choice.draw(form, key.normal(self._group_ids, _FORM))

    def _drawn(self, key: NoiseKey) -> Tensor:
        """(B, S, I) own elasticities as likely as the data have them."""
        common, single = self.response.spread()
        item = key.normal(self._item_ids, _ELASTICITY).unsqueeze(1)
        own = self.response.own + common * item + single * key.normal(self._ids, _ELASTICITY)
        return own.clamp(max=WEAKEST)

    def _drift(self, begin: Tensor, date: Tensor) -> Tensor:
        """(B, 1, 1, 1) what a forecast from before ``begin`` adds to the log mean of ``date``."""
        anchor = self.model.anchor
        if anchor is None:
            return self._level.new_zeros(1, 1, 1, 1)
        return anchor.at(begin, date).view(-1, 1, 1, 1)

    def told_more(self, state: LearnedState, more: Tensor) -> LearnedState:
        """The state with more (…, S, I, M, 2) in its log mean and log dispersion, within reach."""
        level = self._level.unsqueeze(-1)
        log_base = self._within_reach(state.log_base + more[..., 0] - level) + level
        return replace(state, log_base=log_base, log_r=state.log_r + more[..., 1])

    def _usual(self, date: Tensor) -> Tensor:
        """(B, S, I, M) what is known ahead adds at calendar indices (B,)."""
        return self._ordinary[self.history.calendar_index(date)]

    def _ahead(self, date: Tensor) -> Tensor:
        """(B, S, I, C) what is known of calendar indices (B,) before they come."""
        return self.history.ahead[self.history.calendar_index(date)]

    def at_date(self, state: LearnedState, date: Tensor) -> LearnedState:
        """The state as it would be at calendar indices (B,), its past demand as it is."""
        more = self._usual(date) - self._usual(state.date)
        told = self.told_more(state, torch.stack([more, torch.zeros_like(more)], dim=-1))
        return replace(told, date=date)

    def shifted(self, state: LearnedState, periods: int) -> LearnedState:
        """The state as it would be so many periods later in the calendar, its past demand as it is."""
        return self.at_date(state, state.date + periods)

    def _context(self, state: LearnedState, own: Tensor | None = None, way: Way = Way()) -> Context:
        harmonic = self._ahead(state.date)[..., :2]
        return Context(harmonic, state.carryover, own, self._listed(state.date), way)

    def _listed(self, date: Tensor) -> Tensor | None:
        """(B, S, I) bool what is sold where at calendar indices (B,); None where everything always is."""
        assortment = self.history.assortment
        return None if assortment is None else assortment[date.clamp(0, len(assortment) - 1)]

    def _sold(self, units: Tensor, state: LearnedState) -> Tensor:
        """Units (B, S, I), none where the item is not listed."""
        listed = self._listed(state.date)
        return units if listed is None else units * listed.to(units.dtype)

    def outlook(self, state: LearnedState) -> Outlook:
        """Expected demand at reference prices, its relative spread, and the local own elasticity."""
        context = self._context(state)
        mean = (
            log_mean_of_members(state.log_base) + self.response.effect(self.response.pivot, context=context)
        ).exp()
        spread = (self.history.grain / mean + (-state.log_r.mean(-1)).exp()).sqrt()
        elasticity = self.response.local_elasticity(context).expand_as(mean)
        return Outlook(self._sold(mean, state), self._sold(spread, state), elasticity)

    def expected(self, state: LearnedState, price: Tensor) -> Tensor:
        """Mean demand at ``price``, with the promotion that goes with such a discount."""
        effect = self.response.effect(price.log(), context=self._context(state))
        return self._sold((log_mean_of_members(state.log_base) + effect).exp(), state)

    def later(self, state: LearnedState, price: Tensor, periods: int) -> Tensor:
        """Mean demand of the coming ``periods`` in all at ``price``, by what is known of their dates.

        What past demand and prices say of the coming period beyond its date counts for the later ones, too:
        none of them takes a step of the network.
        """
        base, drift = log_mean_of_members(state.log_base), self._drift(state.begin, state.date)
        coming = (base + self.response.effect(price.log(), context=self._context(state))).exp()
        total, usual = self._sold(coming, state), self._by_date(state.date)
        for period in range(1, periods):
            date = state.date + period
            more = self._by_date(date) - usual + self._drift(state.begin, date) - drift
            then = replace(self.told_more(state, torch.stack([more, torch.zeros_like(more)], -1)), date=date)
            total = total + self._sold(coming * (log_mean_of_members(then.log_base) - base).exp(), then)
        return total

    def _by_date(self, date: Tensor) -> Tensor:
        """(B, S, I, M) log mean demand at calendar indices (B,) as far as the date tells it."""
        return self._usual(date) + self._weekly[date % len(self._weekly)]

    def disagreement(self, state: LearnedState, price: Tensor) -> Tensor:
        """(B, S, I) standard deviation of log mean demand at ``price`` over what the data leave open."""
        between = state.log_base.var(-1, correction=0)
        doubt = self.response.doubt(price.log(), self._context(state))
        return self._sold((between + doubt).sqrt(), state)

    def sample(
        self, state: LearnedState, price: Tensor, key: NoiseKey, promo: Tensor | None = None
    ) -> Tensor:
        """Demand at ``price``; ``promo`` (B, S, I, K) where known (a backtest), else it follows price."""
        log_mean, log_r = self._told_customers(state, price, promo)
        grain = self.history.grain
        normal = self.model.common_shocks.normal(key, self._ids, self._place_ids, self._item_ids, _SHOCKS)
        count = nb_sample(normal, key.uniform(self._ids, _POISSON), log_mean - grain.log(), log_r)
        return self._sold(count * grain, state)

    def mean(self, state: LearnedState, price: Tensor, promo: Tensor | None = None) -> Tensor:
        """Mean demand (B, S, I) of the customers that the episode has, who are drawn: no noise but that."""
        return self._sold(self._told_customers(state, price, promo)[0].exp(), state)

    def _told_customers(
        self, state: LearnedState, price: Tensor, promo: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Log mean demand and log dispersion (B, S, I) of the episode's own customers."""
        member = state.member.view(-1, 1, 1, 1).expand(*state.log_base.shape[:-1], 1)
        log_base, log_r = (x.gather(-1, member)[..., 0] for x in (state.log_base, state.log_r))
        context = self._context(state, state.own, state.way)
        return log_base + self.response.effect(price.log(), promo, context), log_r

    def advance(
        self, state: LearnedState, period: Period, key: NoiseKey, promo: Tensor | None = None
    ) -> LearnedState:
        """The trunk takes one step on what customers wanted at the price they met."""
        log_price, context = period.price.log(), self._context(state, state.own, state.way)
        effect, alone = self.response.effects(log_price, promo, context)
        usual = self._level + self._drift(state.begin, state.date).squeeze(-1)
        adjusted = (period.demand + 0.5 * self.history.grain).log() - usual - effect
        adjusted = torch.clamp(adjusted, *self.model.reach)
        carryover = self.response.carry_over(state.carryover, alone)
        listed = context.listed
        seen = torch.ones_like(adjusted, dtype=torch.bool) if listed is None else listed
        past = state.past.after(adjusted, seen)
        features = past.features(self._listed(state.date + 1))
        left = Seen(adjusted, seen, features, self.history.static)
        with torch.no_grad():
            out, memory = self._network.step(
                left, self._identity, state.memory, self.history.distance, listed
            )
            told = self._told(out, features, self._usual(state.date + 1))
        return replace(
            state,
            memory=memory,
            log_base=(told[..., 0] + self._drift(state.begin, state.date + 1)).contiguous(),
            log_r=told[..., 1].contiguous(),
            past=past,
            carryover=carryover,
            date=state.date + 1,
        )

    def with_elasticity(self, which: Literal["lo", "mean", "hi"]) -> LearnedDemand:
        """The same market with every own elasticity at one place of its 90% interval; none is drawn."""
        if which not in self._certain:  # what it reads of the history is read once, whoever asks
            self._certain[which] = LearnedDemand(self.model, self.history, self.response.at(which))
        return self._certain[which]

    def plausible(self) -> dict[str, LearnedDemand]:
        """Other customers that the data leave possible, by what is other: nothing about them is drawn."""
        responses = self.response.plausible().items()
        return {name: LearnedDemand(self.model, self.history, other) for name, other in responses}

    def condition(self, panel: SalesPanel, fitted: int | None = None) -> LearnedDemand:
        """The same model after a later history of the same locations and items.

        ``fitted`` are the first periods of the panel, those that the model was fitted on, unless it knows
        itself; all where None.
        """
        fitted = fitted if self.model.fitted is None else self.model.fitted
        history = later_history(panel, self.locations, self.items, self.history, fitted)
        return self._after(self.model, history, self.response)

    def select(
        self, locations: Sequence[str] | None = None, items: Sequence[str] | None = None
    ) -> LearnedDemand:
        """The customers of a sub-market, with the noise they have in the whole one.

        The network attends to the series that are there; means over locations or items are over those.
        """
        cut = Cut.of(self.locations, self.items, locations, items, self._ids.device)
        return LearnedDemand(self.model.select(cut), self.history.select(cut), self.response.select(cut))

    def within(self, part: LearnedDemand, cut: Cut) -> LearnedDemand:
        """``part``, the ``cut`` of these customers, as the whole market knows them: it reads no history.

        It is asked about states that were ``cut``, too, and takes no step.
        """
        other = LearnedDemand(part.model, part.history, self.response.select(cut))
        if {"_expected", "_weekly"} & self.__dict__.keys():
            other.__dict__["_weekly"] = cut.tensor(self._weekly, "WSIM")
        return other

    def rereading(self, response: PriceResponse) -> LearnedDemand:
        """Customers that answer prices otherwise, to whom the history tells as much more or less of demand.

        What the network adds to the regressions is taken to be what it adds for these customers: it takes
        nearly all the time of a reading. They take no step.
        """
        other = LearnedDemand(self.model, self.history, response).unmoving()
        other.__dict__.update(_out=self._out, _layers=[])
        return other

    def responding(self, response: PriceResponse) -> LearnedDemand:
        """Customers that answer prices otherwise, to be asked about states of these: they read no history."""
        other = LearnedDemand(self.model, self.history, response)
        other.__dict__["_weekly"] = self._weekly
        return other

    @property
    def elasticities(self):
        """The fitted ``Elasticities``: own with intervals (S, I), cross (I, I)."""
        return self.model.elasticities

    def to(self, device: torch.device | str) -> LearnedDemand:
        return LearnedDemand(self.model.to(device), self.history.to(device), self.response.to(device))
