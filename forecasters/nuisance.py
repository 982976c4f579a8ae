"""First stage of identification: what price, promotion, cost shifter and demand were expected to be.

Ridge regressions on what a price-setter could know (past price-adjusted demand, past prices and promotions
of the series, of its location and of the item everywhere, the calendar), each read only on the blocks of
weeks it was not fitted on (cross-fitting: Chernozhukov et al. 2018, doi:10.1111/ectj.12097). Why not the
network: ``docs/decisions/0002-ridge-nuisances.md``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from .history import History
from .network import history_context, log_level
from .past import past_features
from .progress import SILENT, Stage
from .response import PriceResponse

_FOLDS = 5
_BLOCK = 6  # consecutive periods that share a fold
_RIDGE = (3.0, 30.0, 300.0)  # candidates, in rows' worth of prior; chosen out of fold by item and target
ROUNDS = 4  # price adjustment and stock-out imputation need each other's result
_SAME = 1e-4  # log prices closer than this are the same price
_OFTEN = 0.3  # share of rows with a new price beyond which every row counts as a decision
_FEW = 20  # rows a column below which items are predicted together
_FIRST_GUESS = -2.0  # own elasticity of the first price adjustment


@dataclass(frozen=True)
class Residuals:
    """What the second stage regresses, out of fold."""

    log_mean: Tensor  # (T, S, I) expected log demand given the past, whatever the price turned out to be
    free_log_mean: Tensor  # (T, S, I) the same given the past of demand alone
    shift: Tensor  # (T, S, I) log price over reference price
    price: Tensor  # (T, S, I) residual of log price
    promo: Tensor  # (T, S, I, K) residuals of the decision-linked covariates
    curve: Tensor  # (T, S, I) residual of half the squared log price shift
    free_price: Tensor  # (T, S, I) residual of log price given the past of demand alone
    instrument: Tensor  # (T, S, I, Z) residual of the log cost shifter given the past of demand alone
    news: Tensor  # (T, S, I, Z) the same given the past of prices and of the shifter, too
    slopes: Tensor  # ((S,) I, 1 + K) effects of price and promotions that past demand was freed of
    memory: Tensor  # (T, S, I) effect of remembered prices that it was freed of
    rows: Tensor  # (T, S, I) bool: observed rows with a past
    decided: Tensor  # (T, S, I) bool: those among them in which a price was decided
    demand: Tensor  # (T, S, I) units wanted: the sales, or their expected value where stock ran out
    overfit: (
        float  # spread of in-fold price residuals over out-of-fold ones; near 1 is sound, 0.5 is over-trained
    )


def _lag(x: Tensor, by: int) -> Tensor:
    """x (T, …) moved ``by`` periods on, zeros before."""
    return torch.cat([torch.zeros_like(x[:by]), x[:-by]])


def _smooth(x: Tensor, seen: Tensor, half_life: float) -> Tensor:
    """(T, …) exponentially weighted mean of what was seen before, shrunk to 0 where little was."""
    keep = 0.5 ** (1 / half_life)
    total, weight, out = torch.zeros_like(x[0]), torch.zeros_like(x[0]), []
    for now, mask in zip(x, seen, strict=True):
        out.append(total / (weight + 0.5))
        total, weight = keep * total + now * mask, keep * weight + mask
    return torch.stack(out)


def _past(x: Tensor, seen: Tensor, lags: int, half_lives: tuple[float, ...]) -> list[Tensor]:
    """Lags and smoothed past of the series (T, S, I), of the item everywhere and of the location's items."""
    x = x * seen
    across = x.sum(1, keepdim=True) / seen.sum(1, keepdim=True).clamp(min=1)
    around = x.sum(2, keepdim=True) / seen.sum(2, keepdim=True).clamp(min=1)
    columns = [_lag(x, k) for k in range(1, lags + 1)] + [_smooth(x, seen, h) for h in half_lives]
    ones = torch.ones_like(seen)
    for part, more in ((across, half_lives), (around, half_lives[:1])):
        wide = part.expand_as(x)
        columns += [_lag(wide, 1), *(_smooth(wide, ones, h) for h in more)]
    return columns


def _demand_features(history: History, adjusted: Tensor) -> Tensor:
    """(T, S, I, P) the past of demand, freed of its prices, and the calendar; nothing of past prices."""
    columns = past_features(adjusted, history.known)[:-1]
    return torch.cat([columns, history.ahead[: history.periods], history.fine], dim=-1)


def _decision_features(history: History, shift: Tensor) -> Tensor:
    """(T, S, I, P) the past of prices and promotions, which a price-setter knew beside that of demand."""
    columns = _past(shift, torch.ones_like(shift), 4, (4.0, 13.0))
    for k in range(history.promo.shape[-1]):
        columns += _past(history.promo[..., k], history.known.float(), 3, (4.0,))
    for z in history.instrument.unbind(-1):
        columns += _past(z - z.mean(0), torch.ones_like(shift), 2, (4.0,))
    return torch.stack(columns, dim=-1)


