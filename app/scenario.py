"""A what-if question as a YAML file: changes of demand, cost and price, by item, location and window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import BeforeValidator, Field, model_validator
from torch import Tensor

from ..envs.market import Market
from ..envs.processes.scaled import ScaledDemand
from ..envs.settings_file import Settings, read_settings
from ..forecasters.errors import InputError
from ..forecasters.names import positions


def _as_text(value: object) -> object:
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


Name = Annotated[str, BeforeValidator(_as_text)]  # of a location or an item: 12 is "12"


class Change(Settings):
    """Multipliers of demand, unit cost and price for some items at some locations during a window."""

    demand: float = Field(1.0, ge=0, le=100, description="multiple of demand; 0: not sold there")
    cost: float = Field(1.0, gt=0, le=100, description="multiple of the unit cost")
    price: float = Field(1.0, gt=0, le=100, description="multiple of the price that the policy sets")
    items: list[Name] | None = Field(None, description="names of items; all if left out")
    locations: list[Name] | None = Field(None, description="names of locations; all if left out")
    window: tuple[int, int] | None = Field(
        None,
        description="first and last period of the episode, counted from 1; the whole episode if left out",
    )

    @model_validator(mode="after")
    def _check(self) -> Change:
        if self.demand == self.cost == self.price == 1.0:
            raise ValueError("expected a multiple of demand, cost or price other than 1, found none")
        if self.window and not 1 <= self.window[0] <= self.window[1]:
            raise ValueError(
                f"window: expected [first, last] with 1 <= first <= last, found {list(self.window)}"
            )
        return self


class Scenario(Settings):
    """Changes that are simulated together, and the length and number of episodes."""

    name: str = Field("scenario", description="name of the scenario")
    horizon: int = Field(26, ge=1, le=1000, description="periods per episode")
    episodes: int = Field(
        64, ge=2, le=10_000, description="episodes, each simulated with and without the changes"
    )
    changes: list[Change] = Field(min_length=1, description="changes; overlapping ones multiply")


def read_scenario(source: Scenario | Mapping[str, Any] | str | Path) -> Scenario:
    """The scenario in a YAML file, or in a mapping of what such a file would hold.

    Raises:
        InputError: the file is absent, not YAML, or a field is unknown or out of range.
    """
    if isinstance(source, Scenario):
        return source
    scenario, change = (", ".join(model.model_fields) for model in (Scenario, Change))
    fields = f"a scenario has {scenario}, a change has {change}"
    return read_settings(source, "scenario", Scenario, "with changes", fields)


def multiples(scenario: Scenario, market: Market, field: str) -> Tensor:
    """Multiples (H, S, I) of one field over the periods of an episode.

    Raises:
        InputError: a change names an item or a location that the market lacks, or a window past the horizon.
    """
    out = torch.ones(scenario.horizon, *market.shape)
    for change in scenario.changes:
        places = _positions("location", change.locations, market.locations)
        goods = _positions("item", change.items, market.items)
        first, last = change.window or (1, scenario.horizon)
        if last > scenario.horizon:
            raise InputError(
                f"expected a window within the horizon {scenario.horizon}, found {first} to {last}"
            )
        out[first - 1 : last, places.unsqueeze(1), goods] *= getattr(change, field)
    return out.to(market.device)


def periods(scenario: Scenario, market: Market) -> list[Market]:
    """The market as it is in each period of an episode (H)."""
    demand, cost = multiples(scenario, market, "demand"), multiples(scenario, market, "cost")
    return [
        replace(
            market,
            demand=ScaledDemand(market.demand, demand[t]),
            terms=replace(market.terms, unit_cost=market.terms.unit_cost * cost[t]),
        )
        for t in range(scenario.horizon)
    ]


def _positions(what: str, names: Sequence[str] | None, known: Sequence[str]) -> Tensor:
    if names is None:
        return torch.arange(len(known))
    return torch.from_numpy(positions(names, known, f"{what}s of the market"))
