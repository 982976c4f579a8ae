"""Estimation that knows nothing of shops: count distributions, mixed regressions, cross-fitting, terms."""

from .common_shocks import CommonShocks, estimate_common_shocks, gamma_share
from .cross_fit import FOLDS, predict
from .distributions import (
    gamma_table,
    grain,
    nb_log_prob,
    nb_log_survival,
    nb_mean_above,
    nb_mixture_cdf,
    nb_sample,
    nb_survival_score,
    poisson_quantile,
    row_log_likelihood,
)
from .explanation import Explanation, integrated_gradients, shapley
from .likeness import Likeness
from .mixed import BLOCK, Effects, Fit, Group, Rows, effects, fit_mixed, left_out
from .product_limit import uncensored
from .steps import lasting_steps
from .stock_outs import StockOuts, expected_demand, unseen
from .terms import MISLED, OPEN, SEASONAL, TERMS, Estimates, clear, pool, prior, shrink, student

__all__ = [
    "BLOCK",
    "FOLDS",
    "MISLED",
    "OPEN",
    "SEASONAL",
    "TERMS",
    "CommonShocks",
    "Effects",
    "Estimates",
    "Explanation",
    "Fit",
    "Group",
    "Likeness",
    "Rows",
    "StockOuts",
    "clear",
    "effects",
    "estimate_common_shocks",
    "expected_demand",
    "fit_mixed",
    "gamma_share",
    "gamma_table",
    "grain",
    "integrated_gradients",
    "lasting_steps",
    "left_out",
    "nb_log_prob",
    "nb_log_survival",
    "nb_mean_above",
    "nb_mixture_cdf",
    "nb_sample",
    "nb_survival_score",
    "poisson_quantile",
    "pool",
    "predict",
    "prior",
    "row_log_likelihood",
    "shapley",
    "shrink",
    "student",
    "uncensored",
    "unseen",
]
