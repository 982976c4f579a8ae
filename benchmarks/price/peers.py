"""What others say of a panel: own elasticities by item and, of who can tell, joint moves.

Who is not installed, or cannot read the panel, has no figure. Nothing here needs a learned market.
"""

from __future__ import annotations

import time

import numpy as np
import torch

from ..peers.bayes import TooFewWeeks, pypricing
from ..peers.dml import OwnElasticity, lightgbm_dml, ridge_dml
from .elasticities import Row, true_own
from .joint import joint_errors
from .market import Drawn


def peers(market: Drawn) -> Row:
    """Double machine learning off the shelf, and a Bayesian log-log model."""
    row = _own("ridge_dml", ridge_dml(market.panel), market)
    try:
        row |= _own("lightgbm_dml", lightgbm_dml(market.panel), market)
    except ImportError:
        row |= _own("lightgbm_dml", None, market)
    return row | _bayesian(market)


def _bayesian(market: Drawn) -> Row:
    began = time.perf_counter()
    try:
        found = pypricing(market.panel)
    except (ImportError, TooFewWeeks):
        return _own("pypricing", None, market)
    seconds = time.perf_counter() - began
    joint = joint_errors(market, lambda price: torch.from_numpy(found.units(price.double().numpy())))
    return {
        **_own("pypricing", found.own, market),
        **{f"{figure}_pypricing": value for figure, value in joint.items()},
        "rhat_pypricing": found.rhat,
        "divergences_pypricing": found.divergences,
        "seconds_pypricing": seconds,
    }


def _own(name: str, found: OwnElasticity | None, market: Drawn) -> Row:
    names = [f"item_mae_{name}", f"item_bias_{name}", f"items_covered_90_{name}"]
    if found is None:
        return dict.fromkeys(names)
    item = true_own(market.truth).nanmean(0).double().numpy()
    error, covered = found.own - item, (found.lo <= item) & (item <= found.hi)
    return dict(zip(names, map(float, (np.abs(error).mean(), error.mean(), covered.mean())), strict=True))
