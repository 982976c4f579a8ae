"""One policy for all lost-sales problems: it is told the problem and needs no training of its own.

It practises in markets whose series are problems drawn at random, one market a lead time: mean demand, its
shape from Poisson to geometric, and the penalty of each series are its own. Lost sales cost the margin, which
differs between series as a shortage rate could not, and units are worth what makes all problems' costs alike.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import ceil, log

import numpy as np
import torch
from torch import Tensor

from ...envs.economics import Economics
from ...envs.engine.observation import Observation
from ...envs.market import Market, Terms
from ...envs.processes import Independent, NegativeBinomial
from ...forecasters.errors import InputError
from ...forecasters.progress import SILENT, Progress
from ..baselines.orders import BaseStock
from ..baselines.prices import LastPrice
from ..corrections import OfLevel
from ..learned import LearnedPolicy
from ..learner import few_threads
from ..residual import Residual
from ..seeds import seed_for
from ..train import check_counts
from .ascent import Ascent, Ground, Practice

_POISSON = 1000.0  # dispersion of what is as good as Poisson


@dataclass(frozen=True)
class Problems:
    """What is drawn: every number log-uniform in its range but the shape."""

    lead_times: tuple[int, ...] = (1, 2, 3, 4)
    penalties: tuple[float, float] = (3.5, 45.0)  # multiples of the holding cost
    means: tuple[float, float] = (4.0, 6.25)  # units a period
    plain: float = 0.3  # share of Poisson demand, and as much geometric; the rest lies in between

    def __post_init__(self) -> None:
        if not self.lead_times or min(self.lead_times) < 1:
            raise InputError(f"problems: expected lead times of 1 or more, found {self.lead_times}")


@dataclass(frozen=True)
class GeneralistSettings:
    """How long and on what."""

    updates: int = 1600
    problems: int = 512  # of each lead time
    cycles: float = 4.0  # a window's periods, multiples of lead time + 1
    learning_rate: float = 6e-3
    average: float = 0.99
    hidden: tuple[int, ...] = (64, 64)
    reach: float = 1.0  # largest correction of the log order-up-to level
    drawn: Problems = Problems()

    def __post_init__(self) -> None:
        check_counts(self, "updates", "problems")


def many_problems(lead_time: int, count: int, drawn: Problems, seed: int) -> Market:
    """A market whose ``count`` locations are problems of one lead time, drawn at random."""
    generator = torch.Generator().manual_seed(seed_for(f"problems {lead_time}", seed))

    def uniform() -> Tensor:
        return torch.rand(count, 1, generator=generator)

    def between(low: float, high: float) -> Tensor:
        return (log(low) + uniform() * log(high / low)).exp()

    mean, penalty = between(*drawn.means), between(*drawn.penalties)
    share = ((uniform() - drawn.plain) / (1 - 2 * drawn.plain)).clamp(0.0, 1.0)  # of geometric in 1 / r
    dispersion = 1 / share.clamp(min=1 / _POISSON)
    cost = 1 / _usual_cost(mean, share, penalty, lead_time)
    price = cost * (1 + penalty)
    names = tuple(f"problem {number + 1}" for number in range(count))
    return Market(
        name=f"lost sales, L = {lead_time}",
        dates=np.array(["2024-01-01"], dtype="datetime64[D]"),
        frequency="D",
        categories=("all",),
        price_groups=names,
        economics=Economics(
            lead_time=lead_time, holding_rate=1.0, shortage_rate=0.0, initial_cover=lead_time + 1.0
        ),
        terms=Terms(price, price, price, cost, mean),
        demand=Independent(NegativeBinomial(dispersion), mean, locations=names),
    )


def _usual_cost(mean: Tensor, share: Tensor, penalty: Tensor, lead_time: int) -> Tensor:
    """(S, 1) about what a problem costs: the newsvendor's cost, (1 + p)·σ·φ(z), of normal demand."""
    deviation = (mean + share * mean.square()).sqrt()
    z = torch.special.ndtri(penalty / (1 + penalty))
    density = (-z.square() / 2).exp() / (2 * torch.pi) ** 0.5
    return (1 + penalty) * deviation * density * (lead_time + 1) ** 0.25


def train_generalist(
    settings: GeneralistSettings = GeneralistSettings(), seed: int = 0, progress: Progress = SILENT
) -> LearnedPolicy:
    """A policy for lost-sales problems in the range that ``settings.drawn`` gives, on the CPU."""
    drawn = settings.drawn
    actions = Residual(LastPrice(), BaseStock(), price_reach=0.0, orders=OfLevel(settings.reach))
    slots = range(2, max(drawn.lead_times) + 1)
    observation = Observation(
        (
            "stock_cover",
            "position_cover",
            "arrival_cover",
            *(f"arrival_cover_{number}" for number in slots),
            "spread",
            "lead_time",
            "critical_odds",
            "usual_demand",
        )
    )
    grounds = []
    for lead_time in drawn.lead_times:
        window = ceil(settings.cycles * (lead_time + 1))
        market = many_problems(lead_time, settings.problems, drawn, seed)
        grounds.append(Ground(market, 1, actions, observation, Practice(window, 16 * window), seed))
    ascent = Ascent(grounds, settings.hidden, settings.learning_rate, settings.average, seed)
    with progress.stage("train the generalist", total=settings.updates) as stage, few_threads():
        while ascent.updates < settings.updates:
            worth = ascent.update(ascent.updates / settings.updates)
            stage.advance()
            stage.curve(ascent.updates, {"train/worth": worth})
    about = {"settings": asdict(settings), "seed": seed, "market": "lost sales"}
    return LearnedPolicy("generalist", ascent.found(), actions, about, observation.names)
