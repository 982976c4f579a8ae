"""What moves customers to another location, such as from a shop to its web site, from where they went next.

After a visit of customer c at location s the next one is elsewhere with a chance whose logit is

    a + logit(usual share at s) ± α_c + stock_out·(missing here − missing elsewhere)
                                      + dear·(log price here − log price elsewhere)

of what the customer's basket last met at either; α_c ~ Normal(0, τ²), + at one of his locations and − at the
others, is which he likes. It is integrated out (Gauss–Hermite) over all of his visits, not taken from some of
them: prices and shelves last, so those were moved by the same. Logistic choice with random tastes: Train
2009, "Discrete choice methods with simulation", ch. 6.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.polynomial.hermite_e import hermegauss
from scipy.special import logit
from torch import Tensor

from .histories import Histories
from .laplace import laplace
from .leaving import EFFECTS, Met
from .population import Switching
from .tastes import Tastes

PRIOR = ((1.0, 1.0), (1.0, 1.0))
"""Mean and standard deviation of each effect before any event is seen: after a basket that is not there going
elsewhere is e times as likely, more or less; so it is after one at e times its price."""
_REST = ((0.0, 2.0), (0.0, 1.0))  # the same of a and log τ
_NODES = 20
_TOLD = 0.5  # of a prior's standard deviation: an effect whose own is larger counts as assumed
_VISITS = 5.0  # by which a customer's share is drawn to that of all who come to the location


@dataclass(frozen=True)
class Visited:
    """Q pairs of a customer and a location that he came to, sorted by customer."""

    customer: np.ndarray  # (Q,) int64
    place: np.ndarray  # (Q,) int64
    share: np.ndarray  # (Q,) of the customer's visits; sums to 1 over his locations
    elsewhere: np.ndarray  # (Q,) share that other locations have, drawn to what is usual there; 0 … 1
    usual: np.ndarray  # (S,) share of the next visits that are elsewhere, of all who come to a location
    towards: np.ndarray  # (S, S) of those the second's share; 0 where none are

    @staticmethod
    def of(seen: Histories) -> Visited:
        customer, _, place = seen.trips.T
        places = seen.missing.shape[1]
        pairs, count = np.unique(customer * places + place, return_counts=True)
        who, where = pairs // places, pairs % places
        visits = np.bincount(who, count)[who]
        here = np.bincount(where, count * (visits - 1.0), places)
        usual = np.bincount(where, count * (visits - count), places) / np.maximum(here, 1)
        elsewhere = (visits - count + _VISITS * usual[where]) / (visits + _VISITS)
        return Visited(who, where, count / visits, elsewhere, usual, _towards(who, where, count, places))


def _towards(who: np.ndarray, where: np.ndarray, count: np.ndarray, places: int) -> np.ndarray:
    """(S, S) whose other visits are where, each customer by his visits here."""
    moved = np.zeros((places, places))
    ends = np.cumsum(np.bincount(who))
    for begin, end in zip(np.append(0, ends[:-1]), ends, strict=True):
        if end - begin > 1:
            at, visits = where[begin:end], count[begin:end].astype(float)
            moved[np.ix_(at, at)] += np.outer(visits, visits) / visits.sum()
    np.fill_diagonal(moved, 0.0)
    return np.divide(moved, moved.sum(1, keepdims=True), out=moved, where=moved.sum(1, keepdims=True) > 0)


@dataclass(frozen=True)
class SwitchingFit:
    """What was found."""

    moved_by: Switching
    errors: dict[str, float]  # standard errors of stock_out and dear
    customers: int  # that came to several locations
    visits: int  # that it was learned from
    elsewhere: float  # share of the next visits

    def told(self) -> dict[str, Any]:
        """The numbers of it, in JSON's types."""
        return {
            **{name: getattr(self.moved_by, name) for name in EFFECTS},
            "errors": self.errors,
            "assumed": list(self.moved_by.assumed),
            "customers": self.customers,
            "visits": self.visits,
            "elsewhere": self.elsewhere,
        }


