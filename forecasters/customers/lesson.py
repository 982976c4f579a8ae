"""Questions to learn from, each with its answer: days at which a log is cut, and what came after."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .baskets import Catalogue, catalogue
from .hazard import Awaited, awaited
from .mixture import Answers, Asked, answers, asked
from .purchases import Purchases, Queries
from .quantity import usual_units
from .returns import Rates, Watched, return_rates, watched
from .tokens import Tokens
from .visits import BetaGeometric

_TOGETHER = 256  # questions of one lesson


@dataclass(frozen=True)
class Lesson:
    """Q questions of one stop."""

    queries: Queries
    visits: Awaited
    asked: Asked
    told: Answers  # of N lines
    usual: Tensor  # (N,) log units expected of each line
    returns: Watched  # N lines

    def __len__(self) -> int:
        return len(self.queries)


@dataclass(frozen=True)
class Ground:
    """What every lesson is made of."""

    log: Purchases
    tokens: Tokens
    visits: BetaGeometric
    category: np.ndarray | None  # (I,) int64
    horizon: int  # days

    def catalogue(self, stop: int) -> Catalogue:
        """Of the items, on a day."""
        return catalogue(self.log, stop, self.category)

    def lesson(
        self, log: Purchases, queries: Queries, items: Catalogue, rates: Rates, stop: int, end: int
    ) -> Lesson:
        """Answers of a log as of its day ``end``; items, and what of them is brought back, as known on
        ``stop``."""
        of = asked(log, queries, items)
        told = answers(log, queries, self.horizon, of)
        usual = usual_units(log, queries, stop, told.row.numpy(), told.item.numpy())
        return Lesson(
            queries=queries,
            visits=awaited(log, queries, self.horizon, self.visits, end),
            asked=of,
            told=told,
            usual=torch.from_numpy(np.log(usual)).float(),
            returns=watched(log, queries, self.horizon, rates, end),
        )

    def lessons(self, stop: int, end: int, most: int, seed: int) -> list[Lesson]:
        """All customers known on a day, or ``most`` of them drawn, like lengths together."""
        everyone, log = self.log.known(stop), self.log.as_of(end)
        rng = np.random.default_rng([seed, stop])
        chosen = rng.permutation(len(everyone))[:most]
        events = self.tokens.events_before(Queries(everyone.customer[chosen], everyone.stop[chosen]))
        chosen = chosen[np.argsort(events, kind="stable")]
        items, rates = self.catalogue(stop), return_rates(self.log.as_of(stop), stop)
        return [self.lesson(log, part, items, rates, stop, end) for part in parts(everyone, chosen)]


def parts(queries: Queries, which: np.ndarray, size: int = _TOGETHER) -> Iterator[Queries]:
    """Questions of the index, some at a time."""
    for first in range(0, len(which), size):
        few = which[first : first + size]
        yield Queries(queries.customer[few], queries.stop[few])
