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

from ..features import History, local_calendar, local_news, past_features
from ..progress import SILENT, Stage
from ..response import PriceResponse, history_context, history_effect, log_level, mean_listed
from ..statistics import predict, unseen
from .outliers import LEAST_GAMMA, tamed

ROUNDS = 4  # price adjustment and stock-out imputation need each other's result
_SAME = 1e-4  # log prices closer than this are the same price
_OFTEN = 0.3  # share of rows with a new price beyond which every row counts as a decision
_FIRST_GUESS = -2.0  # own elasticity of the first price adjustment


@dataclass(frozen=True)
class Residuals:
    """What the second stage regresses, out of fold."""

    log_mean: Tensor  # (T, S, I) expected log demand given past and news, whatever the price turned out to be
    log_mean_without_news: Tensor  # (T, S, I) given the past alone: news tell of all prices, too
    free_log_mean: Tensor  # (T, S, I) the same given the past of demand alone
    shift: Tensor  # (T, S, I) log price over reference price
    price: Tensor  # (T, S, I) residual of log price
    promo: Tensor  # (T, S, I, K) residuals of the decision-linked covariates
    curve: Tensor  # (T, S, I) residual of half the squared log price shift
    free_price: Tensor  # (T, S, I) residual of log price given the past of demand alone
    instrument: Tensor  # (T, S, I, Z) residual of the log cost shifter given the past of demand alone
    news: Tensor  # (T, S, I, Z) the same given the past of prices and of the shifter, too
    slopes: Tensor  # ((S,) I, 1 + K) effects of price and promotions that past demand was freed of
    carryover: Tensor  # (T, S, I) carryover of earlier prices that it was freed of
    rows: Tensor  # (T, S, I) bool: observed rows with a past
    decided: Tensor  # (T, S, I) bool: those among them in which a price was decided
    demand: Tensor  # (T, S, I) units wanted: the sales, or their expected value where stock ran out
    units: Tensor  # (T, S, I) units sold, those far from what was expected brought nearer
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
    columns = past_features(adjusted, history.known, history.assortment)[:-1]
    return torch.cat([columns, history.ahead[: history.periods]], dim=-1)


def _decision_features(history: History, shift: Tensor) -> Tensor:
    """(T, S, I, P) the past of prices and promotions, which a price-setter knew beside that of demand."""
    listed = history.listed[: history.periods].float()
    columns = _past(shift, listed, 4, (4.0, 13.0))
    for k in range(history.promo.shape[-1]):
        columns += _past(history.promo[..., k], history.known.float(), 3, (4.0,))
    for z in history.instrument.unbind(-1):
        columns += _past(z - z.mean(0), listed, 2, (4.0,))
    return torch.stack(columns, dim=-1)


def _impute(history: History, observed: Tensor, fitted: Tensor, level: Tensor, spread: Tensor) -> Tensor:
    """Log demand above its level (T, S, I): observed, or its mean given what was sold where stock ran out.

    Where a share of the period was seen, of a Gamma-Poisson count whose log has the item's ``spread`` (I,)
    around what was ``fitted``; to second order, since the mean of logs is asked for. Where sales are a bound,
    of a normal log demand that is at least as high (inverse Mills ratio).
    """
    seen = history.stock_outs
    if seen.never:
        return observed
    sold, mean = history.units / history.grain, (fitted + level).exp() / history.grain
    rows = history.known.float()
    poisson = (rows / mean.clamp(min=0.05)).sum((0, 1)) / rows.sum((0, 1)).clamp(min=1)
    r = 1 / (spread.square() - poisson).clamp(min=LEAST_GAMMA)
    more = unseen(sold, mean, r, seen.exposure)
    total = sold + more + 0.5
    variance = more + more.square() / (r + sold)
    partly = (total * history.grain).log() - level - variance / (2 * total.square())
    beyond = _beyond(observed, fitted, spread)
    return torch.where(seen.whole, observed, torch.where(seen.bound, beyond, partly))


