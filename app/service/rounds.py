"""One round of proposals: what a policy decides, after-treatment, and what is held back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import isfinite
from threading import Lock
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from ...agents.policy import Policy
from ..decisions import Decisions, decided
from ..explained import amounts_of
from ..standing import Standing, Stock
from .records import HELD, PROPOSED
from .settings import ServiceSettings
from .together import Together
from .treatment import CHECKS, STEPS, Smoother, anomalies, last_year, price_limits

T = TypeVar("T")

_PARTS = 1000  # sets of locations of which what was worked out is kept
_COLUMNS = (
    *("location", "item", "current_price", "price", "order", "expected_units", "expected_gain"),
    *("gain_lo", "gain_hi", "outside_support", "why", "would_change", "note"),
)


@dataclass(frozen=True)
class Round:
    """Proposals of some series, one row each, and what they gain together in money of the period."""

    rows: list[dict[str, Any]]
    gains: pd.DataFrame  # as in ``Decisions``
    notes: list[str]

    @property
    def steps(self) -> dict[str, int]:
        """How many series each step of after-treatment touched or held back."""
        named = Counter(name for row in self.rows for name in row["flags"].split("; "))
        return {name: named[name] for name in (*STEPS, *CHECKS)}

    @cached_property
    def _totals(self) -> np.ndarray:
        return self.gains.to_numpy().sum(0)

    @property
    def gain(self) -> float:
        return float(self._totals[-1])

    @property
    def gain_lo(self) -> float:
        return float(self._totals.min())

    @property
    def gain_hi(self) -> float:
        return float(self._totals.max())

    def of(self, locations: Collection[str]) -> Round:
        """Those of some locations."""
        rows = [row for row in self.rows if row["location"] in locations]
        there = [name in locations for name in self.gains.index]
        return Round(rows, self.gains[there], self.notes)


@dataclass(frozen=True)
class Asked:
    """Prices and orders that are asked for with a stock of their own."""

    stock: Stock
    locations: frozenset[str] | None  # all where None


@dataclass(frozen=True)
class Rounds:
    """What is proposed where the market stands: on assumed stock worked out once, else for all who ask."""

    standing: Standing
    policy: Policy
    settings: ServiceSettings
    _rounds: dict[frozenset[str], Round] = field(default_factory=dict, repr=False)
    _parts: dict[frozenset[str], Standing] = field(default_factory=dict, repr=False)
    _turn: Lock = field(default_factory=Lock, repr=False)

    def usual(self, locations: Collection[str] | None) -> Round:
        """Proposals with assumed stock; all where None.

        Raises:
            InputError: the market does not know a location.
        """
        with self._turn:
            whole = self._usual
        if locations is None:
            return whole
        named = self.standing.named(locations)
        return _kept(self._rounds, named, lambda: whole.of(named))

    @cached_property
    def _usual(self) -> Round:
        return play(self.standing, self.policy, self.settings)

    @cached_property
    def on_stock(self) -> Together[Asked, Round]:
        """Proposals of who asks with a stock of their own: played together where locations are others."""
        return Together(self._played)

    def explained(self, stock: Stock | None, locations: Collection[str]) -> Round:
        """Proposals of some locations, with what made each change of a price."""
        named = self.standing.named(locations)
        part = self._part(named)
        if stock is not None:
            stock = self._within(part, stock)
        return play(part, self.policy, self.settings, stock, named, explain=True)

    def _part(self, named: frozenset[str]) -> Standing:
        return _kept(self._parts, named, lambda: self.standing.part(named))

    def _within(self, part: Standing, stock: Stock) -> Stock:
        """Of the whole's stock, a part's."""
        there = np.isin(self.standing.market.locations, part.market.locations)
        return stock[0][there], stock[1][there]

    def _played(self, asked: Sequence[Asked]) -> list[Round]:
        found: dict[int, Round] = {}
        left = list(range(len(asked)))
        while left:
            some, left = self._apart(asked, left)
            whole = self._play([asked[number] for number in some])
            for number in some:
                places = asked[number].locations
                found[number] = whole if places is None or len(some) == 1 else whole.of(places)
        return [found[number] for number in range(len(asked))]

    def _apart(self, asked: Sequence[Asked], numbers: Sequence[int]) -> tuple[list[int], list[int]]:
        """Those of ``numbers`` that have nothing to do with each other, and the rest."""
        labels = np.array(self.standing.market.compared)
        taken: set[str] = set()
        some: list[int] = []
        rest: list[int] = []
        for number in numbers:
            mine = set(labels[self._concerned(asked[number])])
            (rest if taken & mine else some).append(number)
            taken |= mine
        return some, rest

    def _concerned(self, asked: Asked) -> np.ndarray:
        """(S,) bool: locations that are asked for, or whose stock is given."""
        if asked.locations is None:
            return np.ones(len(self.standing.market.locations), dtype=bool)
        there = np.array([name in asked.locations for name in self.standing.market.locations])
        return there | np.isfinite(asked.stock[0]).any(1)

    def _play(self, asked: Sequence[Asked]) -> Round:
        """One round of those who have nothing to do with each other."""
        on_hand, on_order = (part.copy() for part in asked[0].stock)
        for one in asked[1:]:
            given = np.isfinite(one.stock[0])
            on_hand[given], on_order[given] = (part[given] for part in one.stock)
        if asked[0].locations is None:
            return play(self.standing, self.policy, self.settings, (on_hand, on_order))
        named = frozenset(name for one in asked for name in one.locations or ())
        # several are hardly asked for together twice
        part = self._part(named) if len(asked) == 1 else self.standing.part(named)
        return play(part, self.policy, self.settings, self._within(part, (on_hand, on_order)), named)


def _kept(kept: dict[frozenset[str], T], named: frozenset[str], work: Callable[[], T]) -> T:
    """What was worked out for some locations, kept for as long as they are not too many."""
    if named not in kept:
        if len(kept) >= _PARTS:
            kept.clear()
        kept[named] = work()
    return kept[named]


def play(
    standing: Standing,
    policy: Policy,
    settings: ServiceSettings,
    stock: Stock | None = None,
    locations: Collection[str] | None = None,
    explain: bool = False,
) -> Round:
    """Decide, treat and check.

    Args:
        standing: where the market stands.
        policy: who decides.
        settings: of the service.
        stock: on hand and on order (S, I), NaN where it is assumed; all of it where None.
        locations: all where None.
        explain: say what made each change of a price.

    Raises:
        InputError: the market does not know a location.
    """
    smoother = Smoother(standing, settings.smoothing)
    found = decided(standing, policy, stock, explain, adjust=smoother, locations=locations)
    told = standing.sold if locations is None else standing.sold & standing.at(locations)
    series = standing.panel.series[told]
    least, most = price_limits(standing, series)
    smoothed = smoother.flags(series)
    held = anomalies(found.rows, last_year(standing.panel, series), settings.anomaly)
    rows = [
        {name: row[name] for name in _COLUMNS}
        | {"status": HELD if why else PROPOSED, "flags": "; ".join([*touched, *why])}
        | {"least_price": low, "most_price": high if isfinite(high) else None}
        for row, touched, why, low, high in zip(
            found.rows.to_dict("records"), smoothed, held, least.tolist(), most.tolist(), strict=True
        )
    ]
    if explain:
        for row, (_, told) in zip(rows, found.rows.iterrows(), strict=True):
            row["drivers"] = amounts_of(told, standing.decimals)
    notes = list(found.notes)
    if locations is None and stock is None and standing.market.economics.price_rules.fairness is not None:
        notes.append(_cost_of_fairness(standing, policy, smoother, found))
    return Round(rows, found.gains, notes)


def _cost_of_fairness(standing: Standing, policy: Policy, smoother: Smoother, found: Decisions) -> str:
    """What alike prices within groups of locations cost in the period, in one line."""
    economics = standing.market.economics
    free = economics.model_copy(
        update={"price_rules": economics.price_rules.model_copy(update={"fairness": None})}
    )
    elsewhere = standing.under(free)
    without = decided(elsewhere, policy, None, adjust=Smoother(elsewhere, smoother.settings))
    assert economics.price_rules.fairness is not None  # whoever asks has some
    groups = ", ".join(economics.price_rules.fairness.groups)
    return (
        f"fairness among locations of {groups} costs {without.gain - found.gain:,.2f}"
        f" {economics.currency} of expected gain in the period"
    )
