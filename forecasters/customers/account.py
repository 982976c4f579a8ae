"""What is known of a market's customers, for people: who stays, who leaves and why, what showing does."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from ..events import Events, Items, reconciled
from ..panel.sales_panel import SalesPanel
from .attributes import Attributes, level_of_new
from .contagion import Ties, word_of_mouth
from .exposure import exposure_effect
from .lift import Lift
from .messages import Signal, signals, telling
from .particles import Learned
from .population import Population

_FEWEST_ITEMS = 20  # with a level of their own, for attributes to be tried on


@dataclass(frozen=True)
class Segment:
    """Customers whom a policy can address together."""

    name: str
    customers: float
    share: float  # of what is spent at usual prices
    visits: float  # a customer and period, while there
    leaves: float  # chance to leave at a visit that finds all as usual
    leaves_without: float  # … at one that finds nothing of the basket
    leaves_in_a_year: float  # of its customers, all as usual
    elasticity: float  # own, beyond the items', mean by demand


@dataclass(frozen=True)
class Account:
    """What a fit says of customers, in words and numbers."""

    leaving: dict[str, Any]  # ``LeavingFit.told``
    segments: tuple[Segment, ...]
    coverage: tuple[str, ...]
    exposure: Lift
    word_of_mouth: Lift
    told: float  # others whom a customer told of the shop, on average
    messages: tuple[str, ...]
    signals: tuple[Signal, ...]
    new_items: str

    @staticmethod
    def of(events: Events, panel: SalesPanel, learned: Learned, items: Items | None = None) -> Account:
        """All of it, from what a market was fitted on and what was learned."""
        days = float(np.diff(panel.dates).mean() / np.timedelta64(1, "D")) if panel.periods > 1 else 1.0
        told = telling(events, "return")
        return Account(
            leaving=learned.leaving.told(),
            segments=tuple(_segments(learned.population, panel, days)),
            coverage=reconciled(events, panel).summary(),
            exposure=exposure_effect(events),
            word_of_mouth=word_of_mouth(events),
            told=len(Ties.of(events).told) / max(len(events.customers), 1),
            messages=tuple(one.text() for one in (told, telling(events, "silence")) if one.messages),
            signals=tuple(signals(events, told, np.timedelta64(max(1, round(days)), "D"))),
            new_items=_new_items(items, panel),
        )

    def plain(self) -> dict[str, Any]:
        """In JSON's types."""
        return asdict(self)

    @staticmethod
    def of_plain(told: dict[str, Any]) -> Account:
        """What ``plain`` gave."""
        return Account(
            told["leaving"],
            tuple(Segment(**one) for one in told["segments"]),
            tuple(told["coverage"]),
            Lift(**told["exposure"]),
            Lift(**told["word_of_mouth"]),
            told["told"],
            tuple(told["messages"]),
            tuple(Signal(**one) for one in told["signals"]),
            told["new_items"],
        )

    def text(self) -> tuple[str, ...]:
        """What a person should know of it at once, a line each."""
        found = self.leaving
        assumed = ", ".join(name for name in found["assumed"]) or "nothing"
        return (
            f"customers: {sum(one.customers for one in self.segments):,.0f} of {found['customers']:,} are"
            f" thought to be still there; of what moves their leaving, assumed: {assumed}",
            f"showing an item: {self.exposure.text()}",
            f"word of mouth: {self.word_of_mouth.text()}",
        )


def _segments(population: Population, panel: SalesPanel, days: float) -> list[Segment]:
    price = torch.from_numpy(np.nan_to_num(np.nanmedian(panel.dense(panel.price), axis=0), nan=0.0))
    mass = population.weight.unsqueeze(-1) * population.taste  # (S, K, P, I)
    bought = mass.sum(2)
    spent = (bought * price.unsqueeze(1)).sum((0, 2))
    hazard = population.leaving.sigmoid()
    of_each = {
        "visits": population.visit,
        "leaves": hazard,
        "leaves_without": (population.leaving + population.moved_by.stock_out).sigmoid(),
        "leaves_in_a_year": 1 - (1 - population.visit * hazard) ** (365 / days),
    }
    customers = population.weight.sum((0, 2))
    means = {
        name: (values * population.weight).sum((0, 2)) / customers.clamp(min=1e-12)
        for name, values in of_each.items()
    }
    deviation = (population.price * bought).sum((0, 2)) / bought.sum((0, 2)).clamp(min=1e-12)
    share = spent / spent.sum().clamp(min=1e-12)
    return [
        Segment(
            name,
            customers=float(customers[k]),
            share=float(share[k]),
            elasticity=float(deviation[k]),
            **{what: float(values[k]) for what, values in means.items()},
        )
        for k, name in enumerate(population.segments)
    ]


def _new_items(items: Items | None, panel: SalesPanel) -> str:
    """Whether attributes tell the level of an item that has no history."""
    if items is None:
        return "attributes: no table of items was given; a new item starts at its category's mean"
    units = np.nanmean(np.where(np.isfinite(panel.units), panel.units, np.nan), axis=0)
    total = np.bincount(panel.series[:, 1], np.nan_to_num(units), len(panel.items))
    sold = np.flatnonzero(total > 0)
    if len(sold) < _FEWEST_ITEMS:
        return f"attributes: expected {_FEWEST_ITEMS} items to try them on, found {len(sold)}: not used"
    attributes = Attributes.of(items.of([panel.items[i] for i in sold]))
    return level_of_new(attributes, np.log(total[sold])).text()