def _beyond(observed: Tensor, fitted: Tensor, spread: Tensor) -> Tensor:
    """Mean of a normal log demand, of mean ``fitted``, that is at least what was ``observed``."""
    z = ((observed - fitted) / spread).clamp(-6, 6)
    mills = (-0.5 * z * z - 0.9189385 - torch.special.log_ndtr(-z)).exp()  # in logs: tails vanish in float32
    return torch.maximum(fitted + spread * mills, observed)


@dataclass(frozen=True)
class Known:
    """What a round before has found: past demand that a wrong elasticity has freed of its price still
    carries that price, and with it the cost shifter."""

    slopes: Tensor  # (S, I, 1 + K) effects of price and promotions
    carryover: Tensor  # (T, S, I) effect on log demand of earlier prices
    lost: Tensor  # (T, S, I) effect on log demand of what other categories cost
    units: Tensor  # (T, S, I) units sold, those far from what was expected brought nearer

    @staticmethod
    def of(response: PriceResponse, history: History) -> Known:
        """What a price response says of the prices of a history, whose units are as that round believed."""
        promo = response.promo.expand(len(response.own), -1, -1)
        slopes = torch.cat([response.own.unsqueeze(-1), promo], dim=-1)
        carryover = history_context(history, response).carryover
        assert carryover is not None
        carried_over = (carryover[:-1] * response.carryover).sum(-1)
        return Known(slopes, carried_over, _lost(history, response), history.units)


def _lost(history: History, response: PriceResponse) -> Tensor:
    """(T, S, I) effect on log demand of the shop's other categories, by the form that knows of any."""
    some = response.choice.taken(int(response.choice.away.argmax()))
    none = replace(some, away=torch.zeros_like(some.away))
    with_others, without = (history_effect(history, replace(response, choice=x)) for x in (some, none))
    return with_others - without


