"""Customers who remember how they were treated: who met empty shelves or high prices may stay away.

Demand of a series is that of the process times a multiplier, the customers as this policy has treated them
over the same customers as the log treated them:

    Σ_k e^(δ_k·x)·Σ_c w_c·taste_c·(1 + excess_c)  /  Σ_k e^(δ_k·x)·Σ_c w_c·taste_c

with x = log(p / usual price), over segments k and their particles c. Untouched customers have no excess, and
the multiplier is exactly 1 at every price: own elasticities, calibration and transfer stay the process' own.

A customer who visits leaves with chance h, the logistic function of what ``Leaving`` says of the visit; in
the reference with h⁰, its mean over what visits met in the log. Of a particle's weight relative to the
reference (1 + excess) a period leaves the share 1 − v·(h − h⁰)/(1 − h⁰), v the chance of a visit. That is the
mean over who visits and who leaves, which is all that demand asks for, since it is linear in the weights:
with thousands of customers drawing each of them would add noise and nothing else. Then the excess fades: the
v·h⁰ whom the reference replaces come new, and of those who left some return.

Customers who come to several locations may go to another instead, and buy there (``channels.Switching``).
Whom they told of the shop comes more or less often with them (``contagion.WordOfMouth``). What the shop shows
or sends them in a period multiplies what they buy in it (``CustomerAction``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ...forecasters.customers import CustomerAction, Population
from ...forecasters.errors import InputError
from ...forecasters.simulation import DemandProcess, Outlook, Period
from ...forecasters.tensors import Cut, NoiseKey
from .channels import Switching
from .contagion import WordOfMouth
from .moved_by import Effects, met
from .scaled import Rounding
from .wrapped import Wrapped, roundings

_LEAST = 1e-30  # units that a quotient divides by, where nobody buys


@dataclass(frozen=True)
class CustomerState:
    """What the process knows, and how its customers have been treated."""

    process: Any
    excess: Tensor  # (B, S, K, P) a particle's weight relative to the reference, less 1
    minded: Tensor  # (B, S, K, P) logits of going elsewhere by the last visit; (B, 0) where nobody goes
    gained: Tensor  # (B, S, K, I) units of a period at reference prices more than in the reference
    told: Tensor  # (B, S, K, I) more than that, for what is shown and sent now; (B, 0) where nothing is
    effect: Tensor  # (B, 2) of stock-outs and of prices on leaving, as the episode's customers have them
    switch: Tensor  # (B, 2) the same on going elsewhere; (B, 0) where nobody goes
    follow: Tensor  # (B, 1) by how much who listens follows who tells; (B, 0) where nobody does

    @property
    def now(self) -> Tensor:
        """(B, S, K, I) units more in all, in the coming period."""
        return self.with_told(self.gained)

    def with_told(self, gained: Tensor) -> Tensor:
        """What is ``gained`` (B, S, K, I) with what is shown and sent now."""
        return gained + self.told if self.told.dim() > 2 else gained


class CustomerMarket(Wrapped):
    """``process`` with customers who leave or go elsewhere after what they met, and come back.

    The process remembers its own customers, as ``ScaledDemand`` has it: that they leave is told once, by the
    multiplier. An episode's customers have one draw of the two effects on leaving, and of those on going
    elsewhere, from their covariances; none ever makes a worse treatment attractive.

    Args:
        process: customers who forget; states are its own.
        population: who they are; of the same locations and items.
        reference: (S, I) usual prices.

    Raises:
        InputError: the population is of other locations or items.
    """

    def __init__(self, process: DemandProcess, population: Population, reference: Tensor) -> None:
        super().__init__(process)
        if (population.locations, population.items) != (self.locations, self.items):
            raise InputError(
                f"customers: expected the {len(self.locations)} locations and {len(self.items)} items of the"
                f" market, found {len(population.locations)} and {len(population.items)}, or others"
            )
        self.population, self.reference = population, reference
        self._mass = population.mass
        self._usual = self._mass.sum(2)
        self._visits = self._mass.sum(-1)
        self._share = population.taste / population.basket.unsqueeze(-1)
        self._hazard = population.hazard
        self._kept = (1 - population.visit * self._hazard) * (1 - population.moved_by.back)
        self._lost = population.visit / (1 - self._hazard)
        self._effects = Effects(population.moved_by, "leaving", reference.device)
        channels = population.channels
        self._switching = None if channels is None else Switching(population, channels, reference.device)
        contagion = population.contagion
        self._words = None if contagion is None else WordOfMouth(population, contagion)
        self._rounded = Rounding.of(process, reference.device)

    @property
    def roundings(self) -> int:
        return roundings(self.process) + 1

    def reset(self, start: Tensor, key: NoiseKey) -> CustomerState:
        between, words, zeros = self._switching, self._words, partial(self._hazard.new_zeros, len(start))
        excess = zeros(*self._hazard.shape)
        # tensors of their own, even where they are empty: a compiled step tells shared ones apart
        minded = zeros(0) if between is None else zeros(*self._hazard.shape)
        follow = zeros(0) if words is None else words.drawn(key)
        return CustomerState(
            self.process.reset(start, key),
            excess=excess,
            minded=minded,
            gained=self._bought(excess, minded, follow),
            told=zeros(0),
            effect=self._effects.drawn(key),
            switch=zeros(0) if between is None else between.effects.drawn(key),
            follow=follow,
        )

    def multiplier(self, state: CustomerState, price: Tensor) -> Tensor:
        """(B, S, I) demand at ``price`` (B, S, I) over that of untouched customers; smooth in price."""
        return self._multiplier(state.now, price)

    def _multiplier(self, gained: Tensor, price: Tensor) -> Tensor:
        own = self._own(price)
        return (1 + (own * gained).sum(-2) / (own * self._usual).sum(-2).clamp(min=_LEAST)).clamp(min=0.0)

    def _own(self, price: Tensor) -> Tensor:
        """(B, S, K, I) by how much segments' own elasticities move what they buy at ``price`` (B, S, I)."""
        return (self.population.price * (price / self.reference).log().unsqueeze(-2)).exp()

    def outlook(self, state: CustomerState) -> Outlook:
        outlook = self.process.outlook(state.process)
        usual = self._usual.sum(-2)
        now, was = (
            (self.population.price * x).sum(-2) / x.sum(-2).clamp(min=_LEAST)
            for x in (self._usual + state.now, self._usual)
        )
        scale = (1 + state.now.sum(-2) / usual.clamp(min=_LEAST)).clamp(min=0.0)
        return replace(outlook, mean=outlook.mean * scale, elasticity=outlook.elasticity + now - was)

    def expected(self, state: CustomerState, price: Tensor) -> Tensor:
        return self.process.expected(state.process, price) * self.multiplier(state, price)

    def later(self, state: CustomerState, price: Tensor, periods: int) -> Tensor:
        """Mean demand of the coming periods, in which customers are treated as usual: what they remember
        fades. What they are shown and sent now they are in all of them."""
        if periods == 1:
            return self.expected(state, price)
        gained = state.with_told(self._bought_later(state, periods))
        return self.process.later(state.process, price, periods) * self._multiplier(gained, price)

    def disagreement(self, state: CustomerState, price: Tensor) -> Tensor:
        """The process' own, and that of how much leaving moves: a log multiplier is about as unsure of itself
        as the effect of stock-outs is, relatively."""
        moved = self.multiplier(state, price).clamp(min=_LEAST).log() * self._effects.relative
        own = self.process.disagreement(state.process, price)
        return (own.square() + moved.square()).sqrt()

    def sample(self, state: CustomerState, price: Tensor, key: NoiseKey) -> Tensor:
        own = self.process.sample(state.process, price, key)
        return self._rounded(own, own * self.multiplier(state, price), key)

    def advance(self, state: CustomerState, period: Period, key: NoiseKey) -> CustomerState:
        own = self.process.sample(state.process, period.price, key)
        wanted = period.demand > 0
        served = torch.where(wanted, period.sales / period.demand.clamp(min=_LEAST), 1.0)
        usual = self.population.usual_stock_out
        unserved = torch.where(wanted, 1 - served, usual)  # where nobody came nobody was turned away
        excess, minded = self._treated(state, unserved - usual, (period.price / self.reference).log())
        return replace(
            state,
            process=self.process.advance(state.process, replace(period, demand=own, sales=own * served), key),
            excess=excess,
            minded=minded,
            gained=self._bought(excess, minded, state.follow),
            told=state.told.new_zeros(len(state.told), 0),
        )

    def addressed(
        self, state: CustomerState, action: CustomerAction, price: Tensor
    ) -> tuple[CustomerState, Tensor]:
        """The state in which ``action`` is done to customers in the coming period, in place of any other, and
        the share (B, S, I) of revenue at ``price`` that it gives back."""
        action = action.reaching(self.population.known)
        now = self._bought(state.excess, state.minded, state.follow, action)
        bought = self._own(price) * (self._usual + now)
        given = (bought * action.given).sum(-2) / bought.sum(-2).clamp(min=_LEAST)
        return replace(state, told=now - state.gained), given

    def _treated(self, state: CustomerState, stock_out: Tensor, dear: Tensor) -> tuple[Tensor, Tensor]:
        """Excess, and what is minded, after a period with stock-outs and log prices (B, S, I) beyond the
        usual."""
        leaving = self.population.leaving + met(state.effect, self._share, stock_out, dear)
        lost, minded = self._lost * (leaving.sigmoid() - self._hazard), state.minded
        if self._switching is not None:
            lost = lost * self._switching.stay(minded)
            minded = self._switching.after(minded, met(state.switch, self._share, stock_out, dear))
        return (state.excess - lost * (1 + state.excess)) * self._kept, minded

    def _bought(
        self, excess: Tensor, minded: Tensor, follow: Tensor, action: CustomerAction | None = None
    ) -> Tensor:
        """(B, S, K, I) what an excess (B, S, K, P) buys, and what is bought for an action; who is elsewhere
        buys there."""
        if action is None:
            return self._gained(*self._come(excess, minded, follow), self._mass)
        mass = self._mass * action.shown
        lift = torch.einsum("skpi,bski->bskp", mass, action.sent.expand(*excess.shape[:3], mass.shape[-1]))
        lift = torch.where(self._visits > 0, lift / self._visits.clamp(min=_LEAST), 1.0)
        gained = self._gained(*self._come(excess, minded, follow, lift), mass)
        gained = gained + (mass - self._mass).sum(2)
        return (gained * action.sent + self._usual * (action.sent - 1)).contiguous()

    def _bought_later(self, state: CustomerState, periods: int) -> Tensor:
        """The same, in the mean of the coming periods."""
        excess, minded = state.excess, state.minded
        if self._switching is None and self._words is None:
            kept = sum(self._kept**period for period in range(1, periods)) + 1.0
            return self._gained(excess * (kept / periods), None, self._mass)
        come, away = torch.zeros_like(excess), None
        for _ in range(periods):
            more, gone = self._come(excess, minded, state.follow)
            come = come + more / periods
            if self._switching is not None and gone is not None:
                away = gone / periods if away is None else away + gone / periods
                minded = self._switching.after(minded, 0.0)
            excess = excess * self._kept
        return self._gained(come, away, self._mass)

    def _come(
        self, excess: Tensor, minded: Tensor, follow: Tensor, lift: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """(B, S, K, P) excess of those who would come, with what they hear, and of them those elsewhere;
        whoever tells buys ``lift`` (B, S, K, P) times as much as an excess says."""
        more = excess if self._words is None else self._words.heard(excess, follow, lift)
        return more, None if self._switching is None else (1 + more) * (1 - self._switching.stay(minded))

    def _gained(self, excess: Tensor, away: Tensor | None, mass: Tensor) -> Tensor:
        """(B, S, K, I) what an excess buys of whom ``away`` (B, S, K, P) are elsewhere, where particles buy
        ``mass`` (S, K, P, I)."""
        gained = torch.einsum("skpi,bskp->bski", mass, excess)
        if self._switching is not None and away is not None:
            moved = torch.einsum("skpi,bskp->bski", mass, away)
            gained = gained - moved + self._switching.come(moved)
        return gained.contiguous()

    def staying(self, state: CustomerState) -> dict[str, Tensor]:
        """(B,) by segment: customers who are there, to those who would be had all been as usual."""
        weight = self.population.weight
        there = (weight * (1 + state.excess)).sum((1, 3)) / weight.sum((0, 2)).clamp(min=_LEAST)
        return dict(zip(self.population.segments, there.unbind(-1), strict=True))

    def shifted(self, state: CustomerState, periods: int) -> CustomerState:
        """The state so many periods later in the calendar, its customers as they are."""
        return replace(state, process=super().shifted(state.process, periods))

    def select(
        self, locations: Sequence[str] | None = None, items: Sequence[str] | None = None
    ) -> CustomerMarket:
        cut = Cut.of(self.locations, self.items, locations, items, self.reference.device)
        return CustomerMarket(
            self.process.select(locations, items),
            self.population.select(cut),
            cut.tensor(self.reference, "SI"),
        )

    def to(self, device: torch.device | str) -> CustomerMarket:
        return CustomerMarket(self.process.to(device), self.population.to(device), self.reference.to(device))

    def around(self, process: DemandProcess) -> CustomerMarket:
        """The same customers of another process of the same locations and items."""
        return CustomerMarket(process, self.population, self.reference)


def customers_of(process: DemandProcess) -> CustomerMarket | None:
    """Those of its customers to whom something can be done; None where they are not known."""
    inner: Any = process
    while inner is not None and not isinstance(inner, CustomerMarket):
        within = (getattr(inner, name, None) for name in ("process", "first", "nature"))
        inner = next((each for each in within if each is not None), None)
    return inner
