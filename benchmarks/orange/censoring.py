"""Rows censored on purpose: how far is mean demand, learned from a table with stock-outs, from the truth?

Every row gets a shelf: the demand expected of it (ridge on the past, its price and promotion, out of fold)
times a random factor, scaled so that the wanted share of rows sells out. A sold-out row shows the stock in
place of demand and says that it was censored.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from mercato.forecasters.features.history import build_history
from mercato.forecasters.fit import fit_demand
from mercato.forecasters.identification.nuisance import impute_demand
from mercato.forecasters.panel import SalesPanel
from mercato.forecasters.progress import SILENT, Progress
from mercato.forecasters.simulation.learned import LearnedDemand

from ..peers.dml import expected_log_demand

SHARE = 0.15  # of rows that sell out
_SPREAD = 0.3  # of the log of the random factor: stock is planned, with error


def censor(panel: SalesPanel, share: float = SHARE, seed: int = 0) -> SalesPanel:
    """The panel with about ``share`` of its known rows sold out."""
    series = (slice(None), panel.series[:, 0], panel.series[:, 1])
    noise = np.random.default_rng(seed).normal(0, _SPREAD, panel.units.shape)
    shelf = expected_log_demand(panel)[series] + noise
    beyond = np.log(panel.units + 0.5) - shelf
    stock = np.floor(np.exp(shelf + np.nanquantile(beyond, 1 - share)))
    out = panel.units > stock
    return replace(
        panel,
        units=np.where(out, stock, panel.units).astype(np.float32),
        censored=np.where(out, 1.0, panel.censored).astype(np.float32),
    )


def bias_of_mean_demand(panel: SalesPanel, seed: int = 0, progress: Progress = SILENT) -> list[dict]:
    """``{table, share_censored, demand, model}`` of four tables that show the same customers.

    ``demand`` is the relative error of the table's mean demand once stock-outs are imputed, ``model`` that of
    the fitted market's mean, one step ahead at the prices charged, on all rows that were truly observed.
    """
    cut = censor(panel, seed=seed)
    empty = cut.censored > 0
    tables = {
        "whole": panel,
        "stock-outs declared": cut,
        "stock-outs ignored": replace(cut, censored=np.zeros_like(cut.censored)),
        "sold-out rows dropped": replace(
            cut, units=np.where(empty, np.nan, cut.units), censored=np.zeros_like(cut.censored)
        ),
    }
    truth = build_history(panel)
    rows = truth.known.clone()
    rows[0] = False  # nothing precedes it
    mean = float(truth.units[rows].mean())
    lines = []
    with progress.stage("censored on purpose", len(tables)) as stage:
        for name, table in tables.items():
            model = fit_demand(table, seed=seed)
            demand = LearnedDemand.after(model, table)
            shown = impute_demand(build_history(table), model.response)
            lines.append(
                {
                    "table": name,
                    "share_censored": float(empty[np.isfinite(panel.units)].mean()),
                    "demand": float(shown.demand[rows & shown.known].mean()) / mean - 1,
                    "model": float(expected_demand(demand)[rows].mean()) / mean - 1,
                }
            )
            stage.advance()
    return lines


def expected_demand(demand: LearnedDemand) -> torch.Tensor:
    """(T, S, I) mean demand of each period from what precedes it, at its own price and promotion."""
    log_mean, _ = demand.one_step(0, demand.periods)
    return log_mean.exp().mean(-1)
