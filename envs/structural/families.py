"""The families of true markets, by name: who the customers are, and who set the prices they met."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pandas as pd

from .addressed import with_friends
from .assortment import with_assortment
from .channels import with_channels
from .draw import Minds, Size, Taste, draw_attraction, draw_log_linear, draw_nested_logit, zone_of
from .family import StructuralDemand
from .leaving import with_leaving
from .receipts import events_file, receipts
from .reference import panel_frame, write_table
from .retailer import Retailer, write_history
from .shelves import Fresh
from .stockpiling import with_pantries
from .truth import Truth
from .weekdays import by_the_day
from .zones import in_zones


@dataclass(frozen=True)
class Family:
    """Markets drawn of one kind, with the history that one kind of retailer left in them."""

    about: str  # one line: what is particular
    draw: Callable[[Size, int], StructuralDemand] = draw_log_linear  # of size and seed, no history yet
    retailer: Retailer = field(default_factory=Retailer)
    events: Callable[[Truth, int], pd.DataFrame] | None = None  # what customers did, of individuals

    def make(self, seed: int = 0, size: Size = Size()) -> tuple[pd.DataFrame, Truth]:
        """A panel as a data frame in the panel contract, and the truth behind it."""
        truth = Truth(*write_history(self.draw(size, seed), self.retailer, size.weeks, seed))
        return panel_frame(truth), truth

    def write(self, out: str | Path, seed: int = 0, size: Size = Size()) -> Path:
        """Write the panel to ``out`` (.parquet), its truth to the folder beside it, and events, if there are
        any, to ``events_file``; returns ``out``."""
        frame, truth = self.make(seed, size)
        written = write_table(out, frame, truth)
        if self.events is not None:
            self.events(truth, seed).to_parquet(events_file(written), index=False)
        return written


def _taste(taste: Taste) -> Callable[[Size, int], StructuralDemand]:
    return partial(draw_log_linear, taste=taste)


def _draw_stockpiling(size: Size, seed: int) -> StructuralDemand:
    return with_pantries(draw_log_linear(size, seed), keep=0.5, restraint=0.2)


def _draw_partial_assortment(size: Size, seed: int) -> StructuralDemand:
    return with_assortment(draw_log_linear(size, seed), size.weeks, seed)


def _draw_daily(size: Size, seed: int) -> StructuralDemand:
    return by_the_day(draw_log_linear(size, seed, Taste(log_units=1.2)), hours=16, seed=seed)


def _draw_zones(size: Size, seed: int) -> StructuralDemand:
    return in_zones(draw_log_linear(size, seed), zone_of(size.locations), seed)


def _draw_leaving(size: Size, seed: int) -> StructuralDemand:
    return with_leaving(draw_log_linear(size, seed), seed)


def _draw_switching(size: Size, seed: int) -> StructuralDemand:
    return with_channels(with_leaving(draw_log_linear(size, seed), seed), seed)


def _addressed(**effects: float) -> Callable[[Size, int], StructuralDemand]:
    def draw(size: Size, seed: int) -> StructuralDemand:
        return with_friends(with_leaving(draw_log_linear(size, seed), seed), **effects)

    return draw


_DULL = Minds(own=(-0.65, -0.55), spread=0.17, widest=0.22)

_SHORT = Retailer(safety=0.62, stock_noise=0.5)

FAMILIES: dict[str, Family] = {
    "log-linear": Family("elasticities that never change; the reference market"),
    "nested-logit": Family(
        "customers choose one item or none, so elasticities grow with the price",
        partial(draw_nested_logit, taste=Taste(minds=(Minds(own=(-2.9, -2.1), spread=0.38, widest=0.65),))),
    ),
    "attraction": Family(
        "two customer segments choose one item or none: price lists differ from the sum of their prices",
        partial(draw_attraction, taste=Taste(minds=(Minds(own=(-6.0, -1.3), spread=0.38, widest=0.65),))),
        Retailer(discount=0.3, promotions=0.12),
    ),
    "zone-season": Family(
        "regions have seasons and holiday weeks of their own, which the retailer knows", _draw_zones
    ),
    "stockpiling": Family(
        "customers buy ahead when prices are low, and need less afterwards",
        _draw_stockpiling,
        Retailer(promotions=0.1),
    ),
    "inelastic": Family(
        "half of the items lose few customers at higher prices: their best price is the highest allowed",
        _taste(Taste(minds=(Minds(), _DULL))),
    ),
    "state-dependent": Family(
        "own elasticity is a quarter smaller at the peak of the category's season, larger at its low",
        _taste(Taste(swing=0.25)),
    ),
    "sparse": Family(
        "most weeks sell nothing",
        _taste(Taste(log_units=-0.9)),
        Retailer(safety=0.9, facing=2.0),
    ),
    "few-changes": Family(
        "each price stays for eight weeks, except for promotions",
        retailer=Retailer(hold=8, reaction=0.36, chance=0.06),
    ),
    "hidden-shock": Family(
        "the retailer knows the coming week's shocks and no column shows them; a cost index moves its prices",
        retailer=Retailer(
            insight=1.0,
            pass_through=0.6,
            chance=0.03,
            shifter_item=(0.9, 0.05),
            shifter_series=(0.6, 0.12),
            safety=0.38,
        ),
    ),
    "partial-assortment": Family(
        "items are sold in part of the locations only; some are launched or discontinued",
        _draw_partial_assortment,
    ),
    "hours-out-of-stock": Family(
        "daily sales of fresh food, with the hours out of stock",
        _draw_daily,
        Retailer(safety=0.5, stock_noise=0.4, facing=1.0, shelf=Fresh(late=0.25, missing=0.03)),
    ),
    "leaving-customers": Family(
        "individuals who leave for good after empty shelves and high prices; with what each of them did",
        _draw_leaving,
        _SHORT,
        receipts,
    ),
    "switching-customers": Family(
        "individuals who go to the web site after empty shelves and high prices in the shop, and back",
        _draw_switching,
        _SHORT,
        receipts,
    ),
    "shown-customers": Family(
        "individuals who buy more of what a recommender shows them, which is what they like anyway",
        _addressed(shown=1.4),
        events=receipts,
    ),
    "telling-customers": Family(
        "individuals who come more often for coupons sent by a coin, and whose friends follow",
        _addressed(coupon=0.5, sent=1.6, follow=0.5),
        events=receipts,
    ),
    "alike-customers": Family(
        "individuals whose friends are merely like them: who told whom looks like word of mouth",
        _addressed(),
        events=receipts,
    ),
}
"""Each has shocks, stock-outs and a pricing rule that misleads whoever does not know it."""
