"""A fitted model's word on each period of a history: one pass of its network, and what follows from it."""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

from ..features import History, past_features
from ..model import DemandModel
from ..network import DemandNetwork, Kept, Seen, chain_news
from ..response import PriceResponse, adjusted_history
from ..statistics import gamma_table, nb_mixture_cdf
from ..tensors import room_for
from .reading import Reading, read_history

_HELD = 200  # numbers a series and period at once while a history is read
_BELOW = 3.0  # log units that an expected demand may lie below the least counted one, half a unit


class ModelOfHistory:
    """A model, the history that it reads, and the price response by which demand is freed of its prices.

    All is worked out when it is first asked for, and kept.
    """

    def __init__(self, model: DemandModel, history: History, response: PriceResponse | None = None):
        self.model = model
        self.history = history
        self.response = response or model.response
        self.locations, self.items = model.locations, model.items
        self.periods = history.periods
        self._network: DemandNetwork = model.network.eval().requires_grad_(False)
        self._level = model.level
        places, goods = (
            torch.arange(len(names), device=history.units.device) for names in (self.locations, self.items)
        )
        self._identity = self._network.identity(places, goods)

    @cached_property
    def _reading(self) -> Reading:
        """Made before a step is compiled, which then only reads it."""
        device = self._level.device
        room_for(self._level.numel(), 4 * self.periods * _HELD, "series of a learned market", device)
        gamma_table(device)
        return read_history(self.history, self.response, self._level)

    @cached_property
    def _ordinary(self) -> Tensor:
        """(T + A, S, I, M) what is known ahead adds, by the calendar; a step only looks it up."""
        return self.model.base.known(self.history.ahead)

    @cached_property
    def _out(self) -> Tensor:
        """(T + 1, S, I, 2·M) the network's word: row s is on period s."""
        return self._forward(None)

    @cached_property
    def _layers(self) -> list[Kept]:
        """What each layer of the network keeps of the history, from which every reset is a gather."""
        each = 4 * self.periods * (self._network.kept_numbers + self.model.settings.trunk.width)
        room_for(self._level.numel(), each, "series of a market's memory", self._level.device)
        layers: list[Kept] = []
        self.__dict__["_out"] = self._forward(layers)
        return [tuple(part[0] for part in layer) for layer in layers]

    @torch.no_grad()
    def _forward(self, keep: list[Kept] | None) -> Tensor:
        """One pass of the network over the history."""
        history, reading = self.history, self._reading
        adjusted = adjusted_history(history, self._level, reading.effect)
        seen = Seen(adjusted, history.known, reading.features[1:], history.static)
        listed = None if history.assortment is None else history.listed[: self.periods].unsqueeze(0)
        tokens = seen.tokens().unsqueeze(0)
        out = self._network(tokens, self._identity, history.distance, keep, listed)[0]
        return torch.cat([out[:1], out])

    @cached_property
    def _expected(self) -> Tensor:
        """(T + 1, S, I, M, 2) log mean before price and log dispersion of periods 0 … T, one step ahead."""
        with torch.no_grad():
            dates = torch.arange(self.periods + 1, device=self._level.device)
            return self._told(self._out, self._reading.features, self._ordinary[dates])

    @cached_property
    def _weekly(self) -> Tensor:
        """(W, S, I, M) what the past usually adds on each day of a week, which it has seen before.

        W is 1 where a period is no day.
        """
        past = self._expected[: self.periods, ..., 0] - self._ordinary[: self.periods]
        days = min(self.history.week, self.periods)
        whole = self.periods // days * days
        return past[-whole:].unflatten(0, (-1, days)).mean(0).roll((self.periods - whole) % days, 0)

    def _told(self, out: Tensor, features: Tensor, known: Tensor) -> Tensor:
        """(…, S, I, M, 2) log mean before price and log dispersion: level, base and the network's word."""
        told = self.model.base.predict(features, known) + out.unflatten(-1, (-1, 2))
        log_mean = self._within_reach(told[..., 0]) + self._level.unsqueeze(-1)
        return torch.stack([log_mean, told[..., 1]], dim=-1)

    def log_base(self, adjusted: Tensor, ahead: Tensor) -> Tensor:
        """(P, S, I, M) log mean before price of the period after P pasts, differentiable in what it reads.

        Args:
            adjusted: (P, t, S, I) log demand above the level, freed of prices, of the first t periods.
            ahead: (P, S, I, C) what is known of the period t before it comes.
        """
        history, t = self.history, adjusted.shape[1]
        values = adjusted.transpose(0, 1)
        known = history.known[:t].unsqueeze(1).expand_as(values)
        features = past_features(values, known, history.assortment)
        tokens = Seen(values, known, features[1:], history.static).tokens().transpose(0, 1)
        listed = None
        if history.assortment is not None:
            listed = history.listed[:t].expand(len(adjusted), -1, -1, -1)
        out = self._network(tokens, self._identity, history.distance, None, listed)
        return self._told(out[:, -1], features[-1], self.model.base.known(ahead))[..., 0]

    def _within_reach(self, above: Tensor) -> Tensor:
        """(…, S, I, M) log mean above the level, no further than demand ever was, but for a little."""
        low, high = self.model.reach.unsqueeze(-1)
        return torch.clamp(above, low - _BELOW, high)

    def one_step_cdf(self, count: Tensor, begin: int, exposure: Tensor) -> tuple[Tensor, Tensor]:
        """P(demand < ``count``) and P(demand ≤ ``count``) (T', S, I) by ``forecast`` in a share of each
        period from ``begin`` on."""
        log_mean, log_r = self.forecast(begin, begin + len(count))
        return nb_mixture_cdf(count, log_mean + exposure.log().unsqueeze(-1), log_r, self.history.grain)

    def one_step(self, begin: int, end: int) -> tuple[Tensor, Tensor]:
        """Log mean demand and log dispersion (T', S, I, M) of the periods begin … end, one step ahead.

        What the simulated market expects at the prices and promotions that these periods had, as if an agent
        had set them.
        """
        told = self._expected[begin:end]
        return told[..., 0] + self._reading.effect[begin:end].unsqueeze(-1), told[..., 1]

    def forecast(self, begin: int, end: int) -> tuple[Tensor, Tensor]:
        """The same, knowing that the shop set these prices, which says more of the week (``chain_news``)."""
        log_mean, log_r = self.one_step(begin, end)
        past, ahead = self._reading.features[begin:end], self.history.ahead[begin:end]
        news = torch.cat([ahead, chain_news(self.history, self.response.pivot)[begin:end]], dim=-1)
        base, informed = self.model.base, self.model.informed
        more = informed.predict(past, informed.known(news)) - base.predict(past, base.known(ahead))
        return log_mean + more[..., 0], log_r + more[..., 1]
