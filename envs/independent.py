"""A market of independent demand on disk: terms, economics and demand as they were stated."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.torch import load_file, save_file
from torch import Tensor

from ..forecasters.errors import InputError
from ..forecasters.seal import sealed, unsealed
from .economics import Economics
from .folders import replace_folder
from .market import Market, Terms
from .processes import Independent
from .processes.counts import from_spec, to_spec
from .processes.iid import CURVES

ABOUT = "independent.json"
_TENSORS, _WHAT, _FORMAT = "independent.safetensors", "a market of independent demand", 1
_TERMS = ("reference_price", "price_low", "price_high", "unit_cost", "typical_demand")
_DEMAND = ("base", "reference_price", "elasticity")


def write_independent(market: Market, folder: Path) -> None:
    """Write the folder whole or not at all; what is there is replaced.

    Raises:
        InputError: demand is not ``Independent``, or of a family or curve that has no name.
    """
    about, tensors = _told(market)

    def write(new: Path) -> None:
        save_file(tensors, new / _TENSORS)
        (new / ABOUT).write_text(json.dumps(sealed(about, new, [_TENSORS]), indent=1) + "\n")

    folder.parent.mkdir(parents=True, exist_ok=True)
    replace_folder(folder, write)


def read_independent(folder: Path) -> Market:
    """The market that ``write_independent`` wrote.

    Raises:
        InputError: there is none, or it is damaged.
    """
    about = unsealed(folder, ABOUT, _WHAT, _FORMAT)
    tensors, demand = load_file(folder / _TENSORS), about["demand"]
    return Market(
        name=about["name"],
        dates=np.array(about["dates"], dtype="datetime64[D]"),
        frequency=about["frequency"],
        categories=tuple(about["categories"]),
        price_groups=tuple(about["price_groups"]),
        economics=Economics(**about["economics"]),
        terms=Terms(lists=None, **{name: tensors[f"terms.{name}"] for name in _TERMS}),
        demand=Independent(
            from_spec(demand["counts"]),
            curve=CURVES[demand["curve"]],
            locations=demand["locations"],
            items=demand["items"],
            periods=demand["periods"],
            **{name: tensors[f"demand.{name}"] for name in _DEMAND if f"demand.{name}" in tensors},
        ),
        first_start=about["first_start"],
    )


def _told(market: Market) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """What a market is made of: values that JSON can hold, and tensors."""
    demand = market.demand
    if not isinstance(demand, Independent) or market.terms.lists is not None or market.panel is not None:
        raise InputError(f"{market.name}: expected {_WHAT}, found {type(demand).__name__}")
    if (curve := next((name for name, kind in CURVES.items() if kind is demand.curve), None)) is None:
        raise InputError(f"{market.name}: expected a curve of {', '.join(CURVES)}, found {demand.curve}")
    parts = {f"terms.{name}": getattr(market.terms, name) for name in _TERMS}
    parts |= {f"demand.{name}": getattr(demand, name) for name in _DEMAND}
    about = {
        "format": _FORMAT,
        "name": market.name,
        "dates": market.dates.astype("datetime64[D]").astype(str).tolist(),
        "frequency": market.frequency,
        "categories": market.categories,
        "price_groups": market.price_groups,
        "economics": market.economics.model_dump(exclude_unset=True),
        "first_start": market.first_start,
        "demand": {
            "counts": to_spec(demand.counts),
            "curve": curve,
            "locations": demand.locations,
            "items": demand.items,
            "periods": demand.periods,
        },
    }
    return about, {name: part.cpu().contiguous().clone() for name, part in parts.items() if part is not None}
