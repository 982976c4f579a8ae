"""The demand model: identified price response, then a trunk trained around it."""

from __future__ import annotations

import copy
from dataclasses import dataclass, fields, replace
from pathlib import Path

import torch
from torch import Tensor

from .checkpoint import Checkpoint
from .distributions import row_log_likelihood
from .elasticity import Elasticities, estimate
from .errors import InputError
from .history import History, build_history
from .mixed import BLOCK
from .network import DemandNetwork, history_context, history_effect, history_tokens, log_level
from .nuisance import ROUNDS, Known, Residuals, fit_nuisances
from .panel.sales_panel import SalesPanel
from .progress import SILENT, Progress
from .response import PriceResponse
from .training import SubMarket, TrainingSettings, train_network
from .trunk import TrunkSettings

LOG_R_CENTRE = 2.0  # log dispersion of an untrained head
_SETTLE, _SETTLED = 3, 0.03  # most rounds of correction; the mean move of elasticities that ends them
LEAST_PERIODS = 8  # a shorter panel has nothing to cross-fit on


@dataclass(frozen=True)
class FitSettings:
    """Settings of a fit."""

    trunk: TrunkSettings = TrunkSettings()
    training: TrainingSettings = TrainingSettings()
    members: int = 4  # of the ensemble of heads, each trained on its own resampling of the weeks
    validation: int = 10  # last periods, held out for early stopping; at most a fifth of the panel


@dataclass(frozen=True)
class DemandModel:
    """A fitted model. Serialised by ``forecasters.store``."""

    locations: tuple[str, ...]
    items: tuple[str, ...]
    network: DemandNetwork
    response: PriceResponse
    level: Tensor  # (S, I) log level of sales
    correction: Tensor  # (I, 2) of the network's log mean and log dispersion, after its training
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
            correction=self.correction.to(device),
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


def price_response(pivot: Tensor, found: Elasticities, rule: tuple[Tensor, Tensor]) -> PriceResponse:
    """The response that elasticities make, with the promotions that follow a discount by ``promo_rule``."""
    level, slope = rule
    shared = {f.name: getattr(found, f.name) for f in fields(PriceResponse) if hasattr(found, f.name)}
    return PriceResponse(pivot=pivot, promo_level=level, promo_slope=slope, **shared)


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
    response, residuals, found = identify(panel, history, progress)
    history = replace(history, demand=residuals.demand)
    network, level, correction, loss = fit_trunk(
        history.to(device), response.to(device), settings, seed, progress, checkpoint
    )
    model = DemandModel(
        panel.locations,
        panel.items,
        network,
        response,
        level,
        correction,
        settings,
        found,
        residuals.overfit,
        loss,
    )
    return model.to("cpu")


def identify(
    panel: SalesPanel, history: History, progress: Progress = SILENT
) -> tuple[PriceResponse, Residuals, Elasticities]:
    """First stage: the price response, what prices did not follow from the past, elasticities.

    Both are found again with the elasticities of the round before until these settle: past demand that a
    wrong elasticity has freed of its price still carries that price.
    """
    pivot, level = reference_log_price(history, periods_a_year(panel)), log_level(history)
    categories, rule = _category_index(panel), promo_rule(history, pivot)

    def once(known: Known | None, before: Elasticities | None) -> tuple[Residuals, Elasticities]:
        with progress.stage("what prices followed", ROUNDS) as stage:
            residuals = fit_nuisances(history, level, pivot, stage, known)
        with progress.stage("elasticities", 2 * len(panel.items)) as stage:
            return residuals, estimate(history, residuals, categories, stage, before)

    residuals, found = once(None, None)
    for _ in range(_SETTLE):
        slopes = torch.cat([found.own.mean(0).unsqueeze(1), found.promo], dim=1)
        response = price_response(pivot, found, rule)
        memory = (history_context(history, response)[1][:-1] * response.memory).sum(-1)
        unsettled = (slopes - residuals.slopes)[:, 0].abs().mean() + (memory - residuals.memory).abs().mean()
        if float(unsettled) < _SETTLED:
            break
        residuals, found = once(Known(slopes, memory), found)
    return response, residuals, found


def fit_trunk(
    history: History,
    response: PriceResponse,
    settings: FitSettings,
    seed: int,
    progress: Progress = SILENT,
    checkpoint: Path | None = None,
) -> tuple[DemandNetwork, Tensor, Tensor, float]:
    """Second stage: network, level (S, I), correction (I, 2) and validation loss, the response held fixed."""
    torch.manual_seed(seed)
    periods, places, goods = history.units.shape
    effect = history_effect(history, response)
    level = log_level(history, effect)
    tokens = history_tokens(history, level, effect)
    device = tokens.device
    members = settings.members
    network = DemandNetwork(tokens.shape[-1], 2 * members, places, goods, settings.trunk).to(device)
    counts, offset = history.units / history.grain, level + effect - history.grain.log()
    luck = _resampling(periods, members, seed).to(device)

    def loss(out: Tensor, cut: SubMarket, rows: Tensor) -> Tensor:
        index = slice(cut.periods.start + 1, cut.periods.stop)

        def part(x: Tensor) -> Tensor:
            return x[index][:, cut.places][:, :, cut.goods].unsqueeze(-1)

        weight = part(history.known) & rows[index].view(-1, 1, 1, 1)
        if network.training:
            weight = weight * luck[index].view(-1, 1, 1, members)
        told = out[:-1].unflatten(-1, (members, 2))
        log_mean, log_r = part(offset) + told[..., 0], told[..., 1] + LOG_R_CENTRE
        units, censored = (part(x).expand_as(log_mean) for x in (counts, history.censored))
        value = -row_log_likelihood(units, censored, log_mean, log_r)
        return (value * weight).sum() / weight.expand_as(value).sum().clamp(min=1)

    held = min(settings.validation, periods // 5)
    valid = torch.arange(periods, device=device) >= periods - held
    with progress.stage("the market's demand", settings.training.steps) as stage:
        kept = None if checkpoint is None else Checkpoint.of(checkpoint, tokens, settings, seed)
        best = train_network(
            network, tokens, history, loss, ~valid, valid, settings.training, seed, stage, kept
        )
    return network, level, torch.zeros(goods, 2, device=device), best


def _resampling(periods: int, members: int, seed: int) -> Tensor:
    """(T, M) weights of a Bayesian bootstrap of blocks of periods (Rubin 1981, Ann. Stat. 9)."""
    generator = torch.Generator().manual_seed(seed + 2)
    blocks = torch.empty(periods // BLOCK + 1, members).exponential_(generator=generator)
    return blocks.repeat_interleave(BLOCK, 0)[:periods]


def _category_index(panel: SalesPanel) -> Tensor:
    order = {name: i for i, name in enumerate(dict.fromkeys(panel.categories))}
    return torch.tensor([order[name] for name in panel.categories])
