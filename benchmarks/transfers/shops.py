"""A shop before the customers of several models, and before the true ones."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

from mercato.app.benchmarking import behind
from mercato.envs.economics import Economics
from mercato.envs.market import Market
from mercato.envs.store import fitted_market
from mercato.envs.structural import FAMILIES, Size, truth_folder
from mercato.forecasters.evaluation import Forecaster, anchored_to_forecast
from mercato.forecasters.fit import fit_demand
from mercato.forecasters.market_model import Recipe, shipped
from mercato.forecasters.model import DemandModel
from mercato.forecasters.panel import SalesPanel, read_panel

from ..peers.unidentified import naive_model


@dataclass(frozen=True)
class Shop:
    """One shop before the customers of each model and before the true ones, seen through each model."""

    fitted: Market
    naive: Market  # fitted without identification
    true: Market  # seen through the fitted model
    true_by_naive: Market
    known: Market  # demand is forecast as it really is


def open_shop(family: str, seed: int, size: Size, economics: Economics) -> Shop:
    """Make a panel, fit it with and without identification, and open its true market."""
    panel, model, naive, folder = _fits(family, seed, size)
    fitted = fitted_market(model, panel, economics, "fitted")
    unidentified = fitted_market(naive, panel, economics, "naive")
    truth = truth_folder(Path(folder.name) / "panel.parquet")
    true, true_by_naive = behind(fitted, truth), behind(unidentified, truth)
    known = true.with_demand(true.demand.nature)  # type: ignore[attr-defined]
    return Shop(fitted, unidentified, true, true_by_naive, known)


@lru_cache(maxsize=1)  # a panel is asked for again with other economics
def _fits(
    family: str, seed: int, size: Size
) -> tuple[SalesPanel, DemandModel, DemandModel, TemporaryDirectory[str]]:
    """A panel, its models with and without identification, and the folder that holds its truth."""
    folder = TemporaryDirectory()
    panel = read_panel(FAMILIES[family].write(Path(folder.name) / "panel.parquet", seed, size))
    model = fit_demand(panel, seed=seed)
    naive = naive_model(model, panel, seed)
    forecaster = Forecaster(shipped(), Recipe(trees=False))
    fitted = anchored_to_forecast(model, panel, forecaster, seed)
    return panel, _unpromoted(fitted), _unpromoted(naive), folder


def _unpromoted(model: DemandModel) -> DemandModel:
    """The model without promotions in play: nobody plans any in the true market."""
    return replace(model, response=model.response.without_promotions())
