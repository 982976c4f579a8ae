"""A fitted market is played at the logged prices before anybody relies on it.

A regression that forecasts one period well can still be off when it reads its own demand for a year: small
errors of the mean come back. So the market runs free over its own history, and what it sells is compared with
what customers wanted, by item and by location. A level that is off is moved where it arises, in the intercept
and by the share that the recursion will not multiply; an item that swings far beyond its history remembers
less. What cannot be mended is refused, with the names of the series.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..errors import UnplayableError
from ..features import History
from ..model import DemandModel
from ..network import gain
from ..progress import SILENT, Progress, Stage
from ..statistics import uncensored
from .learned import LearnedDemand
from .paths import sample_paths

LEVEL = 0.05  # of an item's or location's units: a level that is off by more is moved
REPORTED = 0.25  # one that is still off by more is named
REFUSED = 1.0  # log units: one that is still off by more makes the market unplayable
_VARIANCE = 4.0  # times the history's, from which on an item remembers less
_PASSES = 4  # a level that is moved moves what is remembered
_PAIRS, _WORK = (2, 8), 1_000_000  # of paths, at least and at most; series-steps of all of them together
_MOVED, _ANSWERS = 1e-3, (0.5, 40.0)  # least move that tells of the answer to it, and bounds of that
_SURE = 2.0  # standard errors of the mean path, below which a difference is none


@dataclass(frozen=True)
class FreeRun:
    """What a market sold when it ran free, against its history: log ratios of units, and their errors."""

    item: Tensor  # (I,)
    item_error: Tensor  # (I,) of the mean over paths
    location: Tensor  # (S,) beyond what items are off by
    location_error: Tensor  # (S,)
    variance: Tensor  # (I,) over the history's, over time within series
    first_bad: tuple[int, int, int] | None  # period, location, item of the first number that is not finite


def free_run(demand: LearnedDemand, seed: int, begin: int | None = None) -> FreeRun:
    """Play the history from ``begin`` on, several times, at the prices and promotions charged.

    From its first quarter on where None. One of less than a year is played again and again, as far as that is
    no more work than a long one.
    """
    history = demand.history
    begin = max(1, history.periods // 4) if begin is None else begin
    length = history.periods - begin
    work = _WORK // history.known[begin:].numel() // 2
    rounds = max(1, min(-(-history.year // length), work // _PAIRS[0]))
    count = 2 * max(_PAIRS[0], min(_PAIRS[1], work // rounds))
    date = torch.arange(begin, begin + rounds * length)
    row = begin + (date - begin) % length
    known = history.known[row] & history.listed[history.calendar_index(date)]
    paths = torch.from_numpy(sample_paths(demand, history, begin, len(date), count, seed, mirrored=True))
    bad = (~paths.isfinite()).any(0).nonzero()
    if len(bad):
        period, place, item = bad[0].tolist()
        none, nowhere = torch.zeros(known.shape[2]), torch.zeros(known.shape[1])
        return FreeRun(none, none, nowhere, nowhere, none, (begin + period, place, item))
    log_mean, log_r = demand.one_step(begin, history.periods)
    seen = history.stock_outs.since(begin)
    units = uncensored(history.units[begin:], seen, history.known[begin:], log_mean, log_r, history.grain)
    if history.stepped is not None:  # every path is played at today's levels
        units = units * (-history.stepped[begin:]).exp()
    units = units[row - begin]
    item, item_error = _log_ratio((paths * known).sum((1, 2)), (units * known).sum((0, 1)))
    usual = paths * (known * (-item).exp())
    location, location_error = _log_ratio(usual.sum((1, 3)), (units * known).sum((0, 2)))
    whole = known & seen.whole[row - begin]
    ratio = torch.stack([_variance(path, whole) for path in paths]).mean(0) / _variance(units, whole)
    return FreeRun(item, item_error, location, location_error, ratio.nan_to_num(1.0, 1.0, 1.0), None)


def anchored(
    model: DemandModel,
    history: History,
    seed: int,
    progress: Progress = SILENT,
    begin: int | None = None,
    passes: int = _PASSES,
) -> DemandModel:
    """The model with its simulated levels moved to those of its history from ``begin`` on, in some passes.

    Raises:
        UnplayableError: a level stays off, or something that is no number is sold; says of which series.
    """
    with progress.stage("check the market: simulate the history at the prices charged", passes) as stage:
        demand = LearnedDemand(model, history)
        answer = 1 / (
            1 - gain(model.base).mean(0).clamp(0, 0.95)
        )  # (I,) of a level to its intercept, at last
        level, by = torch.zeros_like(answer), torch.zeros_like(answer)
        for attempt in range(passes):
            found = free_run(
                demand, seed, begin
            )  # with the same noise, so that only the move tells two runs apart
            stage.advance()
            met = (level - found.item) / torch.where(by == 0, 1.0, by)
            answer = torch.where(by.abs() > _MOVED, met.clamp(*_ANSWERS), answer)
            moved, by = _moved(demand.model, found, answer)
            if moved is demand.model or attempt == passes - 1:
                break
            demand, level = demand.with_bases(moved), found.item
        _tell(demand, found, stage)
    return demand.model


def _log_ratio(paths: Tensor, real: Tensor) -> tuple[Tensor, Tensor]:
    """Log of mean units of pairs of paths (2·K, N) over real ones (N,), its error; 0 if nothing was sold."""
    pairs = paths.unflatten(0, (-1, 2)).mean(1)
    mean = pairs.mean(0)
    sold = (real > 0) & (mean > 0)
    relative = (pairs.var(0) / mean.clamp(min=1e-9).square()).where(sold, 0.0)
    typical = relative.sum() / sold.sum().clamp(min=1)  # few pairs say little of one item's own
    error = ((relative + typical) / 2 / len(pairs)).sqrt()
    return torch.where(sold, (mean / real.clamp(min=1e-9)).clamp(min=1e-9).log(), 0.0), error


def _variance(units: Tensor, rows: Tensor) -> Tensor:
    """(I,) variance over time of units (T, S, I), mean of the item's locations."""
    count = rows.sum(0).clamp(min=1)
    mean = (units * rows).sum(0) / count
    return (((units - mean) * rows).square().sum(0) / count).sum(0)