def _ridge_out_of_fold(design: Tensor, targets: Tensor, rows: Tensor, fold: Tensor) -> tuple[Tensor, Tensor]:
    """Predictions (N, R) of targets (N, R), out of fold and in fold, each target with its best ridge.

    Args:
        design: (N, P), its last column 1; rows: (N,) bool that are fitted; fold: (N,) int64.
    """
    penalty = torch.ones(design.shape[1], dtype=design.dtype, device=design.device)
    penalty[-1] = 1e-6
    out = torch.zeros(len(_RIDGE), *targets.shape, dtype=design.dtype, device=design.device)
    inside = torch.zeros_like(out)
    folds = [(rows & (fold == f)).unsqueeze(1).to(design) for f in range(_FOLDS)]
    grams = [(design * mask).T @ design for mask in folds]
    moments = [(design * mask).T @ targets for mask in folds]
    for f in range(_FOLDS):
        read = fold == f
        gram, moment = sum(grams) - grams[f], sum(moments) - moments[f]
        for c, strength in enumerate(_RIDGE):
            beta = torch.linalg.solve(gram + (strength * penalty).diag(), moment)
            out[c, read] = design[read] @ beta
            inside[c, ~read] += design[~read] @ beta / (_FOLDS - 1)
    error = ((out - targets).square() * rows.view(1, -1, 1)).sum(1)  # (C, R)
    best = error.argmin(0).view(1, 1, -1).expand(1, *targets.shape)
    return out.gather(0, best)[0], inside.gather(0, best)[0]


def _impute(observed: Tensor, censored: Tensor, expected: Tensor, spread: Tensor) -> Tensor:
    """Log demand; where stock ran out, its mean given at least the sales (normal, inverse Mills)."""
    z = ((observed - expected) / spread).clamp(-6, 6)
    mills = (-0.5 * z * z - 0.9189385 - torch.special.log_ndtr(-z)).exp()  # in logs: tails vanish in float32
    return torch.where(censored > 0, torch.maximum(expected + spread * mills, observed), observed)


@dataclass(frozen=True)
class Known:
    """What a round before has found: past demand that a wrong elasticity has freed of its price still
    carries that price, and with it the cost shifter."""

    slopes: Tensor  # (S, I, 1 + K) effects of price and promotions
    memory: Tensor  # (T, S, I) effect on log demand of what is remembered of earlier prices

    @staticmethod
    def of(response: PriceResponse, history: History) -> Known:
        """What a price response says of the prices of a history."""
        promo = response.promo.expand(len(response.own), -1, -1)
        slopes = torch.cat([response.own.unsqueeze(-1), promo], dim=-1)
        memory = history_context(history, response).memory
        assert memory is not None
        return Known(slopes, (memory[:-1] * response.memory).sum(-1))


def fit_nuisances(
    history: History, level: Tensor, pivot: Tensor, stage: Stage = SILENT, before: Known | None = None
) -> Residuals:
    """Out-of-fold residuals of a panel; the first guess of the elasticities is refined in a few rounds.

    Args:
        history: T periods, S locations, I items.
        level: (S, I) log level of sales.
        pivot: (S, I) log reference price.
        stage: advances ``ROUNDS`` times.
        before: takes the place of the least-squares effects of price and promotions.
    """
    shift = history.log_price - pivot
    shifter = history.instrument - history.instrument.mean(0, keepdim=True)
    promos = history.promo.shape[-1]
    bend = shift.square().unsqueeze(-1) / 2
    decisions = torch.cat([shift.unsqueeze(-1), history.promo, bend, shifter], dim=-1)
    observed = (history.units + 0.5 * history.grain).log() - level
    rows = history.known.clone()
    rows[0] = False
    decided = _decided(shift, rows)
    made = _decision_features(history, shift)
    demand, memory = observed, torch.zeros_like(observed)
    exact = rows & (history.censored == 0)
    slopes = torch.full((history.units.shape[2], 1), _FIRST_GUESS, device=level.device)
    if before is not None:
        slopes, memory = before.slopes, before.memory
    for _ in range(ROUNDS):
        adjusted = demand - memory - _priced(decisions, slopes)
        wanted = _demand_features(history, adjusted)
        free = torch.cat([adjusted.unsqueeze(-1), shift.unsqueeze(-1), shifter], dim=-1)
        expected, _ = _predict(wanted, free, rows)
        known, inside = _predict(torch.cat([made, wanted], dim=-1), decisions, decided)
        known = carried(known, decided.unsqueeze(-1).expand_as(known))  # a price that stays decides nothing
        residual = decisions - known
        mean = expected[..., 0] + _priced(known, slopes) + memory
        if before is None:
            slopes = _regress(demand - mean, residual[..., : 1 + promos], rows)
        fitted = expected[..., 0] + _priced(decisions, slopes) + memory
        spread = ((observed - fitted).square() * exact).sum((0, 1)) / exact.sum((0, 1)).clamp(min=1)
        demand = _impute(observed, history.censored, fitted, spread.sqrt().clamp(min=0.05))
        stage.advance()
    free_known = torch.cat([expected[..., 1:2], known[..., 1:]], dim=-1)
    in_fold = (decisions[..., 0] - inside[..., 0])[decided]
    return Residuals(
        log_mean=level + expected[..., 0] + _priced(known, slopes) + memory,
        free_log_mean=level + expected[..., 0] + _priced(free_known, slopes) + memory,
        shift=shift,
        price=residual[..., 0],
        promo=residual[..., 1 : 1 + promos],
        curve=residual[..., 1 + promos],
        news=residual[..., 2 + promos :],
        free_price=shift - expected[..., 1],
        instrument=shifter - expected[..., 2:],
        slopes=slopes,
        memory=memory,
        rows=rows,
        decided=decided,
        demand=torch.where(
            history.censored > 0, (demand + level).exp() - 0.5 * history.grain, history.units
        ).clamp(min=0),
        overfit=float(in_fold.std() / residual[..., 0][decided].std().clamp(min=1e-9)),
    )


