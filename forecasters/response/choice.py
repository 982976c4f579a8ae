"""How customers divide themselves over items when prices move: shares of a budget, not sums of effects.

What an item's own price and promotion do to it by themselves is a utility, u_i. Customers are of two
segments, k, one of which minds prices more, by m_k; of item i's usual units the part a_ki is theirs. Within
a category c, a segment and a location, with w_k the usual shares of its units there, and W_k those of its
categories,

    V_kc = log Σ_{j in c} w_kj·exp(m_k·u_j),    V_k = log Σ_c W_kc·exp((1 − θ_c)·V_kc)
    log demand_i changes by log Σ_k a_ki·exp(m_k·u_i − θ_c·V_kc − log(1 + B·(exp(V_k) − 1)))

θ_c is the part of an item's new customers that the others of its category lose, the *diversion*: at 0 every
item is on its own, at 1 the category's total never moves. B is the share of all customers who buy anything
at usual prices: at 0 categories are on their own, at 1 the shop's total never moves. With both below one,
and utilities that fall with prices, raising every price of a category never raises its units, nor raising
all prices the shop's. It is a mixed nested logit with 1 − θ_c the dissimilarity of a category's items
(McFadden 1978; McFadden and Train 2000, doi:10.1002/1099-1255(200009/10)15:5<447::AID-JAE570>3.0.CO;2-1),
written around what is identified best: utilities are scaled so that at reference prices own elasticities are
the ones that were estimated.

Beside it stands the form of constant cross elasticities: θ = 0, segments alike, and a number for each pair
of items. Which of the two the data carry, and how surely, is in ``odds``.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from ..tensors import Cut

MOST = 0.95  # diversion is kept below this: some customers always come, or go, with the prices
SEGMENTS = 2
_FREE = 0.1  # least part of an item's own effect that the sum of its rivals' cannot undo
_HIGH = 40.0  # utilities beyond do no more to the others: nobody is left
AXES = {"kin": "I", "part": "_I", "share": "_SI", "of_shop": "_S", "pairs": "_II"}
BY_FORM = ("diversion", "diversion_error", "away", "minding", "pairs", "odds")


@dataclass(frozen=True)
class Way:
    """How the customers of each market choose; by the likeliest form with its mean diversion where None."""

    form: Tensor | None = None  # (…,) int64
    diversion: Tensor | None = None  # (…, G)
    scale: Tensor | None = None  # (…, S, I) utility that moves log demand at reference prices by one


@dataclass(frozen=True)
class Choice:
    """F forms of substitution within G categories, the likeliest first, of K segments."""

    kin: Tensor  # (I, G) 1 where the item is of the category, else 0
    part: Tensor  # (K, I) a, of an item's usual units those of each segment, sum 1
    share: Tensor  # (K, S, I) w, usual share of the segment's units of the category
    of_shop: Tensor  # (K, S, G) W, usual share of the segment's units of the shop
    diversion: Tensor  # (F, G) θ, 0 … MOST
    diversion_error: Tensor  # (F, G) its standard error
    away: Tensor  # (F,) B, 0 … MOST
    minding: Tensor  # (F, K) m, how much each segment minds prices
    pairs: Tensor  # (F, I, I) ∂ utility(row) / ∂ log price(column) over minus the row's own elasticity
    odds: Tensor  # (F,) weight of the evidence for each form, sum 1

    @staticmethod
    def of(
        categories: Tensor, units: Tensor, part: Tensor, diversion: Tensor, away: Tensor, minding: Tensor
    ) -> Choice:
        """One form, without deviations of single pairs.

        Args:
            categories: (I,) int64.
            units: (S, I) usual units, > 0.
            part: (K, I), sum 1.
            diversion: (G,)
            away: ()
            minding: (K,)
        """
        goods, groups = len(categories), len(diversion)
        kin = torch.nn.functional.one_hot(categories, groups).to(units)
        of_segment = units * part.unsqueeze(1)  # (K, S, I)
        of_group = of_segment @ kin
        return Choice(
            kin,
            part,
            of_segment / (of_group @ kin.T),
            of_group / of_group.sum(-1, keepdim=True),
            diversion.unsqueeze(0),
            torch.zeros_like(diversion).unsqueeze(0),
            away.unsqueeze(0),
            minding.unsqueeze(0),
            units.new_zeros(1, goods, goods),
            units.new_ones(1),
        )

    @staticmethod
    def alone(categories: Tensor, places: int) -> Choice:
        """Items in categories (I,) int64 that take nothing from each other."""
        one = torch.ones(places, len(categories))
        part = one.new_full((SEGMENTS, len(categories)), 1 / SEGMENTS)
        none = one.new_zeros(int(categories.max()) + 1)
        return Choice.of(categories, one, part, none, one.new_zeros(()), one.new_ones(SEGMENTS))

    @property
    def several(self) -> Tensor:
        """(G,) bool: the categories of more than one item."""
        return self.kin.sum(0) > 1

    @property
    def names(self) -> list[str]:
        """What each form is called."""
        shared = (self.diversion > 0).any(-1).tolist()
        return ["shares" if one else "constant cross elasticities" for one in shared]

    def taken(self, form: int) -> Choice:
        """The same, certain of one form."""
        cut = {name: getattr(self, name)[form : form + 1] for name in BY_FORM}
        return replace(self, **cut | {"odds": self.odds.new_ones(1)})

    def certain(self) -> Choice:
        """The same, without doubt about diversion."""
        return replace(self, diversion_error=torch.zeros_like(self.diversion_error))

    def apart(self) -> Choice:
        """No diversion, and segments alike: what rivals take is left to the pairs."""
        none = {
            name: torch.zeros_like(getattr(self, name)) for name in ("diversion", "diversion_error", "away")
        }
        return replace(self, minding=torch.ones_like(self.minding), **none)

    def regular(self) -> Choice:
        """The same, the sum of what rivals do to an item kept below what its own price does."""
        total = self.pairs.sum(-1, keepdim=True)
        return replace(self, pairs=self.pairs * ((1 - _FREE) / total.clamp(min=1e-6)).clamp(max=1.0))

    def log_change(self, utility: Tensor, own: Tensor, shift: Tensor, way: Way = Way()) -> Tensor:
        """(…, S, I) change of log demand.

        Args:
            utility: (…, S, I) what an item's own price and promotion do to it by themselves.
            own: (…, S, I) own elasticities.
            shift: (…, S, I) log price over reference price.
            way: of the markets, whose axes are those before S.
        """
        return self.mixed(self.moved(utility - own * self._rivals(shift, way), way), way)

    def moved(self, utility: Tensor, way: Way = Way()) -> Tensor:
        """(…, K, S, I) utilities by segment, m_k·u, for what moves log demand at reference prices by one."""
        _, _, minding = self._laws(way)
        scale = self._scale(way) if way.scale is None else way.scale
        return minding * (scale * utility).unsqueeze(-3)

    def _scale(self, way: Way) -> Tensor:
        """(…, S, I)."""
        theta, away, minding = self._laws(way)
        left = 1 - self.share * (theta @ self.kin.T + away * (self.of_shop * (1 - theta)) @ self.kin.T)
        return 1 / (self.part.unsqueeze(1) * minding * left).sum(-3)

    def mixed(self, moved: Tensor, way: Way = Way()) -> Tensor:
        """(…, S, I) change of log demand, for utilities (…, K, S, I) by segment."""
        return (self.part.log().unsqueeze(1) + self.by_segment(moved, way)).logsumexp(-3)

    def by_segment(self, moved: Tensor, way: Way = Way()) -> Tensor:
        """(…, K, S, I) change of each segment's log demand."""
        theta, _, _ = self._laws(way)
        within, shop = self.values(moved, way)
        return moved - (theta * within) @ self.kin.T - self.crowded(shop, way)

    def crowded(self, shop: Tensor, way: Way = Way()) -> Tensor:
        """What an attraction V_k of the shop takes from the log demand of each item."""
        _, away, _ = self._laws(way)
        return _log_mean(away * shop.clamp(max=_HIGH).expm1())

    def lost(self, shop: Tensor, way: Way = Way()) -> Tensor:
        """Its derivative: the share of all customers who buy anything."""
        _, away, _ = self._laws(way)
        return away * (shop - self.crowded(shop, way)).exp()

    def values(self, moved: Tensor, way: Way = Way()) -> tuple[Tensor, Tensor]:
        """V_kc (…, K, S, G) and V_k (…, K, S, 1)."""
        theta, _, _ = self._laws(way)
        within = _log_mean((self.share * moved.clamp(max=_HIGH).expm1()) @ self.kin)
        return within, _log_mean((self.of_shop * ((1 - theta) * within).expm1()).sum(-1, keepdim=True))

    def cross(self, own: Tensor) -> Tensor:
        """(I, I) ∂log demand(row) / ∂log price(column) at reference prices, mean of locations, 0 where equal.

        By the likeliest form, for own elasticities ``own`` (S, I).
        """
        theta, away, _ = self._laws(Way())
        unit = self.moved(torch.ones_like(own))  # (K, S, I)
        lost = (theta[..., 0, :] @ self.kin.T).squeeze(0).unsqueeze(-1) * self.kin  # (I, G)
        single = torch.eye(len(self.kin)).to(own) - self.pairs[0]
        total = torch.zeros_like(single)
        for place, elasticity in enumerate(own):
            slope = (unit[:, place] * elasticity).unsqueeze(-1) * single  # (K, I, J)
            within = (self.share[:, place].unsqueeze(-2) * self.kin.T) @ slope  # (K, G, J)
            shop = (self.of_shop[:, place] * (1 - theta[0, 0])).unsqueeze(-2) @ within
            total += (self.part.unsqueeze(-1) * (slope - lost @ within - away[0] * shop)).sum(0)
        return (total / len(own)).fill_diagonal_(0.0)

    def draw(self, form: Tensor, normal: Tensor) -> Way:
        """Ways for uniform numbers ``form`` (B,) and normal ones (B, G)."""
        which = (form.unsqueeze(-1) >= self.odds.cumsum(0)[:-1]).sum(-1)
        drawn = self.diversion[which] + self.diversion_error[which] * normal
        way = Way(which, drawn.clamp(0.0, MOST))
        return replace(way, scale=self._scale(way))

    def doubt(self, utility: Tensor, own: Tensor, shift: Tensor) -> Tensor:
        """(…, S, I) variance of ``log_change`` over what is left open: the form, and its diversion."""
        axes = (len(self.odds), *[1] * (utility.dim() - 2))
        way = Way(
            torch.arange(len(self.odds), device=shift.device).view(axes), self.diversion.view(*axes, -1)
        )
        moved = self.moved(utility - own * self._rivals(shift, way), way)
        within, _ = self.values(moved, way)
        forms, odds = self.mixed(moved, way), self.odds.view(-1, *[1] * utility.dim())
        between = ((forms - (forms * odds).sum(0)).square() * odds).sum(0)
        of_theta = (self.part.unsqueeze(1) * ((self.diversion_error[0] * within[0]) @ self.kin.T)).sum(-3)
        return between + of_theta.square()

    def select(self, cut: Cut) -> Choice:
        """That of a sub-market; what is left out stays at its reference price."""
        return cut.record(self, AXES)

    def with_twins(self, cut: Cut) -> Choice:
        """That of a larger market, some of whose locations and items are like others of it.

        They share the customers of a category, and the effects on and of single rivals.
        """
        grown = self.select(cut)
        share = grown.share / (grown.share @ grown.kin @ grown.kin.T).clamp(min=1e-9)
        often = torch.bincount(cut.goods, minlength=len(self.kin))[cut.goods]
        return replace(grown, share=share, pairs=grown.pairs / often).regular()

    def to(self, device: torch.device | str) -> Choice:
        return Choice(*(getattr(self, f.name).to(device) for f in fields(self)))

    def _laws(self, way: Way) -> tuple[Tensor, Tensor, Tensor]:
        """θ (…, 1, 1, G), B (…, 1, 1, 1) and m (…, K, 1, 1) of the markets."""
        theta = self.diversion[0] if way.diversion is None else way.diversion
        away, minding = (
            value[0] if way.form is None else value[way.form]
            for value in (self.away.unsqueeze(-1), self.minding)
        )
        return (
            theta.unsqueeze(-2).unsqueeze(-2),
            away.unsqueeze(-2).unsqueeze(-2),
            minding.unsqueeze(-1).unsqueeze(-1),
        )

    def _rivals(self, shift: Tensor, way: Way) -> Tensor:
        """(…, S, I) what single rivals do to an item, over minus its own elasticity."""
        if way.form is None:
            return shift @ self.pairs[0].T
        each = (shift @ self.pairs.flatten(0, 1).T).unflatten(-1, (len(self.odds), -1))
        taken = (way.form.unsqueeze(-1) == torch.arange(len(self.odds), device=shift.device)).to(shift)
        return (each * taken.unsqueeze(-1).unsqueeze(-3)).sum(-2)


def _log_mean(more: Tensor) -> Tensor:
    """log(1 + ``more``), which is above −1 but for rounding."""
    return more.clamp(min=-1 + 1e-6).log1p()
