"""Double machine learning as one would do it off the shelf: own elasticity by item.

Robinson's partialling out with cross-fitted nuisances (Chernozhukov et al. 2018, doi:10.1111/ectj.12097):
log demand, log price and promotions are predicted from what was known before the price was set, on blocks of
weeks that were not fitted on; then, item by item, the residual of demand is regressed on the residuals of its
price, of its rivals' prices and of promotion. Standard errors are clustered by week. Stock-outs are imputed
with the mean of a log-normal demand given that it was at least the sales.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from mercato.forecasters.features.history import History, build_history
from mercato.forecasters.panel import SalesPanel

from .features import known_before, log_price, log_sales, mean_known, series_names
from .trees import grow

FOLDS, BLOCK = 5, 6  # a fold is every fifth block of six weeks
ROUNDS = 6  # imputation and regression need each other's result
_PENALTIES = (3.0, 30.0, 300.0)  # in rows' worth of prior; the best out of fold, by item and target
_NINETY = 1.645
_TREES = {"num_leaves": 31, "min_data_in_leaf": 40, "learning_rate": 0.05, "num_iterations": 200}


@dataclass(frozen=True)
class OwnElasticity:
    """Own elasticities by item, with 90% intervals."""

    own: np.ndarray  # (I,)
    lo: np.ndarray  # (I,)
    hi: np.ndarray  # (I,)


Nuisance = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""(features (T, S, I, P), the last two names of location and item,
targets (T, S, I, R), targets (T, S, I, R), rows (T, S, I) bool) → predictions (T, S, I, R), out of fold."""


def ridge_dml(panel: SalesPanel) -> OwnElasticity:
    """DML with ridge nuisances by item, series effects among the columns."""
    return _after_rounds(panel, ridge)[0]


def lightgbm_dml(panel: SalesPanel, seed: int = 0) -> OwnElasticity:
    """DML with LightGBM nuisances over all series; stock-outs imputed as the ridge has it.

    Raises:
        ImportError: LightGBM is not installed.
    """
    return _one_round(panel, build_history(panel), imputed_demand(panel), _Trees(seed))[0]


def imputed_demand(panel: SalesPanel) -> np.ndarray:
    """(T, S, I) log demand above the series' level, stock-outs imputed by ridge; NaN where unknown."""
    return _after_rounds(panel, ridge)[1]


def expected_log_demand(panel: SalesPanel) -> np.ndarray:
    """(T, S, I) log demand expected at the row's own price and promotion, out of fold, by ridge."""
    history = build_history(panel)
    _, fitted = _one_round(panel, history, imputed_demand(panel), ridge)
    return fitted + mean_known(log_sales(history))


def _after_rounds(panel: SalesPanel, nuisance: Nuisance) -> tuple[OwnElasticity, np.ndarray]:
    """The estimate, and log demand (T, S, I) above the level of sales with stock-outs imputed."""
    history = build_history(panel)
    observed = log_sales(history)
    observed = observed - mean_known(observed)
    censored = (history.censored.numpy() > 0) & np.isfinite(observed)
    demand, hidden = observed, np.zeros_like(observed)
    found, fitted = _one_round(panel, history, demand, nuisance)
    for _ in range(ROUNDS - 1 if censored.any() else 0):
        spread = np.sqrt(np.nanmean(np.square(demand - fitted) + hidden, axis=(0, 1)))
        demand, hidden = _impute(observed, censored, fitted, np.maximum(spread, 0.05))
        found, fitted = _one_round(panel, history, demand, nuisance)
    return found, demand


