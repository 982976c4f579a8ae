"""What is known of a location or an item without history: what its attributes make of it, or words of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from ...forecasters.errors import InputError
from ...forecasters.events import Items, path_of, path_text
from ...forecasters.names import meant
from ...forecasters.statistics import Likeness
from ..market import Market
from ..settings_file import Fault
from .plan import Plan

Attributes = Annotated[
    dict[str, Annotated[float, Field(allow_inf_nan=False, strict=True)]], Field(min_length=1)
]
Axis = Literal["locations", "items"]


def nearest_known(market: Market, axis: Axis, attributes: dict[str, float]) -> int:
    """The one whose attributes are nearest, in standard deviations."""
    return _likeness(market, axis, attributes).nearest


def expected_level(market: Market, axis: Axis, attributes: dict[str, float], like: int) -> float:
    """Demand that attributes lead to expect, as a multiple of what they do of the one it is ``like``.

    From the usual demand of all there are.
    """
    level = market.terms.typical_demand.double().cpu().log()
    level = (level - level.mean(-2 if axis == "locations" else -1, keepdim=True)).mean(
        -1 if axis == "locations" else -2
    )
    return _likeness(market, axis, attributes).multiple(level, like)


def as_described(
    plan: Plan, like: int | None, category: str, text: str, image: Sequence[float] | None
) -> tuple[int, float, str]:
    """Which item one so described is like, its demand as a multiple of that one's, and what says so.

    It is like the nearest of those before the scenario where ``like`` is None. The category of one that is
    not told is that of the one it is like.
    """
    known = plan.origin.market
    try:
        sold = known.assortment
    except InputError as error:
        raise Fault((), str(error)) from None
    _check_told(sold.items, text, image)
    vector = None if image is None else np.array([image], dtype=np.float32)
    new = Items(("new",), (path_of(category),), (text,), vector)
    if like is None:
        like = known.items.index(sold.nearest(new))
    if not category:
        new = replace(new, paths=sold.items.of([known.items[plan.origin.items[like]]]).paths)
    units = float(plan.market.terms.typical_demand[: known.shape[0], like].sum())
    fit = sold.level_of_new
    where = path_text(fit.categories.nearest(new.paths[0])) or "all items"
    return like, float(sold.expected(new)[0]) / units, f"as of {where}; {fit.text()}"


def _check_told(known: Items, text: str, image: Sequence[float] | None) -> None:
    """Whether what is told of a new item can be set beside what is told of those that are ``known``."""
    if text and not any(known.text):
        raise Fault(("text",), "expected a table of items that has texts, found none")
    if image is None:
        return
    if known.image is None:
        raise Fault(("image",), "expected a table of items that has images, found none")
    if len(image) != known.image.shape[1]:
        said = f"expected {known.image.shape[1]} numbers, as many as the market's images have"
        raise Fault(("image",), f"{said}, found {len(image)}")


def _likeness(market: Market, axis: Axis, attributes: dict[str, float]) -> Likeness:
    """What is known, and what is new, by the attributes named."""
    columns = _static(market, axis)
    for name in attributes:
        if name not in columns:
            known = tuple(columns)
            there = ", ".join(known) or "it has none"
            said = f"expected static columns of the table ({there}), found {name!r:.60}{meant(name, known)}"
            raise Fault(("attributes", name), said)
    values = torch.stack([columns[name] for name in attributes], dim=1)
    return Likeness.of(values, torch.tensor(list(attributes.values()), dtype=values.dtype))


def _static(market: Market, axis: Axis) -> dict[str, Tensor]:
    """(N,) each static column of the table, mean over the other axis."""
    if market.panel is None:
        return {}
    across = 1 if axis == "locations" else 0
    return {
        covariate.name: torch.from_numpy(
            np.nan_to_num(np.nanmean(market.panel.dense(covariate.values[0]), axis=across)).astype(np.float64)
        )
        for covariate in market.panel.covariates
        if covariate.role == "static"
    }