def _decided(shift: Tensor, rows: Tensor) -> Tensor:
    """(T, S, I) bool: rows in which a price was decided; all of them unless prices mostly stay."""
    changed = torch.ones_like(rows)
    changed[1:] = (shift[1:] - shift[:-1]).abs() > _SAME
    often = (changed & rows).sum((0, 1)) > _OFTEN * rows.sum((0, 1))  # (I,)
    return rows & (changed | often)


def carried(known: Tensor, decided: Tensor) -> Tensor:
    """``known`` (T, …) as it was when the price was last decided; ``decided`` bool, of the same shape."""
    index = torch.arange(len(known), device=known.device).view(-1, *([1] * (known.dim() - 1)))
    return known.gather(0, torch.where(decided, index, 0).cummax(0).values)


def impute_demand(history: History, response: PriceResponse) -> History:
    """The history with demand estimated where stock ran out, as the response of its market has it.

    The trunk remembers demand (``docs/decisions/0004-what-a-market-remembers.md``): fed with censored sales
    in training and with whole demand in simulation, it would drift upwards.
    """
    if not bool((history.censored > 0).any()):
        return history
    known = Known.of(response, history)
    return replace(
        history, demand=fit_nuisances(history, log_level(history), response.pivot, before=known).demand
    )


def _priced(decisions: Tensor, slopes: Tensor) -> Tensor:
    """(T, S, I) effect of the first decisions on log demand, slopes (I, R') or (S, I, R')."""
    return (decisions[..., : slopes.shape[-1]] * slopes).sum(-1)


def _predict(features: Tensor, targets: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    """(T, S, I, R) predictions of targets (T, S, I, R) fitted on ``rows``, out of fold and in fold.

    Item by item, or all items in one where an item alone has too few rows for its columns.
    """
    together = int(rows.sum()) < _FEW * features.shape[-1] * rows.shape[2]
    parts = [slice(None)] if together else [slice(i, i + 1) for i in range(rows.shape[2])]
    out = torch.zeros_like(targets, dtype=torch.float64)
    inside = torch.zeros_like(out)
    for part in parts:
        shape = targets[:, :, part].shape
        series = shape[1] * shape[2]
        columns = features[:, :, part].reshape(shape[0] * series, -1).double()
        columns = columns / columns.std(0).clamp(min=1e-6)
        one_hot = torch.eye(series, dtype=torch.float64, device=rows.device).repeat(shape[0], 1)
        design = torch.cat([columns, one_hot, torch.ones_like(columns[:, :1])], dim=1)
        fold = (torch.arange(shape[0], device=rows.device) // _BLOCK % _FOLDS).repeat_interleave(series)
        y = targets[:, :, part].reshape(shape[0] * series, -1).double()
        a, b = _ridge_out_of_fold(design, y, rows[:, :, part].reshape(-1), fold)
        out[:, :, part], inside[:, :, part] = a.view(shape), b.view(shape)
    return out.float(), inside.float()


def _regress(target: Tensor, regressors: Tensor, rows: Tensor) -> Tensor:
    """(I, R') least squares of residual demand on residual price and promotion, with a weak prior."""
    x = (regressors * rows.unsqueeze(-1)).double()
    gram = torch.einsum("tsir,tsiq->irq", x, x)
    moment = torch.einsum("tsir,tsi->ir", x, (target * rows).double())
    prior = torch.full((x.shape[-1],), 0.05, dtype=torch.float64, device=x.device)
    guess = torch.zeros_like(prior)
    guess[0] = _FIRST_GUESS
    return torch.linalg.solve(gram + prior.diag(), moment + prior * guess).float()
