"""Log-linear demand with shocks: elasticities that change with the season at most, never with the price.

For location s, item i and week t, with p̄ the reference price:

    log μ = level + season_i(t) + chain_t + location_{s,t} + series_{s,i,t} + lift_i·promo
            + own_{s,i}·(1 + swing_i(t))·log(p_{s,i}/p̄_{s,i}) + Σ_j cross_{s,i,j}·log(p_{s,j}/p̄_{s,j})

    demand ~ negative binomial with mean μ and variance μ + φ_i·μ²

Season and swing are waves of the year, known ahead; swing is 0 in most markets. The three shocks are AR(1). A
state holds those of the coming week, so that what the process expects is exact given the shocks; only counts are
left to chance. Nobody plans promotions in play: promo is 0 there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from ...forecasters.demand import Outlook, Period
from ...forecasters.distributions import nb_sample
from ...forecasters.noise import NoiseKey, series_ids, stable_id
from .records import move
from .shop import Shop, positions

WEEKS_A_YEAR = 365.25 / 7
_SERIES, _LOCATION, _CHAIN = 2, 3, 4  # streams of noise


@dataclass(frozen=True)
class Ar1:
    """x' = ρ·x + σ·√(1 − ρ²)·e with standard normal e: stationary with standard deviation σ."""

    persistence: float  # ρ, a week
    spread: float  # σ, of log demand

    def step(self, value: Tensor, normal: Tensor) -> Tensor:
        return self.persistence * value + self.spread * (1 - self.persistence**2) ** 0.5 * normal


@dataclass(frozen=True)
class LogLinear:
    """Parameters of the market, by location (S) and item (I)."""

    level: Tensor  # (S, I) log mean units a week at reference price, without season, shock or promotion
    own: Tensor  # (S, I) own elasticity, < 0, mean of the year
    cross: Tensor  # (S, I, I) ∂log demand(second axis) / ∂log price(third axis), 0 on the diagonal
    season: Tensor  # (I, 4) weights of sin and cos of the year, then of its half
    swing: Tensor  # (I, 4) weights of the same waves in own elasticity, as a share of its mean
    lift: Tensor  # (I,) what a promotion adds to log demand beside its price
    dispersion: Tensor  # (I,) φ: variance of demand is μ + φ·μ²
    series_shock: Ar1
    location_shock: Ar1
    chain_shock: Ar1

    def select(self, places: Tensor, goods: Tensor) -> LogLinear:
        return replace(
            self,
            level=self.level[places][:, goods],
            own=self.own[places][:, goods],
            cross=self.cross[places][:, goods][:, :, goods],
            season=self.season[goods],
            swing=self.swing[goods],
            lift=self.lift[goods],
            dispersion=self.dispersion[goods],
        )


@dataclass(frozen=True)
class LogLinearState:
    """What customers are like in the coming week."""

    week: Tensor  # (B,) int64 calendar index
    series: Tensor  # (B, S, I) shock of the series
    location: Tensor  # (B, S) shock of the location
    chain: Tensor  # (B,) shock of the whole chain