def fit_nuisances(
    history: History,
    level: Tensor,
    pivot: Tensor,
    categories: Tensor,
    stage: Stage = SILENT,
    before: Known | None = None,
) -> Residuals:
    """Out-of-fold residuals of a panel; the first guess of the elasticities is refined in a few rounds.

    Args:
        history: T periods, S locations, I items.
        level: (S, I) log level of sales.
        pivot: (S, I) log reference price.
        categories: (I,) int64.
        stage: advances ``ROUNDS`` times.
        before: takes the place of the least-squares effects of price and promotions.
    """
    shift = history.log_price - pivot
    listed = history.listed[: history.periods].unsqueeze(-1)
    shifter = (history.instrument - mean_listed(history.instrument, listed, 0)) * listed
    promos = history.promo.shape[-1]
    bend = shift.square().unsqueeze(-1) / 2
    decisions = torch.cat([shift.unsqueeze(-1), history.promo, bend, shifter], dim=-1)
    sold = history
    if before is not None:
        history = replace(history, units=before.units)
    observed = _log_demand(history, level)
    rows = history.known & history.listed[: history.periods]
    there = listed.float()
    rows[0] = False
    decided = _decided(shift, rows)
    made = _decision_features(history, shift)
    demand, carryover = observed, torch.zeros_like(observed)
    lost = torch.zeros_like(observed)
    exact = rows & history.stock_outs.whole
    slopes = torch.full((history.units.shape[2], 1), _FIRST_GUESS, device=level.device)
    if before is not None:
        slopes, carryover, lost = before.slopes, before.carryover, before.lost
    for _ in range(ROUNDS):
        adjusted = demand - carryover - _priced(decisions, slopes)
        freed = adjusted - lost
        calendar = local_calendar(freed, rows, history.time_of_year, history.year).unsqueeze(2)
        usual = calendar.sum(-1)  # its traces would hide from the past what a price-setter saw there
        past = torch.cat([_demand_features(history, adjusted - usual), calendar.expand(*rows.shape, -1)], -1)
        wanted = torch.cat([past, local_news(freed - usual, rows, categories)], dim=-1)
        free = torch.cat([adjusted.unsqueeze(-1), shift.unsqueeze(-1), shifter], dim=-1)
        expected, _ = predict(wanted, free, rows)
        known, inside = predict(torch.cat([made, wanted], dim=-1), decisions, decided)
        known = carried(known, decided.unsqueeze(-1).expand_as(known))  # a price that stays decides nothing
        residual = (decisions - known) * there  # what is not sold has no price that surprises
        mean = expected[..., 0] + _priced(known, slopes) + carryover
        if before is None:
            slopes = _regress(demand - mean, residual[..., : 1 + promos], rows)
        fitted = expected[..., 0] + _priced(decisions, slopes) + carryover
        if before is None:
            history = tamed(sold, _log_demand(sold, level) - fitted, fitted + level, rows)
            observed = _log_demand(history, level)
        spread = ((observed - fitted).square() * exact).sum((0, 1)) / exact.sum((0, 1)).clamp(min=1)
        demand = _impute(history, observed, fitted, level, spread.sqrt().clamp(min=0.05))
        stage.advance()
        if before is not None and history.stock_outs.never:
            break  # nothing that a round reads has changed
    without_news, _ = predict(past, free[..., :1], rows)
    free_known = torch.cat([expected[..., 1:2], known[..., 1:]], dim=-1)
    in_fold, out_of_fold = (decisions[..., 0] - inside)[decided], residual[..., 0][decided]
    return Residuals(
        log_mean=level + mean,
        log_mean_without_news=level + mean + without_news[..., 0] - expected[..., 0],
        free_log_mean=level + expected[..., 0] + _priced(free_known, slopes) + carryover,
        shift=shift,
        price=residual[..., 0],
        promo=residual[..., 1 : 1 + promos],
        curve=residual[..., 1 + promos],
        news=residual[..., 2 + promos :],
        free_price=(shift - expected[..., 1]) * there[..., 0],
        instrument=(shifter - expected[..., 2:]) * there,
        slopes=slopes,
        carryover=carryover,
        rows=rows,
        decided=decided,
        demand=torch.where(
            history.stock_outs.whole, sold.units, (demand + level).exp() - 0.5 * history.grain
        ).clamp(min=0),
        units=history.units,
        overfit=float(in_fold.std() / out_of_fold.std().clamp(min=1e-9)) if len(in_fold) > 1 else 1.0,
    )


def _log_demand(history: History, level: Tensor) -> Tensor:
    """(T, S, I) log demand above its level as sales tell of it: a lower bound where they are one."""
    return (history.units + 0.5 * history.grain).log() - history.stock_outs.exposure.log() - level


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
    if history.stock_outs.never:
        return history
    known, categories = Known.of(response, history), response.choice.kin.argmax(1)
    found = fit_nuisances(history, log_level(history), response.pivot, categories, before=known)
    return replace(history, demand=found.demand)


def _priced(decisions: Tensor, slopes: Tensor) -> Tensor:
    """(T, S, I) effect of the first decisions on log demand, slopes (I, R') or (S, I, R')."""
    return (decisions[..., : slopes.shape[-1]] * slopes).sum(-1)


def _regress(target: Tensor, regressors: Tensor, rows: Tensor) -> Tensor:
    """(I, R') least squares of residual demand on residual price and promotion, with a weak prior."""
    x = (regressors * rows.unsqueeze(-1)).double()
    gram = torch.einsum("tsir,tsiq->irq", x, x)
    moment = torch.einsum("tsir,tsi->ir", x, (target * rows).double())
    prior = torch.full((x.shape[-1],), 0.05, dtype=torch.float64, device=x.device)
    guess = torch.zeros_like(prior)
    guess[0] = _FIRST_GUESS
    return torch.linalg.solve(gram + prior.diag(), moment + prior * guess).float()
