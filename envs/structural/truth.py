"""A true market with the history it went through: saved to plain files, told as tables, played."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from ...forecasters.errors import InputError
from ...forecasters.seal import sealed, unsealed
from ...forecasters.tensors import numbered, positions
from ..economics import Economics
from ..engine.support import SUPPORT, PriceLists
from ..folders import replace_folder
from ..market import Market, Terms
from .addressed import AddressedDemand
from .attraction import AttractionDemand
from .channels import ChannelDemand
from .family import StructuralDemand
from .leaving import LeavingDemand
from .log_linear import LogLinearDemand
from .nested_logit import NestedLogitDemand
from .records import map_tensors, pack, unpack
from .retailer import History
from .stockpiling import StockpilingDemand
from .weekdays import DailyDemand
from .zones import ZonedDemand

PROCESSES: dict[str, type] = {
    "log-linear": LogLinearDemand,
    "nested-logit": NestedLogitDemand,
    "attraction": AttractionDemand,
    "stockpiling": StockpilingDemand,
    "daily": DailyDemand,
    "zones": ZonedDemand,
    "leaving": LeavingDemand,
    "channels": ChannelDemand,
    "addressed": AddressedDemand,
}
"""Class of the demand process by the name that truth.json gives it."""

_ABOUT, _TENSORS, _FORMAT = "truth.json", "truth.safetensors", 1
_LEAST_DEMAND = 1e-3  # units a period that scales divide by, where nothing is sold


def is_truth(folder: Path) -> bool:
    """Whether a folder says that it holds the truth of a panel."""
    return (folder / _ABOUT).is_file()


@dataclass(frozen=True)
class Truth:
    """What really goes on behind a panel."""

    demand: StructuralDemand
    history: History

    def __repr__(self) -> str:
        shop = self.demand.shop
        return (
            f"Truth(locations={len(shop.locations)}, items={len(shop.items)},"
            f" periods={len(self.history.price)}, demand={type(self.demand).__name__})"
        )

    @property
    def dates(self) -> np.ndarray:
        """(T,) datetime64[D], start of each period."""
        shop = self.demand.shop
        return np.datetime64(shop.first_day, "D") + shop.days * np.arange(len(self.history.price))

    @cached_property
    def listed(self) -> Tensor:
        """(T, S, I) bool, what was sold where in each period of the history."""
        return self.demand.shop.assortment(len(self.history.price))

    @cached_property
    def sold(self) -> Tensor:
        """(S, I) bool, what was sold where at any time."""
        return self.listed.any(0)

    def cross(self) -> Tensor:
        """(I, I) cross elasticities as the process has them, mean of the locations that sold both items at a
        time; NaN where none did."""
        kept = self.listed.float()
        both = (torch.einsum("tsi,tsj->sij", kept, kept) > 0).float()
        return (self.demand.cross() * both).sum(0) / both.sum(0)

    def select(self, locations: Sequence[str] | None = None, items: Sequence[str] | None = None) -> Truth:
        """The sub-market, with the same customers and the same history."""
        shop = self.demand.shop
        places, goods = positions(shop.locations, locations), positions(shop.items, items)
        history = map_tensors(self.history, lambda column: column[:, places][:, :, goods])
        return Truth(self.demand.select(locations, items), history)

    def save(self, folder: str | Path) -> None:
        """Write truth.json, truth.safetensors, own.csv, cross.csv and series.csv into ``folder``, which is
        replaced as a whole.

        Raises:
            InputError: the folder holds something else.
        """
        folder = Path(folder)
        if folder.is_dir() and any(folder.iterdir()) and not (folder / _ABOUT).exists():
            raise InputError(f"{folder}: expected a truth folder to replace or a new name, found another")
        folder.parent.mkdir(parents=True, exist_ok=True)
        replace_folder(folder, self._write)

    def _write(self, folder: Path) -> None:
        process = next(name for name, kind in PROCESSES.items() if type(self.demand) is kind)
        demand, demand_values = pack(self.demand, "demand.")
        history, _ = pack(self.history, "history.")
        save_file(demand | history, folder / _TENSORS)
        for name, table in self.tables().items():
            table.to_csv(folder / f"{name}.csv", index=False)
        about = {"format": _FORMAT, "process": process, "demand": demand_values}
        (folder / _ABOUT).write_text(json.dumps(sealed(about, folder, [_TENSORS]), indent=1) + "\n")

    @staticmethod
    def load(folder: str | Path) -> Truth:
        """The truth that ``save`` wrote.

        Raises:
            InputError: the folder holds no truth, or a broken one.
        """
        folder = Path(folder)
        told = unsealed(folder, _ABOUT, "the truth of a panel", _FORMAT)
        try:
            tensors = load_file(folder / _TENSORS)
            demand: StructuralDemand = unpack(PROCESSES[told["process"]], tensors, told["demand"], "demand.")
            return Truth(demand, unpack(History, tensors, {}, "history."))
        except (OSError, KeyError, TypeError, ValueError, SafetensorError) as error:
            raise InputError(f"truth folder {folder}: expected a saved truth, found {error!r}") from error

    def tables(self) -> dict[str, pd.DataFrame]:
        """Tables of the truth: ``own`` and ``series`` by series, ``cross`` by pair (mean of locations).

        Of what was never sold they say nothing. A family may tell of more laws of its own.
        """
        shop = self.demand.shop
        keys = pd.MultiIndex.from_product([shop.locations, shop.items], names=["location", "item"])
        pairs = pd.MultiIndex.from_product([shop.items, shop.items], names=["item", "other_item"])
        series = {
            "units": self.demand.level().exp(),
            "reference_price": shop.reference_price,
            "unit_cost": shop.unit_cost,
            "income": shop.income.unsqueeze(1).expand(keys.levshape),
        }
        sold = self.sold.flatten().numpy()
        own = pd.DataFrame({"elasticity": _column(self.demand.own())}, index=keys)[sold]
        cross = pd.DataFrame({"elasticity": _column(self.cross())}, index=pairs).dropna().reset_index()
        usual = pd.DataFrame({k: _column(v) for k, v in series.items()}, index=keys)[sold]
        return {
            "own": own.reset_index(),
            "cross": cross[cross["item"] != cross["other_item"]].reset_index(drop=True),
            "series": usual.reset_index(),
            **self.demand.laws(),
        }


def _column(values: Tensor) -> np.ndarray:
    return values.reshape(-1).double().numpy().round(6)


def true_market(truth: Truth, economics: Economics | None = None) -> Market:
    """The market behind the panel, as an environment to play.

    By series: the reference price is the median logged price, the supported range the middle 95% of them,
    unit cost the median logged one, all over the periods in which the item is listed. What never is has its
    usual price and cost, and the range of the other locations.
    """
    history, demand = truth.history, truth.demand
    return Market(
        name="truth",
        dates=truth.dates,
        frequency=demand.shop.frequency,
        categories=demand.shop.categories,
        price_groups=demand.locations,
        economics=economics or Economics(),
        terms=_terms(truth),
        demand=demand,
        logged_price=history.price,
    )


def _terms(truth: Truth) -> Terms:
    demand, shop = truth.demand, truth.demand.shop
    log_price = truth.history.price.double().log().where(truth.listed, torch.nan)
    cost = torch.nanmedian(truth.history.cost.where(truth.listed, torch.nan), dim=0).values
    low, middle, high = (torch.nanquantile(log_price, q, dim=0) for q in (SUPPORT[0], 0.5, SUPPORT[1]))
    usual = torch.where(truth.sold, middle, shop.reference_price.double().log())

    def elsewhere(end: Tensor) -> Tensor:
        return torch.where(truth.sold, end, usual + torch.nanmedian(end - middle, dim=0).values)

    reference, states = usual.exp().float(), demand.realised
    expected = demand.expected(states, reference.expand(demand.periods + 1, *reference.shape))
    weeks = shop.assortment(demand.periods + 1).sum(0)
    typical = (expected.sum(0) / weeks.clamp(min=1)).clamp(min=_LEAST_DEMAND)
    categories = numbered(shop.categories)
    return Terms(
        reference_price=reference,
        price_low=elsewhere(low).exp().float(),
        price_high=elsewhere(high).exp().float(),
        unit_cost=torch.where(truth.sold, cost, shop.unit_cost),
        typical_demand=typical,
        lists=PriceLists.tried(log_price.nan_to_num(0) - usual, truth.listed, categories, typical),
    )