def _impute(
    observed: np.ndarray, censored: np.ndarray, fitted: np.ndarray, spread: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance (T, S, I) of a normal log demand that was at least the sales where censored."""
    z = np.clip((observed - fitted) / spread, -6, 6)
    mills = np.exp(norm.logpdf(z) - norm.logsf(z))
    mean = np.where(censored, np.maximum(fitted + spread * mills, observed), observed)
    return mean, np.where(censored, np.square(spread) * np.clip(1 + z * mills - mills**2, 0, 1), 0)


def _one_round(
    panel: SalesPanel, history: History, demand: np.ndarray, nuisance: Nuisance
) -> tuple[OwnElasticity, np.ndarray]:
    """The estimate; log demand expected at the prices charged (T, S, I)."""
    rows = np.isfinite(demand)
    rows[0] = False
    price = log_price(history) - mean_known(log_price(history))
    targets = np.concatenate([demand[..., None], price[..., None], history.promo.double().numpy()], axis=-1)
    columns = _columns(demand, price, history)
    predicted = nuisance(columns, targets, rows)
    residual = targets - predicted
    goods = demand.shape[2]
    own, error, fitted = np.zeros(goods), np.zeros(goods), predicted[..., 0].copy()
    for item in range(goods):
        rivals = [j for j in range(goods) if j != item and panel.categories[j] == panel.categories[item]]
        regressors = np.concatenate(
            [residual[:, :, [item, *rivals], 1], residual[:, :, item, 2:]], axis=-1
        )  # (T, S, R)
        keep = rows[:, :, item]
        slopes, errors = least_squares(regressors[keep], residual[:, :, item, 0][keep], np.nonzero(keep)[0])
        own[item], error[item] = slopes[0], errors[0]
        fitted[:, :, item] += regressors @ slopes
    half = _NINETY * error
    return OwnElasticity(own, own - half, own + half), fitted


def _columns(demand: np.ndarray, price: np.ndarray, history: History) -> np.ndarray:
    """What was known before, with a trend (folds interleave, so it interpolates), and the series' names."""
    trend = np.linspace(-1, 1, history.periods).reshape(-1, 1, 1, 1)
    trend = np.broadcast_to(trend, (*demand.shape, 1))
    return np.concatenate([known_before(demand, price, history), trend, series_names(history)], axis=-1)


def least_squares(x: np.ndarray, y: np.ndarray, cluster: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Slopes and cluster-robust standard errors (Liang and Zeger 1986), with the G/(G − 1) correction.

    Args:
        x: (N, R) regressors, centred; y: (N,); cluster: (N,) int, who errs together.
    """
    inverse = np.linalg.pinv(x.T @ x)
    slopes = inverse @ (x.T @ y)
    score = x * (y - x @ slopes)[:, None]
    _, group = np.unique(cluster, return_inverse=True)
    groups = int(group.max()) + 1
    sums = np.stack([np.bincount(group, weights=column, minlength=groups) for column in score.T], axis=1)
    covariance = inverse @ (sums.T @ sums) @ inverse * groups / max(1, groups - 1)
    return slopes, np.sqrt(covariance.diagonal())


def week_folds(periods: int) -> np.ndarray:
    """(T,) fold of each period."""
    return np.arange(periods) // BLOCK % FOLDS


def ridge(features: np.ndarray, targets: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The ``Nuisance`` of ``ridge_dml``: item by item, with an effect of each location."""
    periods, places, goods, count = targets.shape
    fold = np.repeat(week_folds(periods), places)
    effects = np.tile(np.eye(places), (periods, 1))
    out = np.zeros_like(targets)
    for item in range(goods):
        x = np.nan_to_num(features[:, :, item, :-2].reshape(periods * places, -1))
        x = np.concatenate([x / np.maximum(x.std(0), 1e-6), effects, np.ones((len(x), 1))], axis=1)
        y = np.nan_to_num(targets[:, :, item].reshape(periods * places, count))
        keep = rows[:, :, item].reshape(-1)
        guesses = _ridge_out_of_fold(x, y, keep, fold)  # (C, N, R)
        best = np.square(guesses - y)[:, keep].sum(1).argmin(0)
        chosen = np.take_along_axis(guesses, best[None, None], axis=0)[0]
        out[:, :, item] = chosen.reshape(periods, places, count)
    return out


def _ridge_out_of_fold(x: np.ndarray, y: np.ndarray, keep: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """(C, N, R) predictions of targets (N, R) by every penalty; the last column of x is the constant."""
    prior = np.r_[np.ones(x.shape[1] - 1), 1e-6]
    out = np.zeros((len(_PENALTIES), *y.shape))
    for f in range(FOLDS):
        fit, read = keep & (fold != f), fold == f
        gram, moment = x[fit].T @ x[fit], x[fit].T @ y[fit]
        for c, strength in enumerate(_PENALTIES):
            out[c, read] = x[read] @ np.linalg.solve(gram + np.diag(strength * prior), moment)
    return out


@dataclass(frozen=True)
class _Trees:
    """Gradient-boosted trees over all series, one model a target and fold, on top of series' means."""

    seed: int

    def __call__(self, features: np.ndarray, targets: np.ndarray, rows: np.ndarray) -> np.ndarray:
        periods, places, goods, count = targets.shape
        width = features.shape[-1]
        out = np.zeros_like(targets)
        for f in range(FOLDS):
            read = week_folds(periods) == f
            fit = rows & ~read[:, None, None]
            for r in range(count):
                y = targets[..., r]
                weight = fit.sum(0)
                mean = np.where(fit, y, 0).sum(0) / np.maximum(weight, 1)
                model = grow(
                    features[fit], (y - mean)[fit], [width - 2, width - 1], {**_TREES, "seed": self.seed}
                )
                guess = model.predict(features[read].reshape(-1, width), num_threads=1)
                out[read, ..., r] = guess.reshape(-1, places, goods) + mean
        return out