def _moved(model: DemandModel, found: FreeRun, answer: Tensor) -> tuple[DemandModel, Tensor]:
    """The model with levels moved where the free run was off, and items' moves (I,) downwards.

    The same object where nothing was off. ``answer`` (I,) is what a unit of intercept adds to a level.
    """
    if found.first_bad is not None:
        return replace(model, base=replace(model.base, past=model.base.past / 2)), torch.zeros_like(answer)
    by_item = _beyond(found.item, found.item_error)
    by_place = _beyond(found.location, found.location_error)
    wild = found.variance > _VARIANCE
    if not (by_item.any() or by_place.any() or wild.any()):
        return model, by_item
    base = model.base
    move = (by_item + by_place.unsqueeze(1)) / answer  # (S, I)
    past = torch.where(wild.unsqueeze(-1), base.past / 2, base.past)
    return replace(model, base=replace(base, place=base.place - move, past=past)), by_item / answer


def _beyond(ratio: Tensor, error: Tensor) -> Tensor:
    return torch.where(ratio.abs() > torch.clamp(_SURE * error, min=LEVEL), ratio, 0.0)


def _tell(demand: LearnedDemand, found: FreeRun, stage: Stage) -> None:
    if found.first_bad is not None:
        period, place, item = found.first_bad
        raise UnplayableError(
            f"simulated at the prices charged, the market's sales are not finite, first in period {period} of"
            f" {demand.locations[place]} {demand.items[item]}"
        )
    sides: Sequence[tuple[str, tuple[str, ...], Tensor, Tensor]] = (
        ("item", demand.items, found.item, found.item_error),
        ("location", demand.locations, found.location, found.location_error),
    )
    for what, names, ratio, error in sides:
        off = ratio.abs() - _SURE * error
        if float(off.max()) > REFUSED:
            raise UnplayableError(
                f"simulated at the prices charged, the market sells {_named(names, ratio, off > REFUSED)} of"
                f" the historical sales, by {what};"
                f" expected within a factor of {torch.tensor(REFUSED).exp():.1f}"
            )
        if float(off.max()) > REPORTED:
            stage.note(f"simulated level by {what}: {_named(names, ratio, off > REPORTED)} of the history's")


def _named(names: Sequence[str], ratio: Tensor, which: Tensor) -> str:
    worst = sorted(which.nonzero().flatten().tolist(), key=lambda k: -abs(float(ratio[k])))
    more = f" and {len(worst) - 3} more" if len(worst) > 3 else ""
    return ", ".join(f"{names[k]} {float(ratio[k].exp()):.2f} ×" for k in worst[:3]) + more
