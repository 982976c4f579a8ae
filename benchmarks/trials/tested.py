"""A designed price test against random price moves of the same cost, on a true market that goes on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mercato.app.experiment.api import design_experiment, read_experiment
from mercato.envs.market import Market, Terms
from mercato.envs.structural import Truth, own_elasticities
from mercato.forecasters.experiments import Estimate, Plan, Rows, estimate, informed

from .play import Played, play, profit

Row = dict[str, Any]
WEEKS = 8
_SHARE = 0.02  # of the profit expected in the weeks of the test, that it may cost
_DRAWS = 999
_PLANS = 6  # draws of either kind, whose mean cost is compared
_SHIFTER = "cost_shifter"


def tested(market: Market, truth: Truth, seed: int) -> Row:
    """Half-widths and coverage of both, by item; and how far the fit is off before and after the test.

    Random moves may cost the whole budget, or what the plan really costs where that is more.

    Args:
        market: fitted to the first weeks of the truth's history.
        truth: what really goes on.
        seed: of plan and customers.
    """
    usual = market.terms.reference_price
    budget = _SHARE * design_experiment(market, WEEKS, 1.0e9, seed=seed).profit
    plan = design_experiment(market, WEEKS, budget, seed=seed)
    alike = [_charged(replace(plan.plan, seed=seed + k), usual) for k in range(_PLANS)]
    prices = alike[0]
    designed = play(truth, lambda week: prices[week], WEEKS, seed)
    reading = read_experiment(market, plan.plan, designed.frame(truth))
    cost = _cost(truth, designed.states, alike, market.terms)
    moves, random = _random_of_cost(truth, designed, market.terms, max(cost, budget), seed)
    drawn = play(truth, lambda week: random[week], WEEKS, seed)
    own = _true(truth, designed, usual)
    row: Row = {"cost_over_budget": cost / budget, "cost_expected": plan.cost / budget}
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


def _cost(truth: Truth, states: tuple[Any, ...], prices: list[Tensor], terms: Terms) -> float:
    """Profit that price lists (H, S, I) forgo against the usual ones before true customers, on average."""
    lists = [terms.reference_price.expand_as(prices[0]), *prices]
    base, *others = (profit(truth, states, some, terms.unit_cost).sum() for some in lists)
    return float(base - torch.stack(others).mean())


def _random_of_cost(
    truth: Truth, played: Played, terms: Terms, cost: float, seed: int
) -> tuple[float, Tensor]:
    """Half the range of uniform moves of log price, and prices (H, S, I), that cost as much on average.

    Every series every week by itself.
    """
    rng, usual = np.random.default_rng([seed, 3]), terms.reference_price
    drawn = [torch.from_numpy(rng.uniform(-1, 1, (WEEKS, *usual.shape))).float() for _ in range(_PLANS)]
    low, high = 0.0, 0.6
    for _ in range(15):
        middle = (low + high) / 2
        dearer = _cost(truth, played.states, [usual * (middle * x).exp() for x in drawn], terms) > cost
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