@dataclass(frozen=True)
class LogLinearDemand:
    """The market's customers: a ``DemandProcess`` of known truth.

    ``realised`` holds the states of weeks 0 … periods (B = periods + 1 rows) that the history went through,
    so that ``reset`` goes on from what really was; fresh shocks follow from there.
    """

    shop: Shop
    parameters: LogLinear
    realised: LogLinearState

    @property
    def locations(self) -> tuple[str, ...]:
        return self.shop.locations

    @property
    def items(self) -> tuple[str, ...]:
        return self.shop.items

    @property
    def periods(self) -> int:
        return len(self.realised.week) - 1

    @cached_property
    def _series(self) -> Tensor:
        """(S, I) ids by name."""
        return series_ids(self.locations, self.items).to(self.parameters.level.device)

    @cached_property
    def _places(self) -> Tensor:
        """(S,) ids by name."""
        return torch.tensor([stable_id(name) for name in self.locations], device=self.parameters.level.device)

    @cached_property
    def _chain(self) -> Tensor:
        return torch.tensor(stable_id("chain"), device=self.parameters.level.device)

    def reset(self, start: Tensor, key: NoiseKey) -> LogLinearState:
        return self.rows(start)

    def rows(self, weeks: Tensor) -> LogLinearState:
        """The realised states of ``weeks`` (B,)."""
        r = self.realised
        return LogLinearState(r.week[weeks], r.series[weeks], r.location[weeks], r.chain[weeks])

    def calm(self, state: LogLinearState) -> LogLinearState:
        """The same week without any shock."""
        return replace(
            state,
            series=torch.zeros_like(state.series),
            location=torch.zeros_like(state.location),
            chain=torch.zeros_like(state.chain),
        )

    def log_mean(self, state: LogLinearState, price: Tensor, promo: Tensor | float = 0.0) -> Tensor:
        """Log mean demand (B, S, I) at ``price`` (B, S, I) with ``promo`` 0 … 1."""
        p = self.parameters
        shift = (price / self.shop.reference_price).log()
        season = waves(state.week) @ p.season.T
        shock = state.series + state.location.unsqueeze(-1) + state.chain.view(-1, 1, 1)
        cross = torch.einsum("sij,bsj->bsi", p.cross, shift)
        return p.level + season.unsqueeze(1) + shock + p.lift * promo + self._own_of(state) * shift + cross

    def _own_of(self, state: LogLinearState) -> Tensor:
        """(B, S, I) own elasticities of the week."""
        p = self.parameters
        return p.own * (1 + waves(state.week) @ p.swing.T).unsqueeze(1)

    def outlook(self, state: LogLinearState) -> Outlook:
        p = self.parameters
        mean = self.expected(state, self.shop.reference_price.expand_as(state.series))
        return Outlook(mean, (1 / mean + p.dispersion).sqrt(), self._own_of(state))

    def expected(self, state: LogLinearState, price: Tensor) -> Tensor:
        return self.log_mean(state, price).exp()

    def disagreement(self, state: LogLinearState, price: Tensor) -> Tensor:
        return torch.zeros_like(price)

    def sample(self, state: LogLinearState, price: Tensor, key: NoiseKey) -> Tensor:
        return self.draw(self.log_mean(state, price), key)

    def draw(self, log_mean: Tensor, key: NoiseKey) -> Tensor:
        """Counts (B, S, I) around ``log_mean`` (B, S, I), non-decreasing in it."""
        gamma, poisson = key.uniform(self._series, 0), key.uniform(self._series, 1)
        return nb_sample(gamma, poisson, log_mean, -self.parameters.dispersion.log())

    def advance(
        self, state: LogLinearState, period: Period, key: NoiseKey, promo: Tensor | float = 0.0
    ) -> LogLinearState:
        p = self.parameters
        return LogLinearState(
            week=state.week + 1,
            series=p.series_shock.step(state.series, key.normal(self._series, _SERIES)),
            location=p.location_shock.step(state.location, key.normal(self._places, _LOCATION)),
            chain=p.chain_shock.step(state.chain, key.normal(self._chain, _CHAIN)),
        )

    def to(self, device: torch.device | str) -> LogLinearDemand:
        return move(self, device)

    def level(self) -> Tensor:
        """(S, I) log mean demand at reference price in an ordinary week, without promotion."""
        return self.parameters.level

    def own(self) -> Tensor:
        """(S, I) own elasticities, mean of the year."""
        return self.parameters.own

    def cross(self) -> Tensor:
        """(S, I, I) ∂log demand(second axis) / ∂log price(third axis) at reference prices."""
        return self.parameters.cross

    def dispersion(self) -> Tensor:
        """(I,) φ: variance of demand is μ + φ·μ²."""
        return self.parameters.dispersion

    def select(
        self, locations: Sequence[str] | None = None, items: Sequence[str] | None = None
    ) -> LogLinearDemand:
        """The sub-market, with the same customers; items left out stay at their reference prices."""
        places, goods = positions(self.locations, locations), positions(self.items, items)
        r = self.realised
        realised = replace(r, series=r.series[:, places][:, :, goods], location=r.location[:, places])
        return LogLinearDemand(
            self.shop.select(places, goods), self.parameters.select(places, goods), realised
        )


def open_market(shop: Shop, parameters: LogLinear, key: NoiseKey) -> LogLinearDemand:
    """A market without history: ``realised`` is one row, the stationary shocks that ``key`` draws."""
    nothing = LogLinearState(
        week=torch.zeros(1, dtype=torch.int64),
        series=torch.zeros(1, *parameters.level.shape),
        location=torch.zeros(1, len(shop.locations)),
        chain=torch.zeros(1),
    )
    blank = LogLinearDemand(shop, parameters, nothing)
    first = LogLinearState(
        week=nothing.week,
        series=parameters.series_shock.spread * key.normal(blank._series, _SERIES),
        location=parameters.location_shock.spread * key.normal(blank._places, _LOCATION),
        chain=parameters.chain_shock.spread * key.normal(blank._chain, _CHAIN),
    )
    return replace(blank, realised=first)


def waves(week: Tensor) -> Tensor:
    """(B, 4) sin and cos of the year and of its half at calendar index ``week`` (B,)."""
    angle = 2 * torch.pi / WEEKS_A_YEAR * week
    return torch.stack([angle.sin(), angle.cos(), (2 * angle).sin(), (2 * angle).cos()], dim=-1)
