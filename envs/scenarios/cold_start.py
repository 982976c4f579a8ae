"""What is known of a location or an item without history: what its attributes make of it."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from ...forecasters.names import meant
from ...forecasters.statistics import Likeness
from ..market import Market
from ..settings_file import Fault

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
