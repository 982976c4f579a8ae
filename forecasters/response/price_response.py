"""The structural price response: what prices and promotions do to log demand, apart from everything else."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Literal

import torch
from torch import Tensor

from ..tensors import Cut
from .choice import Choice, Way

WEAKEST = -0.05  # own elasticity is kept below this: demand never rises with price
CARRYOVER = (0.5, 0.85)  # weight of the past in the recent and in the lasting carryover of effects, a period
_NINETY = 1.645
_NEVER = -30.0  # log odds of a promotion


@dataclass(frozen=True)
class Context:
    """What the answer to a price depends on beside the prices of the period; None where it is not known."""

    harmonic: Tensor | None = None  # (…, S, I, 2) sine and cosine of the time of year
    carryover: Tensor | None = None  # (…, S, I, 2) recent and lasting carryover of own effects
    own: Tensor | None = None  # (…, S, I) own elasticities that take the place of the mean ones
    listed: Tensor | None = None  # (…, S, I) bool what is sold where; all where None
    way: Way = Way()  # how customers divide themselves over items

    def until(self, end: int) -> Context:
        """That of the first ``end`` periods, the first axis."""
        harmonic, carryover, own, listed = (
            None if x is None else x[:end] for x in (self.harmonic, self.carryover, self.own, self.listed)
        )
        return Context(harmonic, carryover, own, listed, self.way)


NOWHERE = Context()
AXES = {
    **dict.fromkeys(("pivot", "own", "own_lo", "own_hi"), "SI"),
    **dict.fromkeys(("own_error", "curve", "chain"), "I"),
    **dict.fromkeys(("joint", "promo", "promo_level", "promo_slope"), "IK"),
    **dict.fromkeys(("sway", "carryover"), "IM"),
}


@dataclass(frozen=True)
class PriceResponse:
    """log demand = base + divided(own effect + chain) + carryover; shift = log p − log reference price.

    - own effect: ε·(exp(c·shift) − 1)/c + promotion, with ε swinging by the season;
    - chain and joint: more of the locations' mean shift and mean promotion;
    - divided: what an item wins, others lose (``choice``);
    - carryover: of the extra that was bought recently (stockpiling, in units), and of
      past own effects in the long run (a reference price).

    Promotions are decision-linked: an agent's own price carries the promotion that such a discount carried in
    the past, with probability σ(a + b·shift), b ≤ 0.
    """

    pivot: Tensor  # (S, I) log reference price
    own: Tensor  # (S, I) own elasticity ε at the reference price, < 0
    own_lo: Tensor  # (S, I) lower end of the 90% interval (strongest response)
    own_hi: Tensor  # (S, I) upper end (weakest response)
    own_error: Tensor  # (I,) the part of an own elasticity's standard error that locations have in common
    choice: Choice  # how customers divide themselves over the items
    curve: Tensor  # (I,) c: how the elasticity moves with the price
    chain: Tensor  # (I,) more of a price that moves at all locations at once
    joint: Tensor  # (I, K) more of a promotion that runs at all locations at once
    sway: Tensor  # (I, 2) share by which ε grows with sine and cosine of the year
    carryover: Tensor  # (I, 2) effect of the two carryovers
    promo: Tensor  # (I, K) lift of log demand by a full promotion
    promo_level: Tensor  # (I, K) a
    promo_slope: Tensor  # (I, K) b

    def at(self, which: Literal["lo", "mean", "hi"]) -> PriceResponse:
        """The same response, certain that every own elasticity lies at one end of its interval.

        And of the likeliest form of substitution.
        """
        own = {"lo": self.own_lo, "mean": self.own, "hi": self.own_hi}[which]
        sure = torch.zeros_like(self.own_error)
        return replace(
            self, own=own, own_lo=own, own_hi=own, own_error=sure, choice=self.choice.taken(0).certain()
        )

    def plausible(self) -> dict[str, PriceResponse]:
        """Other responses that the data leave possible, by what is other, each certain of itself.

        Own elasticities at the ends of their 90% intervals, and each form of substitution that was found less
        likely.
        """
        others = {"own elasticity at the weak end": self.at("hi")}
        others["own elasticity at the strong end"] = self.at("lo")
        for form, name in list(enumerate(self.choice.names))[1:]:
            others[f"substitution by {name}"] = replace(self, choice=self.choice.taken(form)).at("mean")
        return others

    def without_promotions(self) -> PriceResponse:
        """The same response where no promotion follows a discount: nobody plans any."""
        never = torch.full_like(self.promo_level, _NEVER)
        return replace(self, promo_level=never, promo_slope=torch.zeros_like(never))

    def effect(self, log_price: Tensor, promo: Tensor | None = None, context: Context = NOWHERE) -> Tensor:
        """Effect on log demand (…, S, I) of log prices (…, S, I).

        ``promo`` (…, S, I, K) where it is known, as in the history. None is an agent's own price: promotions
        follow the discount, and what a price does when it moves everywhere is felt where it was decided,
        since one policy moves all locations and none should ride on the others.
        """
        return self.effects(log_price, promo, context)[0]

    def effects(
        self, log_price: Tensor, promo: Tensor | None = None, context: Context = NOWHERE
    ) -> tuple[Tensor, Tensor]:
        """``effect``, and the part of it that an item's own price and promotion have by themselves."""
        alone = self.own_effect(log_price, promo, context)
        utility, own, shift = self._utility(alone, log_price, promo, context)
        total = self.choice.log_change(utility, own, shift, context.way)
        if context.carryover is not None:
            total = total + (context.carryover * self.carryover).sum(-1)
        return total, alone

    def doubt(self, log_price: Tensor, context: Context = NOWHERE) -> Tensor:
        """(…, S, I) variance of ``effect`` at an agent's own prices over what the data leave open."""
        alone = self.own_effect(log_price, None, context)
        utility, own, shift = self._utility(alone, log_price, None, context)
        common, single = self.spread()
        of_own = (common.square() + single.square()) * self.bent(log_price - self.pivot).square()
        return of_own + self.choice.doubt(utility, own, shift)

    def _utility(
        self, alone: Tensor, log_price: Tensor, promo: Tensor | None, context: Context
    ) -> tuple[Tensor, Tensor, Tensor]:
        """(…, S, I) what prices and promotions do by themselves, own elasticities, and shifts."""
        shift = _there(log_price - self.pivot, context.listed)
        whole = shift if promo is None else mean_listed(shift, context.listed, -2)
        utility = alone + self.chain * _there(whole, context.listed)
        if self.promo.shape[-1]:
            listed = None if context.listed is None else context.listed.unsqueeze(-1)
            run = self._chance(shift) if promo is None else mean_listed(promo, listed, -3)
            utility = utility + _there((run * self.joint).sum(-1), context.listed)
        return utility, self.elasticity(context), shift

    def own_effect(
        self, log_price: Tensor, promo: Tensor | None = None, context: Context = NOWHERE
    ) -> Tensor:
        """The part of ``effect`` (…, S, I) that an item's own price and promotion have at once."""
        shift = _there(log_price - self.pivot, context.listed)
        total = self.elasticity(context) * self.bent(shift)
        if self.promo.shape[-1] and promo is None:
            total = total + torch.log1p(self._chance(shift) * self.promo.expm1()).sum(-1)
        elif promo is not None and self.promo.shape[-1]:
            total = total + (promo * self.promo).sum(-1)
        return _there(total, context.listed)

    def _chance(self, shift: Tensor) -> Tensor:
        """(…, S, I, K) probability that a promotion goes with a price."""
        return torch.sigmoid(self.promo_level + self.promo_slope * shift.unsqueeze(-1))

    def bent(self, shift: Tensor) -> Tensor:
        """(exp(c·shift) − 1)/c (…, S, I): the shift that a constant elasticity would answer to."""
        straight = self.curve.abs() < 1e-4
        c = torch.where(straight, 1.0, self.curve)
        return torch.where(straight, shift, torch.expm1(c * shift.clamp(-3, 3)) / c)

    def elasticity(self, context: Context = NOWHERE) -> Tensor:
        """(…, S, I) own elasticity at the reference price in a context, promotions apart."""
        own = self.own if context.own is None else context.own
        if context.harmonic is None:
            return own
        return (own * (1 + (context.harmonic * self.sway).sum(-1).clamp(-0.9, 0.9))).clamp(max=WEAKEST)

    def local_elasticity(self, context: Context = NOWHERE) -> Tensor:
        """(…, S, I) own elasticity at the reference price with the promotion that follows the discount."""
        own = self.elasticity(context)
        if self.promo.shape[-1] == 0:
            return own
        chance = torch.sigmoid(self.promo_level)
        lift = self.promo.expm1()
        slope = lift * chance * (1 - chance) * self.promo_slope / (1 + chance * lift)
        return own + slope.sum(-1)

    def carry_over(self, carryover: Tensor, own_effect: Tensor) -> Tensor:
        """The memories (…, S, I, 2) after a period of ``own_effect`` (…, S, I)."""
        news = zip(CARRYOVER, carryover.unbind(-1), (extra(own_effect), own_effect), strict=True)
        return torch.stack([rate * past + (1 - rate) * now for rate, past, now in news], dim=-1)

    def spread(self) -> tuple[Tensor, Tensor]:
        """Standard errors of own elasticities: common to an item's locations (I,), and beyond (S, I)."""
        total = (self.own_hi - self.own_lo) / (2 * _NINETY)
        return self.own_error, (total.square() - self.own_error.square()).clamp(min=0).sqrt()

    def select(self, cut: Cut) -> PriceResponse:
        """The response in a sub-market: items left out stay at their reference prices."""
        return replace(cut.record(self, AXES), choice=self.choice.select(cut))

    def to(self, device: torch.device | str) -> PriceResponse:
        return PriceResponse(**{f.name: getattr(self, f.name).to(device) for f in fields(self)})


def _there(x: Tensor, listed: Tensor | None) -> Tensor:
    """``x``, 0 where not listed: an item that is not sold does nothing to any other."""
    return x if listed is None else x * listed.to(x.dtype)


def mean_listed(x: Tensor, listed: Tensor | None, dim: int) -> Tensor:
    """Mean of ``x`` along ``dim``, kept, of what is ``listed`` (bool, broadcast to ``x``); all where None."""
    if listed is None:
        return x.mean(dim, keepdim=True)
    there = listed.to(x.dtype).expand_as(x)
    return (x * there).sum(dim, keepdim=True) / there.sum(dim, keepdim=True).clamp(min=1)


def extra(own_effect: Tensor) -> Tensor:
    """What is bought beyond the usual, in periods of usual demand; below zero, what is used up."""
    return torch.expm1(own_effect.clamp(max=3))


def carried_over(news: Tensor, rate: float) -> Tensor:
    """(T, …) exponentially weighted mean of the news of earlier periods, 0 before the first."""
    total, out = torch.zeros_like(news[0]), []
    for now in news:
        out.append(total)
        total = rate * total + (1 - rate) * now
    return torch.stack(out)
