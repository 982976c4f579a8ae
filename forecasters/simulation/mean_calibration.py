"""What is calibrated once a model is trained: mean sales, their spread, and common shocks.

A count regression weighs weeks by how sure it is of them, so that a table whose busy weeks scatter more than
its quiet ones ends with a mean that is off. Here each item's level, and what a promotion adds where the whole
chain runs it, are moved until expected and observed units agree (Poisson pseudo-maximum likelihood:
Gourieroux, Monfort and Trognon 1984, doi:10.2307/1913472). Prices are left alone: they followed demand.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from ..features import History
from ..model import DemandModel
from ..network import Base
from ..progress import SILENT, Progress, Stage
from ..response import mean_listed
from ..statistics import (
    CommonShocks,
    estimate_common_shocks,
    gamma_share,
    nb_mixture_cdf,
    row_log_likelihood,
    uncensored,
)
from ..tensors import side_by_side
from .learned import LearnedDemand

_PASSES = 4  # a moved promotion moves the past of demand that the next forecasts read
_SETTLED = 1e-3  # a move of log means that ends them
_FELT = 0.01  # move of a promotion's lift, below which past demand is not read anew
_STEPS = 20
_PROMO_SD = 0.25  # prior of the correction of a promotion's lift
_WARM = 4  # one over this share of the history only fills the memory
_BLOCK = 4  # periods whose errors go together
_LOCATIONS = 100  # that are asked for the shocks they share; variances need no more


def calibrated(model: DemandModel, history: History, progress: Progress = SILENT) -> DemandModel:
    """The model with its means corrected on ``history`` and its common shocks estimated there."""
    with progress.stage("calibrate mean demand", _PASSES + 1) as stage:
        return _calibrated(model, history, stage)


def _calibrated(model: DemandModel, history: History, stage: Stage) -> DemandModel:
    begin = max(1, history.periods // _WARM)
    known = history.known[begin:]
    demand = LearnedDemand(model, history)
    for _ in range(_PASSES):
        moves = _moves(history, known, *demand.one_step(begin, history.periods))
        stage.advance()
        model = replace(model, base=replace(model.base, place=model.base.place + moves[:, 0]))
        if bool((moves[:, 1:].abs() > _FELT).any()):
            joint = model.response.joint + moves[:, 1:]
            model = replace(model, response=replace(model.response, joint=joint))
            demand = LearnedDemand(model, history)
        else:  # nothing that past demand is freed of has moved
            demand = demand.with_bases(model)
            if float(moves[:, 0].abs().max()) < _SETTLED:
                break
    told = demand.forecast(begin, history.periods)
    model = replace(model, informed=_with_means(model.informed, _moves(history, known, *told)))
    return with_spreads(demand.with_bases(model), begin)


def with_spreads(demand: LearnedDemand, begin: int) -> DemandModel:
    """The model with its dispersions and common shocks estimated on the periods from ``begin`` on."""
    model, history = demand.model, demand.history
    known = history.known[begin:]
    log_mean, log_r = demand.one_step(begin, history.periods)
    base = _with_spread(model.base, history, known, log_mean, log_r)
    told = demand.forecast(begin, history.periods)
    informed = _with_spread(model.informed, history, known, *told)
    log_r = log_r + (base.log_r - model.base.log_r).T
    common_shocks = _common_shocks(history, begin, known, log_mean, log_r)
    return replace(model, base=base, informed=informed, common_shocks=common_shocks)


def _common_shocks(
    history: History, begin: int, known: Tensor, log_mean: Tensor, log_r: Tensor
) -> CommonShocks:
    """What one-step surprises have in common; of very many locations, some spread over them are asked."""
    some = torch.linspace(0, known.shape[1] - 1, min(known.shape[1], _LOCATIONS)).round().long()
    log_mean, log_r, known, units, whole = (
        x[:, some] for x in (log_mean, log_r, known, history.units[begin:], history.stock_outs.whole[begin:])
    )
    grain = history.grain
    below, at = nb_mixture_cdf(units, log_mean, log_r, grain)
    score = torch.special.ndtri(((at + below) / 2).double().clamp(1e-4, 1 - 1e-4)).float()
    seen = known & whole
    return estimate_common_shocks(score, seen, gamma_share(log_mean, log_r, seen, grain))


def _with_means(informed: Base, moves: Tensor) -> Base:
    """The regression that reads ``chain_news`` with moves (I, 1 + K) of level and promotions."""
    promos = moves.shape[1] - 1
    own = informed.ahead.shape[-1] - 2 * (1 + promos) + 1  # where the item's own promotions are read
    ahead = informed.ahead.clone()
    ahead[..., own : own + promos] += moves[:, 1:]
    return replace(informed, place=informed.place + moves[:, 0], ahead=ahead)


def _with_spread(base: Base, history: History, known: Tensor, log_mean: Tensor, log_r: Tensor) -> Base:
    """Each item's dispersion moved to where its sales are likeliest around the calibrated means."""
    begin = history.periods - len(known)
    seen, grain = history.stock_outs.since(begin), history.grain
    log_mean = log_mean.exp().mean(-1).log() + seen.exposure.log() - grain.log()
    steps, counts, log_r = torch.linspace(-2, 1, 31), history.units[begin:] / grain, log_r.mean(-1)
    fit = [(row_log_likelihood(counts, seen.bound, log_mean, log_r + by) * known).sum((0, 1)) for by in steps]
    best = steps[torch.stack(fit).argmax(0)]  # (I,)
    return replace(base, log_r=base.log_r + best)


def _moves(history: History, known: Tensor, log_mean: Tensor, log_r: Tensor) -> Tensor:
    """(I, 1 + K) what level and promotions add to log means (T', S, I, M) so that units agree in sum."""
    begin = history.periods - len(known)
    mean = log_mean.exp().mean(-1)
    seen, promo = history.stock_outs.since(begin), history.promo[begin:]
    units = uncensored(history.units[begin:], seen, known, log_mean, log_r, history.grain)
    listed = None if history.assortment is None else history.listed[begin : history.periods].unsqueeze(-1)
    promo = mean_listed(promo, listed, 1).expand_as(promo)
    parts = (units, mean, promo, known)
    moves = side_by_side(
        lambda item: _item_moves(*(x[:, :, item] for x in parts)), units.shape[2], units[:, :, 0].numel()
    )
    return torch.stack(moves)


def _item_moves(units: Tensor, mean: Tensor, promo: Tensor, known: Tensor) -> Tensor:
    """(1 + K) what level and promotions (T, S, K) add to log mean (T, S) so that units agree in sum."""
    rows = known.nonzero(as_tuple=True)
    x = torch.cat([torch.ones_like(units[rows]).unsqueeze(1), promo[rows]], dim=1).double()
    y, offset = units[rows].double(), mean[rows].double()
    move = x.new_zeros(x.shape[1])
    if len(y) == 0:
        return move.float()
    miss = y.new_zeros(len(known) // _BLOCK + 1).index_add_(0, rows[0] // _BLOCK, y - offset)
    noise = (miss.square().sum() / offset.sum()).clamp(min=1)  # variance over that of a Poisson
    precision = torch.full_like(move, float(noise) / _PROMO_SD**2)
    precision[0] = 1e-6
    for _ in range(_STEPS):
        expected = offset * (x @ move).clamp(-3, 3).exp()
        slope = x.T @ (y - expected) - precision * move
        step = torch.linalg.solve(x.T @ (expected.unsqueeze(1) * x) + precision.diag(), slope)
        move = move + step
        if float(step.abs().max()) < 1e-7:
            break
    return move.float()
