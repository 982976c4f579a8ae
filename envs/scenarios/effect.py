"""An effect: what changes, for which items at which locations, and when."""

from __future__ import annotations

import datetime
import difflib
from abc import abstractmethod
from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
import torch
from pydantic import BeforeValidator, Field, field_validator
from torch import Tensor

from ...forecasters.errors import InputError
from ...forecasters.names import positions
from ...forecasters.panel.calendar import declared_grid
from ..settings_file import Fault, Settings
from .plan import Plan


def _as_text(value: object) -> object:
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _as_list(value: object) -> object:
    if isinstance(value, list | tuple):
        return tuple(value)
    return value if value is None else (value,)


Name = Annotated[str, BeforeValidator(_as_text)]
"""Of a location or an item: 12 is "12"."""

Words = Annotated[str, Field(min_length=1, max_length=10_000), BeforeValidator(_as_text)]
"""Of what is described; 12 is "12" here, too."""

Names = Annotated[tuple[Name, ...], BeforeValidator(_as_list), Field(min_length=1)]
"""One name, or a list of them."""

Count = Annotated[int, Field(ge=1, le=1000, strict=True)]


def _when(value: object) -> object:
    period = isinstance(value, int) and not isinstance(value, bool) and value >= 1
    if not period and not isinstance(value, str):
        raise ValueError("expected a period of the episode, counted from 1, or a date such as 2026-03-31")
    return value


When = Annotated[Annotated[int, Field(ge=1, strict=True)] | str, BeforeValidator(_when)]
"""A period of the episode, counted from 1, or a date."""

Multiple = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False, strict=True)]
Factor = Annotated[float, Field(gt=0, le=100, allow_inf_nan=False, strict=True)]
Money = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False, strict=True)]
Weeks = Annotated[int, Field(ge=0, le=52, strict=True)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False, strict=True)]
Path = Annotated[tuple[Factor, ...], Field(min_length=1, max_length=1000)]


def date_of(text: str) -> datetime.date:
    """A date as text.

    Raises:
        ValueError: it is none; says how one is written.
    """
    try:
        return datetime.date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"expected a date such as 2026-03-31, found {text!r:.40}") from None


class Effect(Settings):
    """What changes during a window. One class an effect."""

    window: tuple[When, When] | None = Field(
        None,
        description="[first, last] period of the episode, counted from 1, or [first, last] date;"
        " the whole episode if left out",
    )

    @field_validator("window")
    @classmethod
    def _in_order(cls, window: tuple[When, When] | None) -> tuple[When, When] | None:
        if window is None:
            return None
        first, last = window
        if isinstance(first, str) != isinstance(last, str):
            raise ValueError("expected two periods or two dates")
        ends = [date_of(end) if isinstance(end, str) else end for end in window]
        if ends[0] > ends[1]:  # type: ignore[operator]
            raise ValueError("expected [first, last] with first <= last")
        return window

    @abstractmethod
    def apply(self, plan: Plan) -> Plan:
        """The plan with this effect.

        Raises:
            Fault: it names what the market lacks, or a period beyond the episode.
        """

    @property
    def dated(self) -> bool:
        """Whether the window is one of dates."""
        return self.window is not None and isinstance(self.window[0], str)

    def where(self, plan: Plan) -> Tensor:
        """(H, S, I) bool: the periods, locations and items that it applies to."""
        mask = torch.zeros(plan.horizon, *plan.market.shape, dtype=torch.bool, device=plan.market.device)
        first, last = self.span(plan)
        mask[first:last, self._places(plan).to(mask.device)] = True
        return mask & self._goods(plan).to(mask.device)

    def span(self, plan: Plan) -> tuple[int, int]:
        """First period of the window, from 0, and the one after its last."""
        if self.window is None:
            return 0, plan.horizon
        ends = [_period(end, n, plan) for n, end in enumerate(self.window)]
        return ends[0], ends[1] + 1

    def _places(self, plan: Plan) -> Tensor:
        """Indices of the locations."""
        return torch.arange(plan.market.shape[0])

    def _goods(self, plan: Plan) -> Tensor:
        """(I,) bool"""
        return torch.ones(plan.market.shape[1], dtype=torch.bool)


class LocalEffect(Effect):
    """An effect that may be limited to some locations."""

    locations: Names | None = Field(None, description="names of locations; all if left out")

    def _places(self, plan: Plan) -> Tensor:
        return chosen("locations", self.locations, plan.market.locations)


class ItemEffect(LocalEffect):
    """An effect that may be limited to some items, too."""

    items: Names | None = Field(None, description="names of items; all if left out")
    categories: Names | None = Field(None, description="names of categories; all if left out")

    def _goods(self, plan: Plan) -> Tensor:
        market = plan.market
        mask = torch.zeros(market.shape[1], dtype=torch.bool)
        mask[chosen("items", self.items, market.items)] = True
        if self.categories is not None:
            known = tuple(dict.fromkeys(market.categories))
            named = {known[k] for k in chosen("categories", self.categories, known).tolist()}
            mask &= torch.tensor([category in named for category in market.categories])
        return mask


def along(path: Sequence[float], span: tuple[int, int], plan: Plan) -> Tensor:
    """(H, 1, 1) a number a period from the window's first on, the last one for the rest; 1 elsewhere."""
    first, last = span
    out = torch.ones(plan.horizon, 1, 1, device=plan.market.device)
    for t in range(first, last):
        out[t] = path[min(t - first, len(path) - 1)]
    return out


def chosen(what: str, names: Sequence[str] | None, known: Sequence[str]) -> Tensor:
    """Indices of ``names`` among those that are ``known``; all where None.

    Raises:
        Fault: one that is not known; says the nearest.
    """
    if names is None:
        return torch.arange(len(known))
    for number, name in enumerate(names):
        try:
            positions([name], known, f"{what} of the market")
        except InputError as error:
            said = str(error)
            if "did you mean" not in said:
                said += f"; the nearest is {difflib.get_close_matches(name, known, 1, cutoff=0.0)[0]!r:.60}"
            raise Fault((what, number), said) from None
    return torch.from_numpy(positions(names, known, what))


def _period(end: int | str, number: int, plan: Plan) -> int:
    """The period, from 0, of an end of a window."""
    if isinstance(end, int):
        if end > plan.horizon:
            raise Fault(
                ("window", number),
                f"expected a period within the horizon, 1 to {plan.horizon}, found {end};"
                f" the nearest is {plan.horizon}",
            )
        return end - 1
    dates, day = plan.dates(), np.datetime64(date_of(end))
    if dates is None or plan.start is None:  # a scenario with dates always begins at one
        raise Fault(("window", number), "expected a period, found a date in a plan that begins anywhere")
    last = dates[-1] - np.timedelta64(1, "D")
    if not dates[0] <= day <= last:
        raise Fault(
            ("window", number),
            f"expected a date within the episode, {dates[0]} to {last}, found {end}; the nearest is"
            f" {dates[0] if day < dates[0] else last} (start: and horizon: move the episode)",
        )
    grid = declared_grid(plan.market.frequency, plan.market.dates)
    return int(grid.period_of(np.array([day]))[0]) - plan.start


def any_settings(value: Any) -> Any:
    """One mapping, or several in a list."""
    return tuple(value) if isinstance(value, list | tuple) else (value,)
