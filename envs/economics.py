"""The economics of a shop: what the sales table does not say, in one typed file.

Every report prints what was given and what was assumed (``Economics.given``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from ..forecasters.errors import InputError
from .settings_file import Settings, read_settings

Cover = Annotated[float, Field(ge=0, le=1000)]  # periods of expected demand

_LONGEST = 8  # characters of a currency


class Fairness(Settings):
    """Groups of locations within which the prices of an item are equal, or nearly."""

    groups: dict[str, tuple[str, ...]] = Field(min_length=1, description="locations of each group")
    largest_spread: float = Field(
        0.0, ge=0, le=100, description="(highest - lowest) / lowest price of an item in a group; 0: equal"
    )

    @model_validator(mode="after")
    def _check(self) -> Fairness:
        named = [location for group in self.groups.values() for location in group]
        if twice := [location for location in named if named.count(location) > 1]:
            raise ValueError(f"expected a location in one group, found {twice[0]} in two")
        return self

    def within(self, locations: Sequence[str]) -> Fairness | None:
        """The groups as far as they are among ``locations``; None where there is nothing left to compare."""
        kept = {name: tuple(one for one in group if one in locations) for name, group in self.groups.items()}
        groups = {name: group for name, group in kept.items() if len(group) > 1}
        return self.model_copy(update={"groups": groups}) if groups else None


class PriceRules(Settings):
    """Rules that every policy's price obeys, the learned ones and the baselines alike."""

    ending: float | None = Field(None, gt=0, lt=1, description="ending of every price, 0.99: .99")
    largest_change: float | None = Field(
        None, gt=0, le=100, description="largest change per period, 0.1 = 10%"
    )
    cadence: int = Field(
        1, ge=1, le=1000, description="periods that a price must stay before it may change again"
    )
    minimum_margin: float | None = Field(
        None, ge=-10, lt=1, description="smallest (price - unit cost) / price"
    )
    floor: float | None = Field(
        None, gt=0, le=1000, description="lowest price, multiple of the reference price"
    )
    ceiling: float | None = Field(
        None, gt=0, le=1000, description="highest price, multiple of the reference price"
    )

    fairness: Fairness | None = Field(None, description="locations whose prices may not differ much")

    @model_validator(mode="after")
    def _check(self) -> PriceRules:
        if self.floor is not None and self.ceiling is not None and self.floor > self.ceiling:
            raise ValueError(f"expected a floor at or below the ceiling {self.ceiling:g}")
        return self


