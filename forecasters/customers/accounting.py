"""What is said of a market's customers, from what they did and what was learned of them."""

from __future__ import annotations

import numpy as np
import torch

from ..errors import InputError
from ..events import Coverage, Events, Items
from ..panel.sales_panel import SalesPanel
from .account import Account, Segment
from .assortment import Assortment
from .contagion import Ties
from .exposure import coupon_effect, exposure_effect
from .messages import signals, telling
from .particles import Learned


def account_of(
    events: Events, panel: SalesPanel, learned: Learned, coverage: Coverage, items: Items | None = None
) -> Account:
    """All that is told to people.

    Args:
        events: all of them; who is not known counts where items are written about, and nowhere else.
        panel: what the market was fitted on.
        coverage: of the events beside it.
    """
    known = events.identified
    told, silence = telling(known, "return"), learned.silence
    return Account(
        leaving=learned.leaving.told(),
        segments=tuple(_segments(learned)),
        coverage=coverage.summary(),
        exposure=exposure_effect(known),
        coupon=coupon_effect(known),
        word_of_mouth=learned.words,
        following=learned.following.text(),
        told=len(Ties.of(known).told) / max(len(known.customers), 1),
        messages=(
            *(one.text() for one in (told, silence) if one.messages),
            *(one.text() for one in learned.acts),
        ),
        signals=tuple(signals(events, told, np.timedelta64(max(1, round(learned.days)), "D"))),
        new_items=_new_items(items, panel),
        switching=None if learned.switching is None else learned.switching.told(),
    )


def _segments(learned: Learned) -> list[Segment]:
    population, price = learned.population, torch.from_numpy(np.nan_to_num(learned.usual_price)).float()
    bought = population.mass.sum(2)
    spent = (bought * price.unsqueeze(1)).sum((0, 2))
    hazard = population.leaving.sigmoid()
    of_each = {
        "visits": population.visit,
        "leaves": hazard,
        "leaves_without": (population.leaving + population.moved_by.stock_out).sigmoid(),
        "leaves_in_a_year": 1 - (1 - population.visit * hazard) ** (365 / learned.days),
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
    try:
        return Assortment.of(items, panel.items, total).level_of_new.text()
    except InputError as error:
        return f"attributes: not used, {error}"
