"""The next visit: a censored hazard, with BG/NBD beneath it.

Under BG/NBD a customer has left with chance π, and one who has not stays away for t with chance
((α+T)/(α+T+t))^(r+x), so that no visit by t has chance S(t) = π + (1−π) exp(−Λ(t)): a cure model. What moves
the log odds of π and the log of Λ's increments is added to BG/NBD's own, and begins at nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from .context import CONTEXT
from .purchases import Purchases, Queries
from .visits import BetaGeometric

_LEAST_LEFT = -5.0  # log odds to have left: of who came once BG/NBD says −∞, which nothing could move
_PENALTY = 1e-2  # of each squared weight, beside a mean over questions
_LEAST = 1e-9  # chance


@dataclass(frozen=True)
class Awaited:
    """Q questions of who comes next, and what came of them; K spells of time after the stop."""

    left: Tensor  # (Q,) log odds to have left, of BG/NBD
    hazard: Tensor  # (Q, K) log of Λ's increment over each spell, of BG/NBD
    spell: Tensor  # (Q,) int64 in which spell the next visit falls, K where it was not seen
    seen: Tensor  # (Q,) int64 whole spells that were watched


def spells(horizon: int) -> np.ndarray:
    """(K,) days at which spells end, the last at the horizon: by day at first, then by week."""
    ends = np.unique([1, 2, 3, 5, 7, 10, *range(14, min(horizon, 57), 7), *range(70, horizon, 28), horizon])
    return ends[ends <= horizon]


def awaited(log: Purchases, queries: Queries, horizon: int, base: BetaGeometric, end: int) -> Awaited:
    """The next visits within ``horizon`` days, and before the day ``end`` on which watching stops."""
    ends = spells(horizon)
    counts = log.counts(queries)
    away = -base.silent(counts, ends.astype(float))
    until = log.until(queries)
    watched = np.minimum(end - queries.stop, horizon)
    came = (until >= 0) & (until < watched)
    return Awaited(
        left=torch.from_numpy(np.clip(base.left(counts), _LEAST_LEFT, -_LEAST_LEFT)).float(),
        hazard=torch.from_numpy(np.log(np.diff(away, prepend=0.0, axis=1))).float(),
        spell=torch.from_numpy(np.where(came, np.searchsorted(ends, until, side="right"), len(ends))),
        seen=torch.from_numpy(np.searchsorted(ends, watched, side="right")),
    )


def staying(left: Tensor, hazard: Tensor) -> Tensor:
    """(Q, K + 1) chance of no visit by the stop, then by the end of each spell."""
    gone = left.sigmoid().unsqueeze(1)
    away = nn.functional.pad(hazard.clamp(-30, 10).exp().cumsum(1), (1, 0))
    return gone + (1 - gone) * (-away).exp()


def log_likelihood(left: Tensor, hazard: Tensor, of: Awaited) -> Tensor:
    """(Q,) of the spell of the next visit, or of none in those watched."""
    away = staying(left, hazard)
    spell = of.spell.clamp(max=hazard.shape[1] - 1).unsqueeze(1)
    came = (away.gather(1, spell) - away.gather(1, spell + 1)).squeeze(1)
    stayed = away.gather(1, of.seen.unsqueeze(1)).squeeze(1)
    return torch.where(of.spell < hazard.shape[1], came, stayed).clamp(min=_LEAST).log()


class Hazard(nn.Module):
    """What the context says of leaving and of coming, linear, and what the time of a visit does."""

    def __init__(self, ends: int) -> None:
        super().__init__()
        self.leaves = nn.Parameter(torch.zeros(len(CONTEXT)))
        self.comes = nn.Parameter(torch.zeros(len(CONTEXT)))
        self.spell = nn.Parameter(torch.zeros(ends))

    def forward(self, context: Tensor, of: Awaited) -> tuple[Tensor, Tensor]:
        """(Q,) log odds to have left and (Q, K) log increments of Λ."""
        comes = (context @ self.comes).unsqueeze(1) + self.spell
        return of.left + context @ self.leaves, of.hazard + comes


def fit_hazard(lessons: Sequence[tuple[Tensor, Awaited]], steps: int = 60) -> Hazard:
    """By maximum likelihood; lessons are of contexts (Q, C) and what came of them."""
    model = Hazard(lessons[0][1].hazard.shape[1])
    search = torch.optim.LBFGS(model.parameters(), max_iter=steps, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        search.zero_grad()
        told: list[Tensor] = []
        for context, of in lessons:
            left, hazard = model(context, of)
            told.append(log_likelihood(left, hazard, of))
        loss = -torch.cat(told).mean()
        loss = loss + _PENALTY * sum((p**2).sum() for p in model.parameters())
        loss.backward()
        return loss

    search.step(closure)
    return model
