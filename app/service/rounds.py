"""One round of proposals: what a policy decides, after-treatment, and what is held back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from math import isfinite
from typing import Any

import pandas as pd

from ...agents.policy import Policy
from ...forecasters.panel import SalesPanel
from ..decisions import Decisions, decided
from ..standing import Standing
from ..stock import read_stock
from .records import HELD, PROPOSED
from .settings import ServiceSettings
from .treatment import CHECKS, STEPS, Smoother, anomalies, last_year, price_limits

_PARTS = 1000  # sets of locations whose rows are kept together
_COLUMNS = (
    *("location", "item", "current_price", "price", "order", "expected_units", "expected_gain"),
    *("gain_lo", "gain_hi", "outside_support", "why", "note"),
)


@dataclass(frozen=True)
class Round:
    """Proposals of some series, one row each, and what they gain together."""

    found: Decisions
    rows: list[dict[str, Any]]
    _parts: dict[frozenset[str], Round] = field(default_factory=dict, repr=False, compare=False)

    @property
    def steps(self) -> dict[str, int]:
        """How many series each step of after-treatment touched or held back."""
        named = Counter(name for row in self.rows for name in row["flags"].split("; "))
        return {name: named[name] for name in (*STEPS, *CHECKS)}

    def of(self, locations: frozenset[str]) -> Round:
        """Those of some locations, which are looked for once."""
        if locations not in self._parts:
            if len(self._parts) >= _PARTS:
                self._parts.clear()
            rows = [row for row in self.rows if row["location"] in locations]
            self._parts[locations] = Round(self.found.of(locations), rows)
        return self._parts[locations]


def play(
    standing: Standing,
    policy: Policy,
    settings: ServiceSettings,
    own: SalesPanel,
    stock: pd.DataFrame | None = None,
    locations: Collection[str] | None = None,
) -> Round:
    """Decide, treat and check.

    Args:
        standing: where the market stands.
        policy: who decides.
        settings: of the service.
        own: the table that the market was fitted on, whose names of columns the stock may have.
        stock: as for ``mercato decide``.
        locations: all where None.

    Raises:
        InputError: locations or stock that do not fit.
    """
    at_hand = None if stock is None else read_stock(stock, standing.market, own.reading.map)
    smoother = Smoother(standing, settings.smoothing)
    found = decided(standing, policy, at_hand, adjust=smoother, locations=locations)
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
    if locations is None and stock is None and standing.market.economics.price_rules.fairness is not None:
        found = replace(found, notes=[*found.notes, _cost_of_fairness(standing, policy, smoother, found)])
    return Round(found, rows)


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
