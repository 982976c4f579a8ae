"""Fitting: identify the price response, learn base demand and a trunk around it, calibrate the means."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import torch
from torch import Tensor

from .errors import InputError
from .events import Relations
from .experiments import Findings, informed
from .features import History, build_history
from .identification import ROUNDS, Elasticities, Known, Residuals, estimate, fit_nuisances, with_knowledge
from .learning import Ground, prepare
from .model import DemandModel, FitSettings
from .network import DemandNetwork
from .panel.sales_panel import SalesPanel
from .progress import SILENT, Progress
from .response import PriceResponse, adjusted_history, history_effect, log_level, with_steps
from .simulation import anchored, calibrated
from .statistics import CommonShocks
from .tensors import Checkpoint, numbered, room_for
from .tuning import Tuning

_SETTLE, _SETTLED = 3, 0.03  # most rounds of correction; the mean move of elasticities that ends them
_AT_MOST = 0.9  # of its own elasticity that an item's price loses by moving everywhere
_CELL = 2000  # bytes that a fit takes for each location, item and period, at most
_NAMED = 5  # series that are named in a note, at most
LEAST_PERIODS = 8  # a shorter panel has nothing to cross-fit on


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
    shared["chain"] = torch.minimum(found.chain, _AT_MOST * -found.own.amax(0))
    return PriceResponse(pivot=pivot, promo_level=level, promo_slope=slope, **shared)


def fit_demand(
    panel: SalesPanel,
    settings: FitSettings | None = None,
    seed: int = 0,
    progress: Progress = SILENT,
    device: torch.device | str = "cpu",
    checkpoint: Path | None = None,
    tuning: Tuning | None = None,
    start: DemandNetwork | None = None,
    test: Findings | None = None,
    known: Relations | None = None,
) -> DemandModel:
    """Fit the price response, then the trunk around it, on all of a panel.

    The trunk is trained on ``device``; the model comes back on the CPU, where the price response is
    estimated. An interrupted training leaves its best weights in ``checkpoint``; the same fit goes on there.
    With ``tuning`` other settings than these may be found to be better. The network goes on from ``start``,
    where there is one and it has the same size: the price response is identified anew either way. What a
    price ``test`` found joins the elasticities; its own rows then tell of levels alone. What is ``known`` of
    items together is kept to.

    Raises:
        InputError: the panel is too short to learn from, too large for the memory that is free, or lacks what
            the test names.
        UnplayableError: what was learned does not simulate the panel.
    """
    if panel.periods < LEAST_PERIODS:
        raise InputError(
            f"date: expected at least {LEAST_PERIODS} periods to learn from, found {panel.periods}"
        )
    settings = settings or FitSettings()
    series = len(panel.locations) * len(panel.items)
    room_for(series, _CELL * panel.periods, f"series over {panel.periods} periods", torch.device("cpu"))
    history = build_history(panel)
    response, residuals, found = identify(panel, _untested(panel, history, test), progress)
    if test is not None:
        found = informed(found, test, panel.locations, panel.items)
    if known is not None:
        with progress.stage("keep to what is known of items together", 1) as stage:
            found, said = with_knowledge(found, known, panel.items, panel.categories)
            for line in said:
                stage.note(line)
            stage.advance()
    beside = ("own", "own_lo", "own_hi", "own_error", "choice")
    response = replace(response, **{name: getattr(found, name) for name in beside})
    history = replace(history, demand=residuals.demand)
    model = learn_around(
        panel,
        history,
        response,
        found,
        residuals.overfit,
        settings,
        seed,
        progress,
        device,
        checkpoint,
        tuning,
        start,
    )
    return replace(model, test=test)


def _untested(panel: SalesPanel, history: History, test: Findings | None) -> History:
    """The history without the rows of a test, whose prices its own reading has already learned from."""
    if test is None:
        return history
    rows = torch.from_numpy(test.rows(panel.dates, panel.locations, panel.items))
    return replace(history, known=history.known & ~rows)


def learn_around(
    panel: SalesPanel,
    history: History,
    response: PriceResponse,
    found: Elasticities,
    overfit: float,
    settings: FitSettings,
    seed: int,
    progress: Progress = SILENT,
    device: torch.device | str = "cpu",
    checkpoint: Path | None = None,
    tuning: Tuning | None = None,
    start: DemandNetwork | None = None,
) -> DemandModel:
    """The model of a panel whose price response is given; arguments as ``fit_demand`` has them."""
    with progress.stage("look for lasting steps in levels", 1) as stage:
        history = with_steps(history, response)
        if history.stepped is not None:
            stage.note(_told(history.stepped, panel))
        stage.advance()
    ground = prepare(history.to(device), response.to(device), settings, seed, progress)
    if tuning is not None:
        settings = tuning.choose(ground, settings, seed, progress)
    network, loss = train_on(ground, settings, seed, progress, checkpoint, start)
    effect = history_effect(history, response) + history.steps
    adjusted = adjusted_history(history, ground.level.cpu(), effect)
    model = DemandModel(
        panel.locations,
        panel.items,
        network,
        response,
        ground.level,
        reach(adjusted, history.known),
        ground.base,
        ground.informed,
        CommonShocks.none(len(panel.items)),
        settings,
        found,
        overfit,
        loss,
        stepped=history.stepped,
    )
    return anchored(calibrated(model.to("cpu"), history, progress), history, seed, progress)


def _told(stepped: Tensor, panel: SalesPanel) -> str:
    """The series that stepped (T, S, I), with the date and the size of the last step of each."""
    moves = stepped[:-1] - stepped[1:]
    said = []
    for place, item in (moves != 0).any(0).nonzero().tolist():
        last = int(moves[:, place, item].nonzero()[-1])
        date, times = panel.dates[last + 1], float(moves[last, place, item].exp())
        said.append(f"{panel.locations[place]} {panel.items[item]} × {times:.2f} from {date} on")
    more = f" and {len(said) - _NAMED} more" if len(said) > _NAMED else ""
    return f"lasting steps in the level of {len(said)} series: {', '.join(said[:_NAMED])}{more}"


def identify(
    panel: SalesPanel, history: History, progress: Progress = SILENT
) -> tuple[PriceResponse, Residuals, Elasticities]:
    """First stage: the price response, what prices did not follow from the past, elasticities.

    Both are found again with the elasticities of the round before until these settle: past demand that a
    wrong elasticity has freed of its price still carries that price.
    """
    pivot, level = reference_log_price(history, periods_a_year(panel)), log_level(history)
    categories, rule = numbered(panel.categories), promo_rule(history, pivot)
    runs = 3 + min(1, history.instrument.shape[-1])

    def believed(residuals: Residuals) -> History:
        return replace(history, units=residuals.units)

    def once(number: int, known: Known | None, before: Elasticities | None) -> tuple[Residuals, Elasticities]:
        which = f"pass {number} of at most {1 + _SETTLE}"
        with progress.stage(f"learn how prices were set, {which}", ROUNDS) as stage:
            residuals = fit_nuisances(history, level, pivot, categories, stage, known)
        with progress.stage(
            f"learn how customers respond to prices, {which}", runs * len(panel.items)
        ) as stage:
            return residuals, estimate(believed(residuals), residuals, categories, stage, before)

    residuals, found = once(1, None, None)
    response = price_response(pivot, found, rule)
    for number in range(2, 2 + _SETTLE):
        known = Known.of(response, believed(residuals))
        moved = (known.slopes - residuals.slopes)[..., 0].abs().mean()
        if float(moved + (known.carryover - residuals.carryover).abs().mean()) < _SETTLED:
            break
        residuals, found = once(number, known, found)
        response = price_response(pivot, found, rule)
    return response, residuals, found


def train_on(
    ground: Ground,
    settings: FitSettings,
    seed: int,
    progress: Progress = SILENT,
    checkpoint: Path | None = None,
    start: DemandNetwork | None = None,
) -> tuple[DemandNetwork, float]:
    """The network of the second stage, which may go on from another's weights, and its validation loss."""
    with progress.stage("train the demand network", settings.training.steps) as stage:
        kept = None if checkpoint is None else Checkpoint.of(checkpoint, ground.tokens, settings, seed)
        return ground.train(settings, seed, stage, kept, start)


def reach(adjusted: Tensor, known: Tensor) -> Tensor:
    """(2, I) least and most of price-adjusted log demand (T, S, I) that was ever observed of an item."""
    low = torch.where(known, adjusted, torch.inf).amin((0, 1))
    high = torch.where(known, adjusted, -torch.inf).amax((0, 1))
    seen = low <= high
    return torch.stack([torch.where(seen, low, 0.0), torch.where(seen, high, 0.0)])
