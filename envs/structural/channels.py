"""Individuals who come to two locations, a shop and its web site, and choose between them at each visit.

Locations go in pairs, the first and the second, and so on; a last one without another is as in ``leaving``. A
customer's places at both are one customer: he comes with chance ``visit`` a week, and to the first with a
chance whose logit is

    logit(share) − (m_first − m_second),    m = stock_out·(share of the basket that was not there)
                                                + dear·(log of its price to the usual)

of what his last visit there met, 0 before any. A week's demand of a location is what the customers who are
there buy by their chances to come to it, over what they usually do; so units go from one to the other.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ...forecasters.simulation import Period
from ...forecasters.tensors import NoiseKey
from .leaving import Leaving, LeavingDemand, Regulars
from .records import shallow

_WHERE = 8  # stream of noise, after those of who comes, leaves and arrives
CHANNELS = ("shop", "web")  # of the first and the second of a pair


@dataclass(frozen=True)
class TwoChannels(Leaving):
    """Parameters of the market."""

    share: Tensor  # (S, C) of a customer's visits that go to this location, all as usual
    other: Tensor  # (S,) int64 the other location of the pair; its own where there is none
    switch_stock_out: float  # logits of going to the other after a basket that is not there
    switch_dear: float  # and after one at e times its usual price

    def select(self, places: Tensor, goods: Tensor) -> Self:
        at = torch.full_like(self.other, -1)
        at[places] = torch.arange(len(places), device=at.device)
        own = torch.arange(len(places), device=at.device)
        other = at[self.other[places]]
        return replace(
            super().select(places, goods),
            share=self.share[places],
            other=torch.where(other >= 0, other, own),
        )


@dataclass(frozen=True)
class Shoppers(Regulars):
    """What customers are like in the coming week, who is there, and what each last met."""

    minded: Tensor  # (B, S, C) logits by which the location is minded; a mean in what is expected

    def select(self, places: Tensor, goods: Tensor) -> Self:
        return replace(super().select(places, goods), minded=self.minded[:, places])


@dataclass(frozen=True)
class ChannelDemand(LeavingDemand):
    """The market's customers."""

    parameters: TwoChannels
    realised: Shoppers

    @cached_property
    def owner(self) -> Tensor:
        """(S,) location whose places' customers these are: the first of the pair."""
        own = torch.arange(len(self.locations), device=self.parameters.other.device)
        return torch.minimum(own, self.parameters.other)

    @cached_property
    def channel(self) -> np.ndarray:
        """(S,) of each location."""
        own = torch.arange(len(self.locations), device=self.owner.device)
        return np.array(CHANNELS)[(self.owner != own).long().cpu().numpy()]

    @property
    def _paired(self) -> Tensor:
        """(S, 1) bool"""
        own = torch.arange(len(self.locations), device=self.owner.device)
        return (self.parameters.other != own).unsqueeze(-1)

    def calm(self, state: Any) -> Shoppers:
        return Shoppers(**shallow(super().calm(state)) | {"minded": torch.zeros_like(state.minded)})

    def chosen(self, state: Any) -> Tensor:
        """(B, S, C) chance that a visitor comes to this location; sums to 1 over a pair."""
        share, other = self.parameters.share, self.parameters.other
        worse = torch.where(self._paired, state.minded - state.minded[:, other], 0.0)
        return torch.where(self._paired, (share.logit() - worse).sigmoid(), share)

    def there(self, state: Any) -> Tensor:
        return super().there(state) * self.chosen(state) / self.parameters.share

    def visitors(self, state: Any, key: NoiseKey) -> Tensor:
        came = super().visitors(state, key)
        where = key.uniform(self._ids, _WHERE)
        own = torch.arange(len(self.locations), device=where.device)
        first = (self.owner == own).unsqueeze(-1)
        return came & torch.where(first, where < self.chosen(state), where >= 1 - self.chosen(state))

    def advance(self, state: Any, period: Period, key: NoiseKey, promo: Tensor | float = 0.0) -> Shoppers:
        p, came = self.parameters, self.visitors(state, key)
        after = super().advance(state, period, key, promo)
        missing, price = self.missing(period), self.heard(state, period.price)
        met = self.met(p.switch_stock_out * missing + p.switch_dear * self.dear(price))
        # who is one customer leaves both, and whoever arrives has met nothing
        left = (after.present < state.present) | (after.present < state.present)[:, p.other]
        present = torch.where(left, 0.0, after.present)
        minded = torch.where(came, met, state.minded)
        minded = torch.where(present > state.present, 0.0, minded)
        return Shoppers(**shallow(after) | {"present": present, "minded": minded})

    def ahead(self, state: Any, price: Tensor, weeks: int) -> Shoppers:
        p = self.parameters
        met = self.met(p.switch_dear * self.dear(self.heard(state, price)))
        kept = (1 - p.visit * self.chosen(state)) ** weeks
        return Shoppers(
            **shallow(super().ahead(state, price, weeks)) | {"minded": met + (state.minded - met) * kept}
        )

    def laws(self) -> dict[str, pd.DataFrame]:
        p = self.parameters
        told = {"stock_out": p.switch_stock_out, "dear": p.switch_dear}
        pairs = pd.DataFrame(
            {
                "location": self.locations,
                "channel": self.channel,
                "other": [self.locations[at] for at in p.other.tolist()],
            }
        )
        law = pd.DataFrame({"name": list(told), "value": list(told.values())})
        return super().laws() | {"switching": law, "channels": pairs}


def with_channels(
    market: LeavingDemand, seed: int, stock_out: float = 4.0, dear: float = 3.0
) -> ChannelDemand:
    """The market whose customers have a pair of locations; a customer's places in both are the first's."""
    rng = np.random.default_rng([seed, 7])
    old = market.parameters
    places, own = len(market.locations), np.arange(len(market.locations))
    other = np.where((own ^ 1) < places, own ^ 1, own)
    owner = torch.from_numpy(np.minimum(own, other))
    first = rng.beta(2.0, 2.0, old.visit.shape).clip(0.05, 0.95)
    share = np.where((own == other)[:, None], 1.0, np.where((own % 2 == 0)[:, None], first, 1 - first[other]))
    told = torch.as_tensor(share, dtype=torch.float32)
    visit, usual = old.visit[owner], old.usual[owner]
    likes = (old.taste / old.visit.unsqueeze(-1))[owner] * (visit * told).unsqueeze(-1)
    usually = torch.einsum("sc,sci->si", usual, likes)
    taste = likes * (old.level.exp() / usually).unsqueeze(1)
    parameters = TwoChannels(
        **shallow(old)
        | {"visit": visit, "usual": usual, "taste": taste, "basket": taste.sum(-1)}
        | {"share": told, "other": torch.from_numpy(other)},
        switch_stock_out=stock_out,
        switch_dear=dear,
    )
    present = market.realised.present[:, owner]
    realised = Shoppers(
        **shallow(market.realised) | {"present": present, "minded": torch.zeros_like(present)}
    )
    return ChannelDemand(market.shop, parameters, realised)
