"""Does the price response hold where prices are unusual? Fit on ordinary prices, score the unusual ones.

How unusual a row's price is: the size of its residual, in the item's standard deviations, after what could be
known before it was set (past demand, past prices and promotions, calendar; ridge, out of fold) and after the
mean price of the item in the other stores that week. What remains is a store's own departure, which a
forecaster has not seen the like of in that context.

Rows beyond the 80% quantile are never fitted on. Nor is anything of the weeks scored, ordinary rows included:
the other stores' sales of the same week would tell what the week brought. Weeks are held out in two ways:
*blocks* (three folds of blocks of eight weeks: every week is scored once, only prices have shifted)
and *last third* (nothing from its first week on is fitted; deals and price level have shifted as well). When
a week is forecast, every model sees all sales before it, held out or not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch

from mercato.forecasters.evaluation.metrics import DECILES, scores
from mercato.forecasters.features.history import History, build_history
from mercato.forecasters.fit import fit_demand
from mercato.forecasters.model import DemandModel
from mercato.forecasters.panel import SalesPanel
from mercato.forecasters.progress import SILENT, Progress
from mercato.forecasters.simulation.learned import LearnedDemand

from ..peers.dml import ridge
from ..peers.features import known_before, log_price, log_sales, mean_known, series_names
from ..peers.forecaster import fit_forecaster
from ..peers.unidentified import naive_model

ORDINARY = 0.8  # share of rows whose price counts as ordinary
_FOLDS, _BLOCK = 3, 8
_DRAWS = 2000  # of weeks, for the interval of a difference


@dataclass(frozen=True)
class Scored:
    """Forecasts of the weeks held out."""

    weeks: np.ndarray  # (W,) int
    deciles: Mapping[str, np.ndarray]  # (W, S, I, 9) of each model


def unusualness(panel: SalesPanel) -> np.ndarray:
    """(T, S, I) how far a price is from what its context let expect, in standard deviations; NaN unknown."""
    history = build_history(panel)
    sales, price = log_sales(history), log_price(history)
    sales, price = sales - mean_known(sales), price - mean_known(price)
    seen = np.isfinite(sales)
    known = np.where(seen, price, 0)
    count = seen.sum(1, keepdims=True) - seen
    others = (known.sum(1, keepdims=True) - known) / np.maximum(count, 1)
    before = known_before(sales, price, history)
    columns = np.concatenate([before, others[..., None], series_names(history)], axis=-1)
    seen[0] = False
    residual = price - ridge(columns, price[..., None], seen)[..., 0]
    residual = np.where(seen, residual, np.nan)
    return np.abs(residual) / np.nanstd(residual, axis=(0, 1))


def held_out_weeks(periods: int) -> dict[str, list[np.ndarray]]:
    """The weeks (W,) of each fold, by the name of the split."""
    fold = np.arange(periods) // _BLOCK % _FOLDS
    last = np.arange(periods) >= periods - periods // 3
    return {
        "blocks": [np.nonzero(fold == f)[0] for f in range(_FOLDS)],
        "last third": [np.nonzero(last)[0]],
    }


def policy_shift(panel: SalesPanel, seed: int = 0, progress: Progress = SILENT) -> dict:
    """``{split: {model: {unusual: scores, ordinary: scores}, differences: {…}}}``, see ``compare``."""
    far = unusualness(panel)
    limit = np.nanquantile(far, ORDINARY)
    unusual, ordinary = far > limit, far <= limit  # (T, S, I); a row that is unknown is neither
    result: dict = {}
    for split, folds in held_out_weeks(panel.periods).items():
        with progress.stage(f"policy shift, {split}", len(folds)) as stage:
            parts = []
            for weeks in folds:
                fitted = without(panel, unusual, weeks)
                parts.append(Scored(weeks, forecasts(fitted, panel, weeks, seed)))
                stage.advance()
        result[split] = compare(build_history(panel), parts, {"unusual": unusual, "ordinary": ordinary})
    return result


def without(panel: SalesPanel, rows: np.ndarray, weeks: np.ndarray) -> SalesPanel:
    """The panel up to its last week of use, units unknown in ``rows`` (T, S, I) and in ``weeks``."""
    hidden = rows[:, panel.series[:, 0], panel.series[:, 1]].copy()
    hidden[weeks] = True
    end = np.nonzero(~hidden.all(1))[0][-1] + 1
    return replace(panel, units=np.where(hidden, np.nan, panel.units)).window(0, int(end))


def forecasts(panel: SalesPanel, whole: SalesPanel, weeks: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """Deciles of ``weeks`` by the learned market, by the same with naive elasticities, and by LightGBM."""
    model = fit_demand(panel, seed=seed)
    return {
        "mercato": _one_step(model, whole, weeks),
        "mercato, naive elasticities": _one_step(naive_model(model, panel, seed), whole, weeks),
        "LightGBM": fit_forecaster(build_history(panel), seed).deciles(build_history(whole), weeks),
    }


def _one_step(model: DemandModel, whole: SalesPanel, weeks: np.ndarray) -> np.ndarray:
    demand = LearnedDemand.after(model, whole)
    runs = np.split(weeks, np.nonzero(np.diff(weeks) > 1)[0] + 1)
    return np.concatenate([one_step_deciles(demand, int(run[0]), int(run[-1]) + 1) for run in runs])


def one_step_deciles(demand: LearnedDemand, begin: int, end: int) -> np.ndarray:
    """(T', S, I, 9) least counts whose one-step-ahead probability reaches each decile, by bisection."""
    log_mean, log_r = demand.forecast(begin, end)
    most = (log_mean.exp() * (1 + 8 * (-log_r / 2).exp()) + 20).amax(-1).ceil()
    low, out = torch.full_like(most, -1), []  # the answer lies above low and is at most high
    for level in DECILES:
        high = most.clone()
        while bool((high - low > 1).any()):
            middle = ((low + high) / 2).floor()
            reached = demand.one_step_cdf(middle, begin, torch.ones_like(middle))[1] >= level
            low, high = torch.where(reached, low, middle), torch.where(reached, middle, high)
        out.append(high)
        low = high - 1
    return torch.stack(out, dim=-1).cpu().numpy()


def compare(history: History, parts: list[Scored], rows: Mapping[str, np.ndarray]) -> dict:
    """Scores of each model on each kind of rows, and how much the others' WQL on unusual rows is above.

    The differences come with 90% intervals from draws of whole weeks: a deal that surprises does so in every
    store at once.
    """
    units = history.units.double().numpy()
    result: dict = {}
    for kind, mask in rows.items():
        sums: dict[str, np.ndarray] = {}
        sold = np.where(mask, units, 0).sum((1, 2))
        for name in parts[0].deciles:
            actual = np.concatenate([units[p.weeks][mask[p.weeks]] for p in parts])
            deciles = np.concatenate([p.deciles[name][mask[p.weeks]] for p in parts])
            result.setdefault(name, {})[kind] = scores(actual, deciles)
            when = np.concatenate([p.weeks[np.nonzero(mask[p.weeks])[0]] for p in parts])
            sums[name] = np.bincount(when, weights=_pinball(actual, deciles), minlength=len(units))
        held = np.sort(np.concatenate([p.weeks for p in parts]))
        result.setdefault("differences", {})[kind] = _differences(
            {name: total[held] for name, total in sums.items()}, sold[held]
        )
    return result


def _pinball(actual: np.ndarray, deciles: np.ndarray) -> np.ndarray:
    levels, miss = np.array(DECILES), actual[:, None] - deciles
    return 2 * np.maximum(levels * miss, (levels - 1) * miss).mean(1)


def _differences(losses: Mapping[str, np.ndarray], sold: np.ndarray) -> dict[str, list[float]]:
    """WQL of each other model less the first's: the difference and its 90% interval, from losses (W,)."""
    first, *others = losses
    draws = np.random.default_rng(0).integers(len(sold), size=(_DRAWS, len(sold)))
    out = {}
    for name in others:
        gap = losses[name] - losses[first]
        drawn = gap[draws].sum(1) / sold[draws].sum(1)
        out[name] = [float(gap.sum() / sold.sum()), *map(float, np.quantile(drawn, (0.05, 0.95)))]
    return out
