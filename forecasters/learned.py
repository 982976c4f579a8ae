"""The learned market's customers: the fitted model, sampled step by step under an agent's own prices."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor

from .demand import Outlook, Period
from .distributions import nb_sample
from .errors import InputError
from .history import History, build_history
from .model import LOG_R_CENTRE, DemandModel
from .network import adjusted_demand, demand_token, history_tokens
from .noise import NoiseKey, series_ids
from .nuisance import impute_demand
from .panel.sales_panel import SalesPanel
from .response import PriceResponse
from .trunk import RingCache
from .trunk.transformer import gather_cache


@dataclass(frozen=True)
class LearnedState:
    """What the model knows at the start of a period; ``advance`` updates the cache's tensors in place."""

    cache: RingCache
    log_base: Tensor  # (B, S, I) log mean demand before price and promotion
    log_r: Tensor  # (B, S, I) log dispersion
    date: Tensor  # (B,) int64 calendar index of the coming period


@dataclass(frozen=True)
class _Memory:
    """One forward pass over the history, from which every reset is a gather."""

    layers: list[tuple[Tensor, Tensor]]  # keys and values (S, I, H, T, D/H) of each layer
    outputs: Tensor  # (T + 1, S, I, 2): row s is what was expected of period s; row 0 repeats row 1


class LearnedDemand:
    """``DemandProcess`` of a fitted model conditioned on a history.

    ``advance`` remembers the whole demand of a period: a stock-out hides customers from the shop, not from
    the market, so that two policies under one seed meet the same customers. Where the model only observes
    another market, whoever feeds it says what could be seen (``envs.processes.ObservedDemand``).
    """

    def __init__(self, model: DemandModel, history: History, response: PriceResponse | None = None):
        self.model = model
        self.history = history
        self.response = response or model.response
        self.locations, self.items = model.locations, model.items
        self.periods = history.periods
        device = history.units.device
        self._network = model.network.eval().requires_grad_(False)
        self._level = model.level
        self._ids = series_ids(self.locations, self.items).to(device)
        places = torch.arange(len(self.locations), device=device)
        self._identity = self._network.identity(places, torch.arange(len(self.items), device=device))

    @classmethod
    def after(
        cls, model: DemandModel, panel: SalesPanel, response: PriceResponse | None = None
    ) -> LearnedDemand:
        """The customers of a model (on any device) after the history of a panel."""
        return cls._after(model, build_history(panel), response)

    @classmethod
    def _after(cls, model: DemandModel, history: History, response: PriceResponse | None) -> LearnedDemand:
        history = impute_demand(history, model.response.pivot.cpu())
        return cls(model, history.to(model.level.device), response)

    @cached_property
    def _memory(self) -> _Memory:
        with torch.no_grad():
            tokens = history_tokens(self.history, self._level, self.response).unsqueeze(0)
            layers: list[tuple[Tensor, Tensor]] = []
            out = self._network(tokens, self._identity, self.history.distance, layers)[0]
        return _Memory([(k[0], v[0]) for k, v in layers], torch.cat([out[:1], out]))

    def reset(self, start: Tensor, key: NoiseKey) -> LearnedState:
        """Markets about to play period ``start`` (B,) in 1 … periods, after the history before it."""
        memory = self._memory
        cache = gather_cache(memory.layers, start, self.model.settings.trunk.window)
        return self._state(cache, memory.outputs[start], start.clone())

    def _state(self, cache: RingCache, out: Tensor, date: Tensor) -> LearnedState:
        return LearnedState(cache, self._level + out[..., 0], out[..., 1] + LOG_R_CENTRE, date)

    def outlook(self, state: LearnedState) -> Outlook:
        """Expected demand at reference prices, its relative spread, and the local own elasticity."""
        mean = (state.log_base + self.response.effect(self.response.pivot)).exp()
        spread = (1 / mean + (-state.log_r).exp()).sqrt()
        return Outlook(mean, spread, self.response.local_elasticity().expand_as(mean))

    def expected(self, state: LearnedState, price: Tensor) -> Tensor:
        """Mean demand at ``price``, with the promotion that goes with such a discount."""
        return (state.log_base + self.response.effect(price.log())).exp()

    def sample(
        self, state: LearnedState, price: Tensor, key: NoiseKey, promo: Tensor | None = None
    ) -> Tensor:
        """Demand at ``price``; ``promo`` (B, S, I, K) where known (a backtest), else it follows price."""
        log_mean = state.log_base + self.response.effect(price.log(), promo)
        return nb_sample(key.uniform(self._ids, 0), key.uniform(self._ids, 1), log_mean, state.log_r)

    def advance(
        self, state: LearnedState, period: Period, key: NoiseKey, promo: Tensor | None = None
    ) -> LearnedState:
        """The trunk takes one step on what customers wanted at the price they met."""
        adjusted = adjusted_demand(period.demand, period.price.log(), self._level, self.response, promo)
        ahead = self.history.ahead[(state.date + 1).clamp(max=len(self.history.ahead) - 1)]
        seen = torch.ones_like(adjusted, dtype=torch.bool)
        token = demand_token(adjusted, seen, ahead, self.history.static)
        full = torch.cat([token, self._identity.expand(*token.shape[:-1], -1)], dim=-1)
        with torch.no_grad():
            hidden, cache = self._network.trunk.step(full, state.cache, self.history.distance)
            out = self._network.head(hidden)
        return self._state(cache, out, state.date + 1)

    def with_elasticity(self, which: Literal["lo", "mean", "hi"]) -> LearnedDemand:
        """The same market with every own elasticity at an end of its 90% interval."""
        return LearnedDemand(self.model, self.history, self.model.response.at(which))

    def condition(self, panel: SalesPanel) -> LearnedDemand:
        """The same model after a later history of the same locations and items."""
        for what, have, want in (
            ("location", panel.locations, self.locations),
            ("item", panel.items, self.items),
        ):
            missing = sorted(set(want) - set(have))
            if missing:
                raise InputError(
                    f"the panel lacks {len(missing)} {what}(s) that the market was fitted on,"
                    f" first {missing[0]!r}"
                )
        panel = panel.select(self.locations, self.items)
        if panel.locations != self.locations or panel.items != self.items:
            raise InputError(
                "the panel lists locations or items in another order than the market's own table"
            )
        history = build_history(panel)
        for what, have_n, want_n in (
            ("decision-linked columns", history.promo.shape[-1], self.history.promo.shape[-1]),
            ("exogenous columns", history.ahead.shape[-1], self.history.ahead.shape[-1]),
            ("static columns", history.static.shape[-1], self.history.static.shape[-1]),
        ):
            if have_n != want_n:
                raise InputError(f"the panel has {have_n} {what}, the market was fitted with {want_n}")
        return self._after(self.model, history, self.response)

    @property
    def elasticities(self):
        """The fitted ``Elasticities``: own with intervals (S, I), cross (I, I)."""
        return self.model.elasticities

    def to(self, device: torch.device | str) -> LearnedDemand:
        return LearnedDemand(self.model.to(device), self.history.to(device), self.response.to(device))
