"""What moves customers to leave, from who stopped coming.

Nobody sees a customer leave; he only does not come again. In each period a customer who is still there comes
with a chance v of his own, v ~ Beta(a, b), and at visit j he leaves for good with chance

    p_j = logistic(θ + stock_out·missing_j + dear·log price_j)

of what the visit met: shares of his habitual basket that were not there, and its price to the usual; and,
beyond what that explains, of what he brought back or wrote then (``voice``). A customer who came first in
period 0, then x times, last in period t, and was watched to period n, has

    L = Π_{j<x}(1 − p_j) · [ (1 − p_x)·B(a + x, b + n − x) + p_x·B(a + x, b + t − x) ] / B(a, b)

This is BG/NBD (Fader, Hardie and Lee 2005, "Counting your customers the easy way") in periods, as BG/BB has
it (Fader, Hardie and Shang 2010), with the chance to leave moved by what a visit met, and possible at the
first visit, too. Effects have stated priors, which decide where the events tell nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from .histories import Histories
from .laplace import laplace
from .population import Leaving
from .tastes import Tastes
from .voice import ACTS, Voice

EFFECTS = ("stock_out", "dear")
PRIOR = ((1.0, 2.0), (0.5, 2.0))
"""Mean and standard deviation of each effect before any event is seen: a basket that is not there makes
leaving e times as likely, more or less; so does one at e² times its price."""
VOICE = ((0.0, 1.0),) * len(ACTS)
"""The same of what a customer does then."""
BACK_A_YEAR = 0.4
"""Share of those who left that return within a year: assumed, since no event tells a return from a pause."""
_REST = ((0.0, 2.0), (1.0, 2.0), (-3.0, 2.0))
"""The same of log a, log b and θ: without them a log of customers who come once would leave all open."""
_TOLD = 0.5  # of a prior's standard deviation: an effect whose own is larger counts as assumed
_LEAST = 50  # customers


@dataclass(frozen=True)
class Met:
    """What visits met, by the habits of who came; arrays (V,) in the order of the visits."""

    missing: np.ndarray  # share of the habitual basket that was not there
    dear: np.ndarray  # log of its price to the usual one of that year

    @property
    def both(self) -> np.ndarray:
        """(V, 2)"""
        return np.stack([self.missing, self.dear], axis=1)

    @staticmethod
    def of(seen: Histories, tastes: Tastes) -> Met:
        """Of ``seen``'s visits."""
        return Met.at(tastes, seen.visitor, seen.period, seen.place)

    @staticmethod
    def at(tastes: Tastes, visitor: np.ndarray, period: np.ndarray, place: np.ndarray) -> Met:
        """Of visits (V,), sorted by customer."""
        seen, missing, dear = tastes.seen, np.zeros(len(visitor)), np.zeros(len(visitor))
        for rows, taken in tastes.blocks(visitor):
            share = taken / np.maximum(taken.sum(1, keepdims=True), 1e-12)
            when = period[rows], place[rows]
            missing[rows] = (share * seen.missing[when]).sum(1)
            dear[rows] = (share * seen.dear[when]).sum(1)
        return Met(missing, dear)


@dataclass(frozen=True)
class LeavingFit:
    """What was found, and what follows of each customer; arrays (N,)."""

    own: float  # θ, logit of the chance to leave at a visit that finds everything at the usual price
    visit: tuple[float, float]  # a, b of the chance of a visit in a period
    moved_by: Leaving
    voice: np.ndarray  # (A,) what each of ACTS adds to the logit, beyond what a visit met
    errors: dict[str, float]  # standard errors of own, of EFFECTS and of ACTS
    alive: np.ndarray  # chance that the customer is still there after the last period
    visits: np.ndarray  # chance of a visit in a period while there, posterior mean
    customers: int
    leavers: float  # expected number who left while watched

    def told(self) -> dict[str, Any]:
        """The numbers of it, in JSON's types."""
        moved_by = self.moved_by
        return {
            "own": self.own,
            "visit": list(self.visit),
            **{name: getattr(moved_by, name) for name in (*EFFECTS, "back")},
            "voice": {
                act: {"effect": effect, "error": self.errors[act]}
                for act, effect, (_, prior) in zip(ACTS, self.voice.tolist(), VOICE, strict=True)
                if self.errors[act] <= _TOLD * prior
            },
            "errors": self.errors,
            "assumed": list(moved_by.assumed),
            "customers": self.customers,
            "leavers": self.leavers,
        }


