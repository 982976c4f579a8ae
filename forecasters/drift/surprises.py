"""What a history holds that a market did not expect one period ahead, as plain arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from ..evaluation import one_step_pit
from ..simulation import LearnedDemand

_EDGE = 1e-4  # least and most of a PIT that is told from impossible
_USUAL = 0.8  # weight of the past in the price that a period's is compared with
WARM = 13  # first periods, in which running means have seen too little


@dataclass(frozen=True)
class Surprises:
    """One-step surprises of T periods, S locations and I items, NaN where nothing was observed."""

    first: int  # calendar index of the first period
    score: np.ndarray  # (T, S, I) normal score of the randomised PIT; standard normal if calibrated
    spread: np.ndarray  # (T, S, I) standard deviation of log demand, as it was expected
    move: np.ndarray  # (T, S, I) log price over its recent mean
    units: np.ndarray  # (T, S, I) sold, in stock
    expected: np.ndarray  # (T, S, I) mean demand of the same rows
    elasticity: np.ndarray  # (I,) own, mean of locations
    doubt: np.ndarray  # (I,) standard error of it
    year: int  # periods
    coefficients: int = 0  # that forecasts of an item were fitted with

    @staticmethod
    @torch.no_grad()
    def of(demand: LearnedDemand, seed: int = 0) -> Surprises:
        """Of a fitted market's own history, from when its running means have seen enough."""
        history = demand.history
        first = min(WARM, history.periods // 4)
        pit = one_step_pit(demand, first, history.periods, seed).clip(_EDGE, 1 - _EDGE)
        score = torch.special.ndtri(torch.from_numpy(pit).double()).numpy()
        log_mean, log_r = demand.forecast(first, history.periods)
        mean = log_mean.exp().mean(-1)
        spread = (history.grain / mean + (-log_r).exp().mean(-1)).sqrt()
        known = (history.known & history.listed[: history.periods])[first:].cpu().numpy()
        whole = known & history.stock_outs.whole[first:].cpu().numpy()
        price = history.log_price.double().cpu().numpy()
        return Surprises(
            first,
            np.where(known, score, np.nan),
            spread.cpu().numpy(),
            np.where(known, (price - _recent(price))[first:], np.nan),
            np.where(whole, history.units[first:].cpu().numpy(), np.nan),
            np.where(whole, mean.cpu().numpy(), np.nan),
            demand.response.own.mean(0).cpu().numpy(),
            demand.response.own_error.cpu().numpy(),
            history.year,
            demand.model.base.past.shape[-1] + demand.model.informed.ahead.shape[-1],
        )


def _recent(price: np.ndarray) -> np.ndarray:
    """(T, S, I) running mean of what precedes each period; of the first, itself."""
    out, now = np.empty_like(price), price[0]
    for t, price_now in enumerate(price):
        out[t] = now
        now = _USUAL * now + (1 - _USUAL) * price_now
    return out
