"""Regression of log sales on log price, as a spreadsheet would have it."""

from __future__ import annotations

from torch import Tensor


def naive_by_item(log_price: Tensor, units: Tensor) -> Tensor:
    """(I,) slopes of log units on log price (T, S, I) within the series."""
    x, y = log_price, (units + 0.5).log()
    x, y = x - x.mean(0), y - y.mean(0)
    return (x * y).sum((0, 1)) / (x * x).sum((0, 1))
