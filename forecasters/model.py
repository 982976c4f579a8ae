"""The demand model: identified price response, then a trunk trained around it."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from .checkpoint import Checkpoint
from .distributions import row_log_likelihood
from .elasticity import Elasticities, estimate
from .errors import InputError
from .history import History, build_history
from .network import DemandNetwork, history_tokens, log_level
from .nuisance import ROUNDS, Residuals, fit_nuisances
from .panel.sales_panel import SalesPanel
from .progress import SILENT, Progress
from .response import PriceResponse
from .training import SubMarket, TrainingSettings, train_network
from .trunk import TrunkSettings

LOG_R_CENTRE = 2.0  # log dispersion of an untrained head
LEAST_PERIODS = 8  # a shorter panel has nothing to cross-fit on


@dataclass(frozen=True)
class FitSettings:
    """Settings of a fit."""

    trunk: TrunkSettings = TrunkSettings()
    training: TrainingSettings = TrainingSettings()
    validation: int = 10  # last periods, held out for early stopping; at most a fifth of the panel


@dataclass(frozen=True)
class DemandModel:
    """A fitted model. Serialised by ``forecasters.store``."""

    locations: tuple[str, ...]
    items: tuple[str, ...]
    network: DemandNetwork
    response: PriceResponse
    level: Tensor  # (S, I) log level of sales
    settings: FitSettings
    elasticities: Elasticities
    overfit: float  # the truth-free over-training check of the nuisances
    validation_loss: float  # negative log likelihood a row on the held-out last periods

    def to(self, device: torch.device | str) -> DemandModel:
        """A copy on another device; the elasticities, which only people read, stay where they are."""
        return replace(
            self,
            network=copy.deepcopy(self.network).to(device),
            response=self.response.to(device),
            level=self.level.to(device),
        )


def reference_log_price(history: History, frequency_a_year: int) -> Tensor:
    """(S, I) log of the median price of the last year: what price multiples refer to."""
    recent = history.log_price[-frequency_a_year:]
    return recent.median(0).values


def periods_a_year(panel: SalesPanel) -> int:
    """Periods in a year, from the spacing of the dates."""
    if panel.periods < 2:
        return 52
    days = (panel.dates[-1] - panel.dates[0]).astype(int) / (panel.periods - 1)
    return max(1, round(365.25 / days))


def promo_rule(history: History, pivot: Tensor, rounds: int = 50) -> tuple[Tensor, Tensor]:
    """Which promotion went with which discount: logistic a, b ≤ 0 (I, K), by Newton with a weak prior."""
    shift = history.log_price - pivot
    goods, promos = history.promo.shape[2:]
    level, slope = torch.full((goods, promos), -2.0), torch.full((goods, promos), -5.0)
    for i in range(goods):
        seen = history.known[:, :, i]
        x = torch.stack([torch.ones_like(shift[:, :, i][seen]), shift[:, :, i][seen]], dim=1).double()
        prior = torch.tensor([0.1, 0.01], dtype=torch.float64)
        for k in range(promos):
            y = history.promo[:, :, i, k][seen].double()
            beta = torch.tensor([-2.0, -5.0], dtype=torch.float64)
            for _ in range(rounds):
                chance = torch.sigmoid(x @ beta)
                weight = (chance * (1 - chance)).clamp(min=1e-6)
                hessian = x.T @ (weight.unsqueeze(1) * x) + prior.diag()
                beta = beta + torch.linalg.solve(hessian, x.T @ (y - chance) - prior * beta).clamp(-2, 2)
            level[i, k], slope[i, k] = float(beta[0]), min(float(beta[1]), 0.0)
    return level, slope


def price_response(history: History, pivot: Tensor, found: Elasticities) -> PriceResponse:
    level, slope = promo_rule(history, pivot)
    return PriceResponse(pivot, found.own, found.own_lo, found.own_hi, found.cross, found.promo, level, slope)


def fit_demand(
    panel: SalesPanel,
    settings: FitSettings | None = None,
    seed: int = 0,
    progress: Progress = SILENT,
    device: torch.device | str = "cpu",
    checkpoint: Path | None = None,
) -> DemandModel:
    """Fit the price response, then the trunk around it, on all of a panel.

    The trunk is trained on ``device``; the model comes back on the CPU, where the price response is
    estimated. An interrupted training leaves its best weights in ``checkpoint``; the same fit goes on there.

    Raises:
        InputError: the panel is too short to learn from.
    """
    if panel.periods < LEAST_PERIODS:
        raise InputError(
            f"date: expected at least {LEAST_PERIODS} periods to learn from, found {panel.periods}"
        )
    settings = settings or FitSettings()
    history = build_history(panel)
    pivot, residuals, found = identify(panel, history, progress)
    response = price_response(history, pivot, found)
    history = replace(history, demand=residuals.demand)
    network, level, loss = fit_trunk(
        history.to(device), response.to(device), settings, seed, progress, checkpoint
    )
    model = DemandModel(
        panel.locations, panel.items, network, response, level, settings, found, residuals.overfit, loss
    )
    return model.to("cpu")


def identify(
    panel: SalesPanel, history: History, progress: Progress = SILENT
) -> tuple[Tensor, Residuals, Elasticities]:
    """First stage: log reference price (S, I), what prices did not follow from the past, elasticities."""
    pivot = reference_log_price(history, periods_a_year(panel))
    with progress.stage("what prices followed", ROUNDS) as stage:
        residuals = fit_nuisances(history, log_level(history), pivot, stage)
    with progress.stage("elasticities", len(panel.items)) as stage:
        found = estimate(history.units, history.censored, residuals, _category_index(panel), stage)
    return pivot, residuals, found


def fit_trunk(
    history: History,
    response: PriceResponse,
    settings: FitSettings,
    seed: int,
    progress: Progress = SILENT,
    checkpoint: Path | None = None,
) -> tuple[DemandNetwork, Tensor, float]:
    """Second stage: network, level (S, I) and validation loss, with the response held fixed."""
    torch.manual_seed(seed)
    periods, places, goods = history.units.shape
    effect = response.effect(history.log_price, history.promo)
    level = log_level(history, effect)
    tokens = history_tokens(history, level, response)
    device = tokens.device
    network = DemandNetwork(tokens.shape[-1], 2, places, goods, settings.trunk).to(device)

    def loss(out: Tensor, cut: SubMarket, rows: Tensor) -> Tensor:
        index = slice(cut.periods.start + 1, cut.periods.stop)

        def part(x: Tensor) -> Tensor:
            return x[index][:, cut.places][:, :, cut.goods]

        weight = part(history.known) & rows[index].view(-1, 1, 1)
        log_mean = level[cut.places][:, cut.goods] + out[:-1, ..., 0] + part(effect)
        value = -row_log_likelihood(
            part(history.units), part(history.censored), log_mean, out[:-1, ..., 1] + LOG_R_CENTRE
        )
        return (value * weight).sum() / weight.sum().clamp(min=1)

    held = min(settings.validation, periods // 5)
    valid = torch.arange(periods, device=device) >= periods - held
    with progress.stage("the market's demand", settings.training.steps) as stage:
        kept = None if checkpoint is None else Checkpoint.of(checkpoint, tokens, settings, seed)
        best = train_network(
            network, tokens, history, loss, ~valid, valid, settings.training, seed, stage, kept
        )
    return network, level, best


def _category_index(panel: SalesPanel) -> Tensor:
    order = {name: i for i, name in enumerate(dict.fromkeys(panel.categories))}
    return torch.tensor([order[name] for name in panel.categories])
