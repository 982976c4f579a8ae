"""First stage of identification: what price, promotion, cost shifter and demand were expected to be.

Two networks, each trained on alternating blocks of weeks and read on the others (cross-fitting, Chernozhukov
et al. 2018, doi:10.1111/ectj.12097), stopped early: over-trained nuisances break the second stage, under-trained
ones do not.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .distributions import nb_log_prob, nb_log_survival
from .history import History
from .network import DemandNetwork, nuisance_tokens
from .progress import SILENT, Progress
from .training import SubMarket, TrainingSettings, train_network
from .trunk import TrunkSettings

_BLOCK = 6  # periods of a block of the folds


@dataclass(frozen=True)
class NuisanceSettings:
    """The identification stage wants short training; accuracy is the second stage's business."""

    trunk: TrunkSettings = TrunkSettings(width=32, blocks=1, heads=2, window=16, dropout=0.1)
    training: TrainingSettings = TrainingSettings(steps=250, patience=3)


@dataclass(frozen=True)
class Residuals:
    """What the second stage regresses, out of fold."""

    log_mean: Tensor  # (T, S, I) expected log mean demand given the past, whatever the price turned out to be
    log_r: Tensor  # (T, S, I)
    price: Tensor  # (T, S, I) residual of log price
    promo: Tensor  # (T, S, I, K) residuals of the decision-linked covariates
    instrument: Tensor  # (T, S, I, Z) residual of the log cost shifter
    rows: Tensor  # (T, S, I) bool: observed rows that were predicted
    overfit: (
        float  # spread of in-fold price residuals over out-of-fold ones; near 1 is sound, 0.5 is over-trained
    )


def row_log_likelihood(units: Tensor, censored: Tensor, log_mean: Tensor, log_r: Tensor) -> Tensor:
    """Log likelihood of sales; a row with stock-out says only that demand was at least the sales."""
    exact = nb_log_prob(units, log_mean, log_r)
    out = censored > 0
    if not bool(out.any()):
        return exact
    result = exact.masked_fill(out, 0.0)
    return result.masked_scatter(out, nb_log_survival(units[out], log_mean[out], log_r[out]))


def _decisions(history: History, pivot: Tensor) -> Tensor:
    """(T, S, I, 1 + K + Z) log price above the pivot, promotions, log shifter above its mean."""
    shifter = history.instrument - history.instrument.mean(0, keepdim=True)
    return torch.cat([(history.log_price - pivot).unsqueeze(-1), history.promo, shifter], dim=-1)


def fit_nuisances(
    history: History,
    level: Tensor,
    pivot: Tensor,
    settings: NuisanceSettings,
    seed: int,
    progress: Progress = SILENT,
) -> Residuals:
    """Out-of-fold residuals of a panel.

    Args:
        history: T periods, S locations, I items.
        level: (S, I) log level of sales.
        pivot: (S, I) log reference price.
    """
    periods, places, goods = history.units.shape
    device = history.units.device
    tokens = nuisance_tokens(history, level, pivot)
    decisions = _decisions(history, pivot)
    promos = history.promo.shape[-1]
    scale = decisions[history.known].std(0).clamp(min=1e-3)
    block = torch.arange(periods, device=device) // _BLOCK % 2
    predictions = torch.zeros(periods, places, goods, 2 + decisions.shape[-1], device=device)
    spread: dict[str, list[Tensor]] = {"in": [], "out": []}
    for fold in (0, 1):
        torch.manual_seed(seed + fold)
        network = DemandNetwork(tokens.shape[-1], 2 + decisions.shape[-1], places, goods, settings.trunk).to(
            device
        )
        slopes = nn.Parameter(torch.zeros(goods, 1 + promos, device=device))
        with torch.no_grad():
            slopes[:, 0] = -2.0

        def loss(out: Tensor, cut: SubMarket, rows: Tensor, slopes: nn.Parameter = slopes) -> Tensor:
            index = slice(cut.periods.start + 1, cut.periods.stop)
            part = [
                x[index][:, cut.places][:, :, cut.goods] for x in (history.units, history.censored, decisions)
            ]
            units, censored, wanted = part
            weight = history.known[index][:, cut.places][:, :, cut.goods] & rows[index].view(-1, 1, 1)
            out = out[:-1]
            miss = wanted - out[..., 2:]
            priced = (miss[..., : 1 + promos].detach() * slopes[cut.goods]).sum(-1)
            log_mean = level[cut.places][:, cut.goods] + out[..., 0] + priced
            value = -row_log_likelihood(units, censored, log_mean, out[..., 1] + 1.0)
            value = value + 0.5 * (miss / scale).square().sum(-1)
            return (value * weight).sum() / weight.sum().clamp(min=1)

        with progress.stage(f"what prices followed, fold {fold + 1} of 2", settings.training.steps) as stage:
            train_network(
                network,
                tokens,
                history,
                loss,
                block == fold,
                block != fold,
                settings.training,
                seed + fold,
                stage,
                extra=[([slopes], 0.1)],
            )
        with torch.no_grad():
            out = _predict(network, tokens, history)
        other = block[1:] != fold
        predictions[1:][other] = out[:-1][other]
        miss = (decisions[1:, ..., 0] - out[:-1, ..., 2]).where(history.known[1:], torch.nan)
        spread["out"].append(miss[other].flatten())
        spread["in"].append(miss[~other].flatten())
    residual = decisions - predictions[..., 2:]
    rows = history.known.clone()
    rows[0] = False
    sizes = {
        k: torch.cat(v).nan_to_num().square().sum() / torch.cat(v).isfinite().sum().clamp(min=1)
        for k, v in spread.items()
    }
    return Residuals(
        log_mean=level + predictions[..., 0],
        log_r=predictions[..., 1] + 1.0,
        price=residual[..., 0],
        promo=residual[..., 1 : 1 + promos],
        instrument=residual[..., 1 + promos :],
        rows=rows,
        overfit=float((sizes["in"] / sizes["out"].clamp(min=1e-12)).sqrt()),
    )


def _predict(network: DemandNetwork, tokens: Tensor, history: History) -> Tensor:
    """(T, S, I, O) on the whole panel."""
    places = torch.arange(tokens.shape[1], device=tokens.device)
    goods = torch.arange(tokens.shape[2], device=tokens.device)
    return network(tokens.unsqueeze(0), network.identity(places, goods), history.distance)[0]
