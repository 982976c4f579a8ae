"""pypricing as its guides have it: a Bayesian log-log model with cross effects and an instrument, by NUTS.

Its table has a row for each item and week, so the locations are taken together: geometric means of price and
demand above each series' usual ones, which leave a log-log model of the series a log-log model of their mean.
A model a category, in which every item answers every price; the guides' calendar, control function and
defaults. Stock-outs are imputed as for the other peers.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mercato.forecasters.features.history import History, build_history
from mercato.forecasters.panel import SalesPanel

from .dml import OwnElasticity, imputed_demand
from .features import log_price, log_sales, mean_known

_USUAL = 100.0  # what the index of demand is at usual prices in an ordinary week
_SAMPLER = {"draws": 500, "tune": 500, "chains": 2, "cores": 1, "progressbar": False}
_LEAST_WEEKS = 26  # with every item of a category on sale, to fit it on


class TooFewWeeks(ValueError):
    """A panel of which this peer has nothing to say."""


@dataclass(frozen=True)
class Bayesian:
    """Fitted models of the categories."""

    own: OwnElasticity
    models: tuple[Any, ...]  # a ``pypricing.LogLogDemandModel`` a category
    usual_price: np.ndarray  # (S, I) log
    usual_units: np.ndarray  # (I,) a week in all locations
    rhat: float  # largest of the models and the parameters that the package sums up
    divergences: int

    def units(self, price: np.ndarray) -> np.ndarray:
        """(I,) units of a week in all locations at prices (S, I), nothing being promoted."""
        index = np.exp((np.log(price) - self.usual_price).mean(0))
        out = np.zeros(len(index))
        for model in self.models:
            week = model.data[model.data["period"] == model.data["period"].max()]
            items = week["sku"].to_numpy()
            week = week.assign(price=index[items], **dict.fromkeys(model.control_names_, 0.0))
            out[items] = model.predict(week, random_seed=0)["quantity_mean"].to_numpy()
        return out / _USUAL * self.usual_units


def pypricing(panel: SalesPanel, seed: int = 0) -> Bayesian:
    """Fit every category.

    Raises:
        ImportError: pypricing is not installed.
        TooFewWeeks: with all items of a category on sale.
    """
    try:
        from pypricing import CrossElasticitySpec, LogLogDemandModel
    except ImportError as error:
        raise ImportError("this peer needs pypricing: pip install 'mercato[bayes]'") from error
    logging.getLogger("pymc").setLevel(logging.ERROR)
    history = build_history(panel)
    own = np.zeros((3, len(panel.items)))
    models, health = [], []
    for table in by_category(panel, history, imputed_demand(panel)):
        cross = CrossElasticitySpec("all") if table["sku"].nunique() > 1 else None
        model = LogLogDemandModel(cross_elasticity=cross, trend="shared", seasonality="auto")
        found = model.fit(table, random_seed=seed, **_SAMPLER).posterior["elasticity_sku"]
        draws = found.stack(draw_=("chain", "draw")).to_numpy()  # (items of the category, draws)
        own[:, model.sku_levels_] = np.stack([draws.mean(1), *np.quantile(draws, [0.05, 0.95], axis=1)])
        told = model.run_diagnostics(fit=False, benchmarks=False, sensitivity=False, instruments=False)
        models.append(model)
        health.append((told["max_rhat"], told["n_divergent"]))
    rhats, divergences = zip(*health, strict=True)
    level = mean_known(log_sales(history))[0]
    return Bayesian(
        OwnElasticity(*own),
        tuple(models),
        mean_known(log_price(history))[0],
        np.nansum(np.exp(level), axis=0),
        max(rhats),
        sum(divergences),
    )


def by_category(panel: SalesPanel, history: History, demand: np.ndarray) -> Sequence[pd.DataFrame]:
    """A table a category, a row for each week and item.

    ``sku`` is the item's number; ``price`` and ``quantity`` are indices, 1 and 100 where usual; promotions
    are controls, the declared cost shifter is the instrument. Weeks that lack an item of the category are
    left out: cross effects need every price.

    Args:
        demand: (T, S, I) log demand above the series' level, NaN where unknown.

    Raises:
        TooFewWeeks: fewer than 26 are left.
    """
    known = np.isfinite(demand)

    def mean_of_places(values: np.ndarray) -> np.ndarray:
        """(T, I) of what lies above the series' usual, of the locations that are known."""
        values = np.where(known, values, np.nan)
        return mean_known(values - mean_known(values), 1)[:, 0]

    columns = {
        "price": np.exp(mean_of_places(log_price(history))),
        "quantity": _USUAL * np.exp(mean_of_places(demand)),
    }
    for k, promo in enumerate(np.moveaxis(history.promo.double().numpy(), -1, 0)):
        columns[f"control_{k}"] = mean_known(np.where(known, promo, np.nan), 1)[:, 0]
    for k, shifter in enumerate(np.moveaxis(history.instrument.double().numpy(), -1, 0)):
        columns[f"iv_{k}"] = mean_of_places(shifter)
    tables = []
    for category in dict.fromkeys(panel.categories):
        items = np.array([i for i, name in enumerate(panel.categories) if name == category])
        weeks = np.nonzero(np.isfinite(columns["quantity"][:, items]).all(1))[0]
        if len(weeks) < _LEAST_WEEKS:
            raise TooFewWeeks(f"{category}: expected {_LEAST_WEEKS} with all items, found {len(weeks)}")
        cells = {name: values[np.ix_(weeks, items)].ravel() for name, values in columns.items()}
        index = {
            "period": np.repeat(panel.dates[weeks], len(items)),
            "sku": np.tile(items, len(weeks)),
        }
        tables.append(pd.DataFrame(index | cells))
    return tables
