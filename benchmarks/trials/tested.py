"""A designed price test against random price moves of the same cost, on a true market that goes on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

import mercato
from mercato.app.experiments import design_experiment, read_experiment
from mercato.envs.market import Market
from mercato.envs.structural import FAMILIES, ROLES, Size, Truth, own_elasticities
from mercato.forecasters.experiments import Estimate, Plan, Rows, estimate, informed
from mercato.forecasters.panel import read_panel

from .play import Played, play, profit

Row = dict[str, Any]
WEEKS = 8
_SHARE = 0.01  # of the profit expected in the weeks of the test, that it may cost
_DRAWS = 999
_PLANS = 6  # draws of either kind, whose mean cost is compared
_SHIFTER = "cost_shifter"


def market_of(family: str, seed: int, size: Size) -> tuple[Market, Truth]:
    """A market fitted to a table without its cost shifter, as most tables are; and the truth."""
    frame, truth = FAMILIES[family].make(seed, size)
    roles = {name: role for name, role in ROLES.items() if name != _SHIFTER}
    panel = read_panel(frame.drop(columns=[_SHIFTER]), roles=roles)
    return mercato.fit(panel, effort="zero-shot", model="scratch"), truth


def tested(family: str, seed: int, size: Size) -> Row:
    """Half-widths and coverage of both, by item; and how far the fit is off before and after the test."""
    market, truth = market_of(family, seed, size)
    usual = market.terms.reference_price
    expected = design_experiment(market, WEEKS, 1.0e9, seed=seed).profit
    plan = design_experiment(market, WEEKS, _SHARE * expected, seed=seed)
    alike = [_charged(replace(plan.plan, seed=seed + k), usual) for k in range(_PLANS)]
    prices = alike[0]
    designed = play(truth, lambda week, _: prices[week], WEEKS, seed)
    reading = read_experiment(market, plan.plan, designed.frame(truth))
    cost = _cost(truth, designed.states, alike, usual)
    moves, random = _random_of_cost(truth, designed, usual, cost, seed)
    drawn = play(truth, lambda week, _: random[week], WEEKS, seed)
    own = _true(truth, designed, usual)
    row: Row = {"cost_share": cost / float(profit(truth, designed.states, usual.expand_as(prices)).sum())}
    half, covered, alone = [], [], []
    for name, lo, hi, value in reading.table[["item", "lo", "hi", "elasticity"]].itertuples(index=False):
        item = market.items.index(name)
        weight = next(f.weights for f in reading.findings.items if f.item == name)
        true = sum(w * float(own[market.locations.index(place), item]) for place, w in weight.items())
        other = _read_random(truth, drawn, usual, moves, item, seed)
        if other is None:
            continue
        true_random = float(own[:, item].numpy() @ other.weight)
        half.append(((hi - lo) / 2, (other.hi - other.lo) / 2))
        covered.append((lo <= true <= hi, other.lo <= true_random <= other.hi))
        alone.append((value - true, other.value - true_random))
    found = market.demand.elasticities  # type: ignore[attr-defined]
    test = informed(found, reading.findings, market.locations, market.items).own
    widths = np.array(half)
    row |= {
        "items_tested": len(reading.table) / len(market.items),
        "half_width": float(np.exp(np.log(widths[:, 0]).mean())),
        "half_width_random": float(np.exp(np.log(widths[:, 1]).mean())),
        "narrower": float(1 - np.exp(np.log(widths[:, 0] / widths[:, 1]).mean())),
        "covered": float(np.mean([c[0] for c in covered])),
        "covered_random": float(np.mean([c[1] for c in covered])),
        "promised_error": float(plan.table["error"].mean() / reading.table["error"].mean()),
        "miss": float(np.abs([a[0] for a in alone]).mean()),
        "miss_random": float(np.abs([a[1] for a in alone]).mean()),
        "fit_miss": float((found.own.mean(0) - own.mean(0)).abs().mean()),
        "fit_miss_after": float((test.mean(0) - own.mean(0)).abs().mean()),
    }
    return row


def _charged(plan: Plan, usual: Tensor) -> Tensor:
    """(H, S, I) prices of a plan, the usual ones where nothing is tested."""
    prices = torch.from_numpy(np.nan_to_num(plan.price)).float()
    return torch.where(prices > 0, prices, usual)


def _true(truth: Truth, played: Played, usual: Tensor) -> Tensor:
    """(S, I) own elasticities at usual prices in the weeks that were played."""
    each = [own_elasticities(truth.demand, state, usual.unsqueeze(0))[0] for state in played.states]
    return torch.stack(each).mean(0)


def _cost(truth: Truth, states: tuple[Any, ...], prices: list[Tensor], usual: Tensor) -> float:
    """Profit that price lists (H, S, I) forgo against the usual ones before true customers, on average."""
    base = profit(truth, states, usual.expand_as(prices[0])).sum()
    return float(torch.stack([base - profit(truth, states, some).sum() for some in prices]).mean())


def _random_of_cost(
    truth: Truth, played: Played, usual: Tensor, cost: float, seed: int
) -> tuple[float, Tensor]:
    """Half the range of uniform moves of log price, and prices (H, S, I), that cost as much on average.

    Every series every week by itself.
    """
    rng = np.random.default_rng([seed, 3])
    drawn = [torch.from_numpy(rng.uniform(-1, 1, (WEEKS, *usual.shape))).float() for _ in range(_PLANS)]
    low, high = 0.0, 0.6
    for _ in range(15):
        middle = (low + high) / 2
        dearer = _cost(truth, played.states, [usual * (middle * x).exp() for x in drawn], usual) > cost
        low, high = (low, middle) if dearer else (middle, high)
    return low, usual * (low * drawn[0]).exp()


def _read_random(
    truth: Truth, played: Played, usual: Tensor, moves: float, item: int, seed: int
) -> Estimate | None:
    """The same estimator on random moves, whose draws are independent."""
    weeks, places = played.price.shape[:2]
    period, place = np.indices((weeks, places)).reshape(2, -1)
    shift = (played.price / usual).log()[..., item].double().numpy().reshape(-1)
    past = truth.history.sales[-52:, :, item].mean(0).clamp(min=0.1).log().double().numpy()
    rows = Rows(
        units=played.sales[..., item].double().numpy().reshape(-1),
        exposure=np.ones(weeks * places),
        bound=played.out[..., item].numpy().reshape(-1),
        offset=past[place],
        charged=shift,
        assigned=shift,
        series=place,
        period=period,
    )
    rng = np.random.default_rng([seed, 4, item])
    return estimate(rows, rng.uniform(-moves, moves, (_DRAWS, weeks * places)))
