"""What is brought back: a line's chance is its item's rate, times the customer's factor.

A line is brought back within the window with chance r, and by the age e with chance r F(e), with F the
distribution of the delay: a cure model (Berkson and Gage 1952, "Survival curve for cancer patients following
treatment"). So a line whose window goes on counts as F(e) of one that was watched to its end. Short delays
are seen of more lines than long ones; F is the product limit in reversed time, which undoes that
(Kalbfleisch and Lawless 1989, "Inference based on retrospective ascertainment").
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.special import logit
from torch import Tensor

from .purchases import WINDOW, Purchases, Queries

_ITEM = 20.0  # watched lines that an item's rate is shrunk to that of all by
_CUSTOMER = 2.0  # returns that a customer's factor is shrunk to 1 by, as Gamma(2, 2) would
_LEAST = 1e-4  # chance of a return, and of none: a product of rates has no bound of its own
_NONE = 1e-9  # least chance of what came


@dataclass(frozen=True)
class Rates:
    """What the L lines that are known on a day tell of I items."""

    known: Purchases  # as of the day
    share: np.ndarray  # (L,) F, of returns that would have come by then
    item: np.ndarray  # (I,) chance that a line of an item is brought back, of usual customers

    def log_odds(self, queries: Queries, row: np.ndarray, item: np.ndarray) -> np.ndarray:
        """That lines are brought back, given by their question and item; the two broadcast.

        A customer's factor is their returns to those that are usual of what they bought.
        """
        read, line = self.known.before(queries)
        usual = self.share[line] * self.item[self.known.item[line]]
        back = np.bincount(read, self.known.returned[line] >= 0, len(queries))
        factor = (back + _CUSTOMER) / (np.bincount(read, usual, len(queries)) + _CUSTOMER)
        odds: np.ndarray = logit(np.clip(factor[row] * self.item[item], _LEAST, 1 - _LEAST))
        return odds


def return_rates(known: Purchases, stop: int) -> Rates:
    """From a log as of the day ``stop``."""
    back, share = known.returned >= 0, elapsed(known, stop, known.day)
    overall = (back.sum() + 0.5) / (share.sum() + 1)
    of_item = np.bincount(known.item, back, known.items) + _ITEM * overall
    return Rates(known, share, of_item / (np.bincount(known.item, share, known.items) + _ITEM))


def elapsed(known: Purchases, stop: int, day: np.ndarray) -> np.ndarray:
    """(N,) F at the age of lines bought on a day: the share of their returns that comes before ``stop``.

    After d days F(d) = Π_{u > d} (1 − n_u / N_u): of N_u returns after u days or fewer whose line is at
    least u days old, n_u came after u. One return more, spread evenly over the window, makes it > 0 and
    stands for delays that no line is old enough for.
    """
    back = known.returned >= 0
    days = WINDOW + 1
    age = np.minimum(stop - 1 - known.day[back], WINDOW)
    came = np.bincount((known.returned - known.day)[back], minlength=days) + 1 / days
    younger = np.cumsum(np.bincount(age + 1, minlength=days + 1))[:days]  # than u days, so that u is not seen
    earlier = 1 - came / (np.cumsum(came) - younger)
    share = np.append(np.cumprod(earlier[:0:-1])[::-1], 1.0)
    return share[np.minimum(stop - 1 - day, WINDOW)]


@dataclass(frozen=True)
class Watched:
    """N lines of the first baskets after Q questions, and which of them had been brought back by some day."""

    recorded: bool  # whether the log has returns at all: where not, there is nothing to ask
    usual: Tensor  # (N,) log odds of a return, by what was known at the stop
    share: Tensor  # (N,) F, of returns that would have come by the day
    came: Tensor  # (N,) bool


def watched(log: Purchases, queries: Queries, horizon: int, rates: Rates, end: int) -> Watched:
    """Of the first baskets within ``horizon`` days, in a log as of ``end``; foretold by ``rates``."""
    row, line = log.first_basket(queries, horizon)
    return Watched(
        recorded=log.returns,
        usual=torch.from_numpy(rates.log_odds(queries, row, log.item[line])).float(),
        share=torch.from_numpy(elapsed(log, end, log.day[line])).float(),
        came=torch.from_numpy(log.returned[line] >= 0),
    )


def log_likelihood(odds: Tensor, of: Watched) -> Tensor:
    """(N,) of what had come back and what had not, with log odds (N,) to come back at all."""
    chance = odds.sigmoid() * of.share
    return torch.where(of.came, chance, 1 - chance).clamp(min=_NONE).log()