def fit_leaving(seen: Histories, met: Met, voice: Voice, days: float) -> LeavingFit:
    """Mode of the posterior, with its curvature as the covariance.

    Args:
        seen: at least fifty customers.
        met: what their visits met.
        voice: what they did at them.
        days: of a period.

    Raises:
        InputError: too few customers.
    """
    if len(seen.customers) < _LEAST:
        raise InputError(
            f"events: expected at least {_LEAST} customers to learn what drives them away, found"
            f" {len(seen.customers)}"
        )
    data = _Data.of(seen, met, voice)
    start = [mean for mean, _ in (*_REST, *PRIOR, *VOICE)]
    found, covariance = laplace(data.log_posterior, start, len(data.until))
    errors = covariance.diagonal().sqrt()
    assumed = [name for at, name in enumerate(EFFECTS) if errors[3 + at] > _TOLD * PRIOR[at][1]]
    alive, visits = data.customers(found)
    a, b = found[:2].exp().tolist()
    moved_by = Leaving(
        stock_out=float(found[3]),
        dear=float(found[4]),
        covariance=covariance[3:5, 3:5].float(),
        back=1 - (1 - BACK_A_YEAR) ** (days / 365),
        assumed=(*assumed, "back"),
    )
    return LeavingFit(
        own=float(found[2]),
        visit=(a, b),
        moved_by=moved_by,
        voice=found[5:].numpy(),
        errors=dict(zip(("own", *EFFECTS, *ACTS), errors[2:].tolist(), strict=True)),
        alive=alive,
        visits=visits,
        customers=len(alive),
        leavers=float((1 - alive).sum()),
    )


@dataclass(frozen=True)
class _Data:
    """Customers (N,) and their visits (V,), in double precision."""

    who: Tensor  # (V,) int64
    met: Tensor  # (V, 2 + A) of EFFECTS and ACTS
    last: Tensor  # (N,) int64 each customer's last visit
    repeats: Tensor  # (N,) x
    until: Tensor  # (N,) t, periods from the first visit to the last
    watched: Tensor  # (N,) n, periods from the first visit to the end

    @staticmethod
    def of(seen: Histories, met: Met, voice: Voice) -> _Data:
        ends = np.cumsum(seen.visits) - 1
        first, last = seen.period[ends - seen.visits + 1], seen.period[ends]
        numbers = (seen.visits - 1, last - first, seen.periods - 1 - first)
        effects = np.concatenate([met.both, voice.beyond], axis=1)
        return _Data(
            torch.from_numpy(seen.visitor),
            torch.from_numpy(effects),
            torch.from_numpy(ends),
            *(torch.from_numpy(x).double() for x in numbers),
        )

    def terms(self, parameters: Tensor) -> tuple[Tensor, Tensor]:
        """(N,) log likelihood of having stayed to the end, and of having left at the last visit; up to what
        is common to both."""
        a, b = parameters[:2].exp()
        logit = parameters[2] + self.met @ parameters[3:]
        stays = torch.zeros_like(self.until).index_add(0, self.who, -torch.nn.functional.softplus(logit))
        x, t, n = self.repeats, self.until, self.watched
        there = _log_beta(a + x, b + n - x)
        left = _log_beta(a + x, b + t - x) + logit[self.last]
        return stays + there - _log_beta(a, b), stays + left - _log_beta(a, b)

    def log_posterior(self, parameters: Tensor) -> Tensor:
        mean, spread = torch.tensor((*_REST, *PRIOR, *VOICE), dtype=torch.float64).T
        prior = -0.5 * ((parameters - mean) / spread).square().sum()
        return torch.logaddexp(*self.terms(parameters)).sum() + prior

    def customers(self, parameters: Tensor) -> tuple[np.ndarray, np.ndarray]:
        """(N,) chance to be still there, and posterior mean of the chance of a visit."""
        with torch.no_grad():
            a, b = parameters[:2].exp()
            stayed, left = self.terms(parameters)
            alive = (stayed - left).sigmoid()
            up = a + self.repeats
            visit = alive * up / (a + b + self.watched) + (1 - alive) * up / (a + b + self.until)
        return alive.numpy(), visit.numpy()


def _log_beta(a: Tensor, b: Tensor) -> Tensor:
    return torch.lgamma(a) + torch.lgamma(b) - torch.lgamma(a + b)
