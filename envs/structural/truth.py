"""A true market with the history it went through: saved to plain files, told as tables, played."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from ...forecasters.cut import positions
from ...forecasters.errors import InputError
from ..economics import Economics
from ..market import Market, Terms
from .family import StructuralDemand
from .log_linear import LogLinearDemand
from .nested_logit import NestedLogitDemand
from .records import map_tensors, pack, unpack
from .retailer import History
from .stockpiling import StockpilingDemand

PROCESSES: dict[str, type] = {
    "log-linear": LogLinearDemand,
    "nested-logit": NestedLogitDemand,
    "stockpiling": StockpilingDemand,
}
"""Class of the demand process by the name that truth.json gives it."""

SUPPORT = (0.025, 0.975)  # quantiles of log price between which prices count as supported


@dataclass(frozen=True)
class Truth:
    """What really goes on behind a panel."""

    demand: StructuralDemand
    history: History

    @property
    def dates(self) -> np.ndarray:
        """(T,) datetime64[D], start of each week."""
        weeks = np.arange(len(self.history.price))
        return np.datetime64(self.demand.shop.first_day, "D") + 7 * weeks

    def select(self, locations: Sequence[str] | None = None, items: Sequence[str] | None = None) -> Truth:
        """The sub-market, with the same customers and the same history."""
        shop = self.demand.shop
        places, goods = positions(shop.locations, locations), positions(shop.items, items)
        history = map_tensors(self.history, lambda column: column[:, places][:, :, goods])
        return Truth(self.demand.select(locations, items), history)

    def save(self, folder: str | Path) -> None:
        """Write truth.json, truth.safetensors, own.csv, cross.csv and series.csv into ``folder``."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        process = next(name for name, kind in PROCESSES.items() if type(self.demand) is kind)
        demand, demand_values = pack(self.demand, "demand.")
        history, _ = pack(self.history, "history.")
        save_file(demand | history, folder / "truth.safetensors")
        (folder / "truth.json").write_text(
            json.dumps({"process": process, "demand": demand_values}, indent=1) + "\n"
        )
        for name, table in self.tables().items():
            table.to_csv(folder / f"{name}.csv", index=False)

    @staticmethod
    def load(folder: str | Path) -> Truth:
        """The truth that ``save`` wrote.

        Raises:
            InputError: the folder holds no truth, or a broken one.
        """
        folder = Path(folder)
        try:
            told = json.loads((folder / "truth.json").read_text())
            tensors = load_file(folder / "truth.safetensors")
            demand: StructuralDemand = unpack(PROCESSES[told["process"]], tensors, told["demand"], "demand.")
            return Truth(demand, unpack(History, tensors, {}, "history."))
        except OSError as error:
            raise InputError(
                f"truth folder {folder}: expected truth.json and truth.safetensors, found {error}"
            ) from None
        except (KeyError, TypeError, ValueError, SafetensorError) as error:
            raise InputError(f"truth folder {folder}: expected a saved truth, found {error!r}") from error

    def tables(self) -> dict[str, pd.DataFrame]:
        """Tables of the truth: ``own`` and ``series`` by series, ``cross`` by pair (mean of locations)."""
        shop = self.demand.shop
        keys = pd.MultiIndex.from_product([shop.locations, shop.items], names=["location", "item"])
        pairs = pd.MultiIndex.from_product([shop.items, shop.items], names=["item", "other_item"])
        series = {
            "units": self.demand.level().exp(),
            "reference_price": shop.reference_price,
            "unit_cost": shop.unit_cost,
            "income": shop.income.unsqueeze(1).expand(keys.levshape),
        }
        own = pd.DataFrame({"elasticity": _column(self.demand.own())}, index=keys).reset_index()
        cross = pd.DataFrame({"elasticity": _column(self.demand.cross().mean(0))}, index=pairs).reset_index()
        return {
            "own": own,
            "cross": cross[cross["item"] != cross["other_item"]].reset_index(drop=True),
            "series": pd.DataFrame({k: _column(v) for k, v in series.items()}, index=keys).reset_index(),
        }


def _column(values: Tensor) -> np.ndarray:
    return values.reshape(-1).double().numpy().round(6)


def true_market(truth: Truth, economics: Economics | None = None) -> Market:
    """The market behind the panel, as an environment to play.

    By series: the reference price is the median logged price, the supported range the middle 95% of them,
    unit cost the median logged one.
    """
    history, demand = truth.history, truth.demand
    log_price = history.price.double().log()
    low, middle, high = (
        torch.quantile(log_price, q, dim=0).exp().float() for q in (SUPPORT[0], 0.5, SUPPORT[1])
    )
    states = demand.realised
    terms = Terms(
        reference_price=middle,
        price_low=low,
        price_high=high,
        unit_cost=history.cost.median(dim=0).values,
        typical_demand=demand.expected(states, middle.expand(demand.periods + 1, *middle.shape)).mean(0),
    )
    return Market(
        name="truth",
        dates=truth.dates,
        frequency="W",
        categories=demand.shop.categories,
        price_groups=demand.locations,
        economics=economics or Economics(),
        terms=terms,
        demand=demand,
        logged_price=history.price,
    )
