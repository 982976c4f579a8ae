"""Individuals whom the shop shows items, or sends coupons, and who have friends: what each does is planted.

A customer in an odd place is the friend of the one before him, who told him of the shop; both come and like
alike. Every eight weeks each of those who tell gets a coupon with chance ``coupon``, and for four weeks comes

    sent times as often, his friend sent^follow times

A recommender shows each visitor items that he likes, more often the more he likes them; of what he is shown
he buys ``shown`` times as much as he would. What the coin holds back is in the log, too (``receipts``).

With ``follow`` 0 and no coupons friends are merely alike, and nothing in the log can tell that from word of
mouth (Shalizi and Thomas 2011).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ...forecasters.simulation import Period
from ...forecasters.tensors import NoiseKey
from .leaving import Leaving, LeavingDemand, Regulars
from .records import shallow

EVERY, LASTS = 8, 4  # weeks from one campaign of coupons to the next, and that a coupon is good for
_COUPON = 9  # stream of noise
_MOST = 0.95  # chance of a visit
_SLATE = 3  # candidates to be shown at a visit
_HELD_BACK = 0.3  # of what is a candidate, at least, so that no chance is near 1


@dataclass(frozen=True)
class Addressed(Leaving):
    """Parameters of the market."""

    shown: float  # times as much that is bought of what is shown; 1 where nothing is
    coupon: float  # chance that a customer who tells gets a coupon of a campaign; 0: there is none
    sent: float  # times as often that who got one comes while it is good
    follow: float  # power of that by which his friend comes more often


@dataclass(frozen=True)
class Friends(Regulars):
    """What customers are like in the coming week, who is there, and who has a coupon."""

    holds: Tensor  # (B, S, C) 1 where a customer holds a coupon; a chance in what is expected

    def select(self, places: Tensor, goods: Tensor) -> Self:
        return replace(super().select(places, goods), holds=self.holds[:, places])


@dataclass(frozen=True)
class AddressedDemand(LeavingDemand):
    """The market's customers."""

    parameters: Addressed
    realised: Friends

    def tells(self) -> Tensor:
        """(C,) bool who has told his friend, the next one."""
        return torch.arange(self.parameters.visit.shape[1], device=self.parameters.visit.device) % 2 == 0

    def rate(self, state: Any) -> Tensor:
        """(B, S, C) times as often that customers come as usual."""
        law = np.log(self.parameters.sent)
        held = state.holds * state.present
        return (law * (held + self.parameters.follow * held.roll(1, -1) * ~self.tells())).exp()

    def calm(self, state: Any) -> Friends:
        return Friends(**shallow(super().calm(state)) | {"holds": torch.zeros_like(state.holds)})

    def there(self, state: Any) -> Tensor:
        return super().there(state) * self.rate(state)

    def visitors(self, state: Any, key: NoiseKey) -> Tensor:
        return self.came(state, key, (self.parameters.visit * self.rate(state)).clamp(max=_MOST))

    def advance(self, state: Any, period: Period, key: NoiseKey, promo: Tensor | float = 0.0) -> Friends:
        after = super().advance(state, period, key, promo)
        drawn = (key.uniform(self._ids, _COUPON) < self.parameters.coupon) & self.tells()
        begins, ends = (((after.week % EVERY) == week).view(-1, 1, 1) for week in (0, LASTS))
        holds = torch.where(begins, drawn * after.present, torch.where(ends, 0.0, state.holds))
        # whoever comes new has none
        return Friends(**shallow(after) | {"holds": holds * (after.present <= state.present)})

    def ahead(self, state: Any, price: Tensor, weeks: int) -> Friends:
        after = super().ahead(state, price, weeks)
        phase = after.week % EVERY
        still = (phase >= state.week % EVERY) & (weeks < EVERY) & (phase < LASTS)
        chance = self.parameters.coupon * (phase < LASTS)
        holds = torch.where(still.view(-1, 1, 1), state.holds, chance.view(-1, 1, 1) * self.tells())
        return Friends(**shallow(after) | {"holds": holds})

    def laws(self) -> dict[str, pd.DataFrame]:
        p = self.parameters
        names = ("shown", "coupon", "sent", "follow")
        law = pd.DataFrame({"name": names, "value": [getattr(p, name) for name in names]})
        return super().laws() | {"addressed": law}


def with_friends(
    market: LeavingDemand,
    shown: float = 1.0,
    coupon: float = 0.0,
    sent: float = 1.0,
    follow: float = 0.0,
) -> AddressedDemand:
    """The market whose customers are friends in pairs, alike in how often they come and what they like."""
    old = market.parameters
    pair = torch.arange(old.visit.shape[1]) // 2 * 2
    visit, usual, likes = old.visit[:, pair].clamp(max=_MOST / 1.5), old.usual[:, pair], old.taste[:, pair]
    taste = likes * (old.level.exp() / torch.einsum("sc,sci->si", usual, likes)).unsqueeze(1)
    told = {"visit": visit, "usual": usual, "taste": taste, "basket": taste.sum(-1)}
    parameters = Addressed(**shallow(old) | told, shown=shown, coupon=coupon, sent=sent, follow=follow)
    holds = torch.zeros_like(market.realised.present)
    return AddressedDemand(market.shop, parameters, Friends(**shallow(market.realised) | {"holds": holds}))


@dataclass(frozen=True)
class Slates:
    """What V visitors were offered, and what the coin held back."""

    item: np.ndarray  # (V, 3) int64 candidates, those that a visitor likes first
    chance: np.ndarray  # (V, 3) that each is shown
    given: np.ndarray  # (V, 3) bool

    @staticmethod
    def drawn(likes: np.ndarray, rng: np.random.Generator) -> Slates:
        """Of what visitors like (V, I): nearly the same each time, by chances that grow with liking."""
        score = likes + 0.3 * rng.gumbel(size=likes.shape) * likes.mean()
        item = np.argsort(-score, axis=1)[:, :_SLATE]
        liked = np.take_along_axis(likes, item, 1)
        chance = (1 - _HELD_BACK) * liked / (liked + likes.mean()) + 0.1
        return Slates(item, chance, rng.random(chance.shape) < chance)

    def lifted(self, likes: np.ndarray, times: float) -> np.ndarray:
        """(V, I) what visitors like, with ``times`` as much of what they are shown."""
        lift = np.ones_like(likes)
        np.put_along_axis(lift, self.item, np.where(self.given, times, 1.0), 1)
        return likes * lift

    def bought(self, likes: np.ndarray, times: float, sold: np.ndarray) -> tuple[float, float]:
        """Units expected of all candidates were each shown, and were it not, of ``sold`` (I,) units that fall
        to visitors by what they like (V, I)."""
        lifted = self.lifted(likes, times)
        own, now = (np.take_along_axis(x, self.item, 1) for x in (likes, lifted))
        others = lifted.sum(0)[self.item] - now
        shown, not_shown = (sold[self.item] * x / (others + x) for x in (times * own, own))
        return float(shown.sum()), float(not_shown.sum())
