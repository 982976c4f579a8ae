"""Rows far from what was expected of them, brought nearer: no single row decides what prices do.

Expected is what the past, the calendar, prices and promotions explain; that stays, however large it is. What
is left is measured in standard deviations of log demand, those of an item's ordinary rows, and cut where it
goes beyond belief (winsorised residuals: Huber 1981, Robust Statistics, section 7.7). What nothing of a
table exceeds changes nothing in it.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from ..features import History

_FAR = 4.0  # standard deviations, six median absolute deviations of a normal, beyond which a row is cut
_MEDIAN = 0.4549  # of a squared standard normal
LEAST_GAMMA = 0.01  # variance of log demand beyond a Poisson count's, at least


def tamed(history: History, missed: Tensor, expected: Tensor, rows: Tensor) -> History:
    """The history with units that are far from what was expected brought nearer.

    Where sales are a lower bound of demand, they are never too low.

    Args:
        history: T periods, S locations, I items.
        missed: (T, S, I) log demand beyond what was expected.
        expected: (T, S, I) log demand of a whole period, at its prices, as other periods foretell it.
        rows: (T, S, I) bool, those that tell how far an item's ordinary rows are.
    """
    outs, half = history.stock_outs, 0.5 * history.grain
    noise = 1 / (outs.exposure * expected.exp() / history.grain + 0.5)  # variance of a Poisson count's log
    beyond = torch.where(rows & ~outs.bound, missed.square() / _MEDIAN - noise, torch.nan)
    gamma = beyond.flatten(0, 1).nanmedian(0).values.nan_to_num().clamp(min=LEAST_GAMMA)
    bound = _FAR * (gamma + noise).sqrt()
    kept = missed.clamp(torch.where(outs.bound, -torch.inf, -bound), bound)
    nearer = ((history.units + half) * (kept - missed).exp() - half).clamp(min=0)
    return replace(history, units=torch.where(history.known & (kept != missed), nearer, history.units))