class Economics(Settings):
    """Costs, stock and price rules of a shop. Rates are per period; money in the panel's currency."""

    lead_time: int = Field(1, ge=0, le=52, description="periods from order to arrival, L")
    unmet: Literal["lost", "backorder"] = Field("lost", description="what happens to demand beyond the stock")
    holding_rate: float = Field(
        0.005, ge=0, le=10, description="cost of holding a unit for a period, share of unit cost, h/c"
    )
    shortage_rate: float = Field(
        0.1, ge=0, le=1000, description="cost of a unit short, share of reference price, p"
    )
    fixed_order_cost: float = Field(0.0, ge=0, le=1e9, description="cost of placing an order for a series, K")
    price_change_cost: float = Field(0.0, ge=0, le=1e9, description="cost of changing a series' price")
    unit_cost_share: float = Field(
        0.7, gt=0, le=100, description="unit cost, share of reference price, if the sales table has none"
    )
    initial_cover: Cover | tuple[Cover, Cover] = Field(
        2.0, description="stock at the start, in periods of expected demand; [low, high]: drawn in between"
    )
    decide: Literal["both", "price", "order"] = Field(
        "both", description="what is decided; prices stay at the reference price, or nothing is ordered"
    )
    order_every: int = Field(1, ge=1, le=1000, description="periods from one day of orders to the next")
    largest_order: float | None = Field(
        None, gt=0, le=1e6, description="largest order of a series, in periods of demand"
    )
    joint_order_cost: float = Field(
        0.0, ge=0, le=1e9, description="cost of a period in which a location orders anything"
    )
    order_budget: float | None = Field(
        None, gt=0, le=1e12, description="money that a location may order for in a period"
    )
    capacity: float | None = Field(
        None, gt=0, le=1e6, description="largest inventory position, in periods of demand"
    )
    waste_rate: float = Field(0.0, ge=0, le=1, description="chance that a unit left spoils in a period, w")
    waste_cost_rate: float = Field(
        0.0, ge=0, le=100, description="cost of throwing a unit away, share of unit cost"
    )
    shelf_life: int | None = Field(
        None, ge=1, le=104, description="periods in which a unit can be sold, from its arrival on, m"
    )
    issuing: Literal["fifo", "lifo"] = Field(
        "fifo", description="which units customers get: the oldest (fifo) or the freshest (lifo)"
    )
    season: int | None = Field(None, ge=1, le=1000, description="periods until the season ends")
    salvage_rate: float = Field(
        1.0, ge=-10, le=1, description="worth of a unit left at the season's end, share of unit cost"
    )
    price_rules: PriceRules = Field(default_factory=PriceRules)
    currency: str = Field("money", description="currency, as text: € or USD")

    @model_validator(mode="after")
    def _check(self) -> Economics:
        if self.issuing == "lifo" and self.shelf_life is None:
            raise ValueError("expected a shelf_life beside issuing lifo: units that keep are all alike")
        if self.salvage_rate != 1 and self.season is None:
            raise ValueError("expected a season beside a salvage_rate: without one stock goes on to be sold")
        return self

    @field_validator("initial_cover")
    @classmethod
    def _ordered(cls, cover: float | tuple[float, float]) -> float | tuple[float, float]:
        if isinstance(cover, tuple) and cover[0] > cover[1]:
            raise ValueError("expected [low, high] with low at or below high")
        return cover

    @field_validator("currency")
    @classmethod
    def _printable(cls, text: str) -> str:
        if not 0 < len(text) <= _LONGEST or not text.isprintable() or text != text.strip():
            raise ValueError(f"expected 1 to {_LONGEST} printable characters such as € or USD")
        return text

    def episode(self, horizon: int) -> int:
        """Periods that an episode has of ``horizon``: no more than the season."""
        return horizon if self.season is None else min(horizon, self.season)

    def within(self, locations: Sequence[str]) -> Economics:
        """The same for some of the shop's locations."""
        if self.price_rules.fairness is None:
            return self
        fairness = self.price_rules.fairness.within(locations)
        rules = self.price_rules.model_copy(update={"fairness": fairness})
        return self.model_copy(update={"price_rules": rules})

    def given(self) -> dict[str, bool]:
        """For each field that a profit hangs on, whether the user gave it (True) or it is an assumption."""
        fields = (name for name in type(self).model_fields if name != "currency")
        return {name: name in self.model_fields_set for name in fields}

    def assumed(self) -> str:
        """The line that says what had to be assumed; empty where nothing had."""
        names = [name.replace("_", " ") for name, given in self.given().items() if not given]
        return f"assumed, since no economics file gives them: {', '.join(names)}" if names else ""

    def counted_in(self, currency: str | None) -> Economics:
        """The same shop with its money in ``currency``; in its own where None.

        Raises:
            InputError: it is no short printable text.
        """
        if currency is None:
            return self
        try:
            return Economics(**{**self.model_dump(exclude_unset=True), "currency": currency})
        except InputError as error:
            raise InputError(f"--{str(error).removeprefix('Economics: ')}") from None


def read_economics(source: Economics | Mapping[str, Any] | str | Path | None) -> Economics:
    """Economics from a YAML or JSON file or a mapping of fields; the assumptions where ``source`` is None.

    Raises:
        InputError: the file is absent, unreadable, or a field is unknown or out of range.
    """
    if source is None:
        return Economics()
    if isinstance(source, Economics):
        return source
    fields = (
        f"fields are {', '.join(Economics.model_fields)}; price_rules has"
        f" {', '.join(PriceRules.model_fields)}"
    )
    return read_settings(source, "economics", Economics, "of fields to values", fields)