def fit_switching(seen: Histories, tastes: Tastes, visited: Visited) -> SwitchingFit | None:
    """Mode of the posterior, with its curvature as the covariance; None where nobody comes to several
    locations."""
    if not visited.usual.any():
        return None
    next_visits = _Choices.of(seen, tastes, visited)
    start = [mean for mean, _ in (*_REST, *PRIOR)]
    found, whole = laplace(next_visits.log_posterior, start, len(next_visits.sign))
    covariance = whole[2:, 2:].numpy()
    errors = np.sqrt(covariance.diagonal())
    told = {name: float(error) for name, error in zip(EFFECTS, errors, strict=True)}
    assumed = [name for at, name in enumerate(EFFECTS) if errors[at] > _TOLD * PRIOR[at][1]]
    law = Switching.of(found[2:].numpy(), covariance, assumed)
    several = int((np.bincount(visited.customer) > 1).sum())
    went = next_visits.sign > 0
    return SwitchingFit(law, told, several, len(went), float(went.double().mean()) if len(went) else 0.0)


@dataclass(frozen=True)
class _Choices:
    """Next visits (R,) of customers, in double precision."""

    who: Tensor  # (R,) int64 customer
    likes: Tensor  # (R,) 1 where they were at the first of his locations, else −1
    usual: Tensor  # (R,) logit of the usual share elsewhere
    beyond: Tensor  # (R, 2) what was met here more than elsewhere
    sign: Tensor  # (R,) 1 where the next visit went elsewhere, else −1

    @staticmethod
    def of(seen: Histories, tastes: Tastes, visited: Visited) -> _Choices:
        """A next visit in the same period has no order, and is left out."""
        customer, period, place = seen.trips.T
        met = Met.at(tastes, customer, period, place)
        last = _last_elsewhere(customer, place)
        rows = np.flatnonzero((customer[1:] == customer[:-1]) & (period[1:] > period[:-1]))
        beyond = [
            here[rows] - np.where(last[rows] >= 0, here[last[rows]], 0.0) for here in (met.missing, met.dear)
        ]
        first = visited.place[np.searchsorted(visited.customer, customer[rows])]
        went = place[rows + 1] != place[rows]
        return _Choices(
            torch.from_numpy(customer[rows]),
            torch.from_numpy(np.where(place[rows] == first, 1.0, -1.0)),
            torch.from_numpy(logit(visited.usual[place[rows]].clip(1e-4, 1 - 1e-4))),
            torch.from_numpy(np.stack(beyond, 1)),
            torch.from_numpy(np.where(went, 1.0, -1.0)),
        )

    def log_posterior(self, parameters: Tensor) -> Tensor:
        """Of a, log τ and the two effects (4,)."""
        mean, spread = torch.tensor((*_REST, *PRIOR), dtype=torch.float64).T
        node, weight = (torch.from_numpy(x) for x in hermegauss(_NODES))
        told = parameters[0] + self.usual + self.beyond @ parameters[2:]
        own = self.likes.unsqueeze(-1) * (parameters[1].exp() * node)  # (R, nodes)
        each = torch.nn.functional.logsigmoid(self.sign.unsqueeze(-1) * (told.unsqueeze(-1) + own))
        customers = int(self.who.max()) + 1 if len(self.who) else 0
        whole = torch.zeros(customers, _NODES, dtype=torch.float64).index_add(0, self.who, each)
        likelihood = (whole + (weight / weight.sum()).log()).logsumexp(-1).sum()
        return likelihood - 0.5 * ((parameters - mean) / spread).square().sum()


def _last_elsewhere(customer: np.ndarray, place: np.ndarray) -> np.ndarray:
    """(M,) number of the same customer's last visit at another location, of visits in order; −1 if none."""
    number = np.arange(len(customer))
    same = np.append(False, (customer[1:] == customer[:-1]) & (place[1:] == place[:-1]))
    begun = np.maximum.accumulate(np.where(same, 0, number))  # of the run of visits to one location
    before = begun - 1
    return np.where((before >= 0) & (customer[before] == customer), before, -1)
