"""LightGBM through its own interface, one thread, the same numbers from the same seed."""

from __future__ import annotations

from typing import Any

import numpy as np

_COMMON = {
    "feature_fraction": 0.8,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "num_threads": 1,
    "deterministic": True,
    "force_col_wise": True,
    "verbosity": -1,
}


def grow(
    x: np.ndarray, y: np.ndarray, categorical: list[int], parameters: dict[str, Any], weight=None
) -> Any:
    """A ``lightgbm.Booster`` fitted on rows x (N, P), y (N,).

    Args:
        categorical: columns of x that are names, as whole numbers.
        parameters: LightGBM's own, on top of sampling of rows and columns.
        weight: (N,) of the rows, or None.

    Raises:
        ImportError: LightGBM is not installed.
    """
    try:
        import lightgbm
    except ImportError as error:
        raise ImportError("the peers need LightGBM: pip install 'mercato[peers]'") from error
    rows = lightgbm.Dataset(x, y, weight=weight, categorical_feature=categorical, free_raw_data=True)
    return lightgbm.train({**_COMMON, **parameters}, rows)
