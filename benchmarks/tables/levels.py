"""A learned market left to itself at the prices of its history: does it keep to the history's level?

The market is played for hundreds of periods, none of which it observes; the prices, promotions and shares in
stock are those of the log, repeated where it is shorter. A period counts where the log has a row and the
item is sold in the market on that date. What is simulated is thinned by the row's share in stock and summed
beside what was sold; where sales are only a lower bound, whole demand is compared with the estimate of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mercato.forecasters.simulation.demand import Period
from mercato.forecasters.simulation.learned import LearnedDemand
from mercato.forecasters.tensors.noise import NoiseKey

from .piece import Figure, Found

PERIODS, PATHS = 500, 4
MOST, MEDIAN = 0.25, 0.05  # of an item's level, either way


@dataclass(frozen=True)
class Levels:
    """Units of comparable rows, simulated (mean of the paths) and real: (S, I) each."""

    simulated: np.ndarray
    real: np.ndarray
    broken: int  # simulated values that are not finite
    largest: float  # simulated value of an item over the largest of its history, the worst item


@torch.no_grad()
def play(demand: LearnedDemand, periods: int = PERIODS, paths: int = PATHS, seed: int = 0) -> Levels:
    """Play on from the first window of the history, at its own prices."""
    history = demand.history
    start = min(demand.model.settings.trunk.window, history.periods // 2)
    zero = torch.zeros(paths, dtype=torch.int64)
    episode = torch.arange(paths)
    state = demand.reset(zero + start, NoiseKey(seed, zero, episode, zero))
    share, bound = history.stock_outs.exposure, history.stock_outs.bound
    simulated, real = (torch.zeros(demand.history.units.shape[1:], dtype=torch.float64) for _ in range(2))
    largest, broken = torch.zeros(len(demand.items)), 0
    for t in range(periods):
        row = start + t % (history.periods - start)
        key = NoiseKey(seed, zero, episode, zero + t)
        price, promo = (x[row].expand(paths, *x.shape[1:]) for x in (history.log_price.exp(), history.promo))
        units = demand.sample(state, price, key, promo)
        state = demand.advance(state, Period(price, units, units), key, promo)
        broken += int((~units.isfinite()).sum())
        largest = torch.maximum(largest, units.nan_to_num(posinf=torch.inf).amax((0, 1)))
        sold = history.listed[history.calendar_index(torch.tensor([start + t]))[0]]
        counts = history.known[row] & sold
        thinned = units.double().mean(0) * torch.where(bound[row], 1.0, share[row])
        simulated += torch.where(counts, thinned, 0.0)
        real += torch.where(counts, torch.where(bound[row], history.demand[row], history.units[row]), 0.0)
    most = history.units.where(history.known, 0.0).amax((0, 1))
    return Levels(_plain(simulated), _plain(real), broken, float((largest / most.clamp(min=1e-9)).max()))


def _plain(values: Tensor) -> np.ndarray:
    return values.cpu().numpy()


def deviations(simulated: np.ndarray, real: np.ndarray) -> np.ndarray:
    """Simulated over real less 1: infinite where only something simulated sold, 0 where nothing did."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(real > 0, simulated / real - 1, np.where(simulated > 0, np.inf, 0.0))


def found(levels: Levels, demand: LearnedDemand) -> Found:
    """The figures of a market, and every item's and location's."""
    by_item = deviations(levels.simulated.sum(0), levels.real.sum(0))
    by_place = deviations(levels.simulated.sum(1), levels.real.sum(1))
    worst, middle = _worst(by_item), float(np.nanmedian(np.abs(by_item)))
    broken = not np.isfinite(by_item).all() or levels.broken > 0
    figures = [
        Figure(
            "level by item, worst",
            f"{by_item[worst]:+.1%} ({demand.items[worst]})",
            f"within {MOST:.0%}",
            bool(np.abs(by_item).max() <= MOST),
        ),
        Figure("level by item, median", f"{middle:.1%}", f"{MEDIAN:.0%}", middle <= MEDIAN),
        _plain_worst("level by location, worst", by_place, demand.locations),
        Figure("values that are not finite", f"{levels.broken}", "0", not broken),
        Figure("largest value over the history's", f"{levels.largest:.3g}"),
    ]
    return Found(
        figures, {"items": _named(demand.items, by_item), "locations": _named(demand.locations, by_place)}
    )


def _plain_worst(name: str, values: np.ndarray, names: tuple[str, ...]) -> Figure:
    worst = _worst(values)
    return Figure(name, f"{values[worst]:+.1%} ({names[worst]})")


def _worst(values: np.ndarray) -> int:
    """Where the largest deviation is; one that is no number is the largest of all."""
    return int(np.argmax(np.nan_to_num(np.abs(values), nan=np.inf)))


def _named(names: tuple[str, ...], values: np.ndarray) -> dict[str, Any]:
    return {
        name: round(float(v), 4) if np.isfinite(v) else str(v) for name, v in zip(names, values, strict=True)
    }
