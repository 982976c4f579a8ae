"""The gradient of simulated profit is the one it should be, and what is trained by it finds known optima."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from scipy import stats
from shops import shop

from mercato.agents.baselines.orders import BaseStock, FixedCover
from mercato.agents.baselines.prices import CostPlus, LastPrice
from mercato.agents.corrections import OfLevel
from mercato.agents.evaluation import evaluate
from mercato.agents.learned import LearnedPolicy
from mercato.agents.learner import Validation
from mercato.agents.optimal import optimum, simulated
from mercato.agents.pathwise import PathwiseSettings, train_pathwise
from mercato.agents.pathwise.generalist import (
    GeneralistSettings,
    Problems,
    many_problems,
    train_generalist,
)
from mercato.agents.pathwise.gradient import Differentiable, StraightThrough
from mercato.agents.pathwise.training import window_for
from mercato.agents.policy import Pair
from mercato.envs.economics import Economics, PriceRules
from mercato.envs.engine.observation import Observation
from mercato.envs.engine.types import Decision
from mercato.envs.market import Market
from mercato.envs.problems import LostSales
from mercato.envs.processes import Geometric, Independent, NegativeBinomial, Poisson
from mercato.envs.simulator import Simulator
from mercato.forecasters.errors import InputError
from mercato.forecasters.tensors import NoiseKey

GLANCE = Validation(times=2, episodes=8, horizon=13)
PLENTY = Pair("plenty", CostPlus(0.2), FixedCover(4.0))
NEWSVENDOR = Pair("newsvendor", LastPrice(), BaseStock())
SHORT = Pair("short", LastPrice(), FixedCover(0.9))


class Smooth:
    """Demand that is no count: the mean times a number between a half and one and a half."""

    def sample(self, mean: torch.Tensor, key: NoiseKey, ids: torch.Tensor) -> torch.Tensor:
        return mean * (0.5 + key.uniform(ids, 0))

    def spread(self, mean: torch.Tensor) -> torch.Tensor:
        return torch.full_like(mean, 12**-0.5)


def stand(counts: object, base: float, elasticity: float = -2.0, **economics: Any) -> Market:
    """One item at the price 1.8 and the cost 1, whose customers are counted as ``counts`` has it."""
    market = shop([[elasticity]], base=base, economics=Economics(**economics))
    price = market.terms.reference_price
    mean, slope = torch.full((1, 1), base), torch.tensor([[elasticity]])
    return market.with_demand(Independent(counts, mean, reference_price=price, elasticity=slope))


class Outright:
    """Actions that are log prices and units."""

    def to_decision(self, action: torch.Tensor, view: object) -> Decision:
        return Decision(action[..., :1].exp(), action[..., 1:])


def worth(market: Market, markets: int, periods: int, action: torch.Tensor) -> torch.Tensor:
    """(B,) of some periods at one action (B, 1, 2)."""
    play = Differentiable(Simulator(market, markets, periods, seed=3), Outright(), torch.Generator())
    state, total = play.simulator.reset(), torch.zeros(markets)
    for _ in range(periods):
        state, earned = play.period(play.view(state), action)
        total = total + earned
    return total


@pytest.mark.parametrize(
    "economics",
    [
        {},
        {"lead_time": 0},
        {"unmet": "backorder"},
        {"shelf_life": 2},
        {"shelf_life": 3, "issuing": "lifo"},
        {"season": 6, "salvage_rate": 0.3},
    ],
    ids=str,
)
def test_the_gradient_is_the_slope_of_simulated_profit(economics: dict[str, Any]) -> None:
    """Odd markets tell of prices, even ones of orders; 10,000 customers hardly notice whole units."""
    usual = {"lead_time": 2, "holding_rate": 0.1, "initial_cover": 1.5}
    market = stand(Smooth(), 10_000.0, **{**usual, **economics})
    action = torch.tensor([math.log(1.9), 9_000.0]).repeat(8, 1, 1).requires_grad_()
    worth(market, 8, 6, action).sum().backward()
    found = action.grad[:, 0]
    for number, step, markets in ((0, 0.0005, slice(1, None, 2)), (1, 5.0, slice(0, None, 2))):
        ends = []
        for sign in (1, -1):
            moved = action.detach().clone()
            moved[..., number] += sign * step
            ends.append(worth(market, 8, 6, moved))
        slope = (ends[0] - ends[1]) / (2 * step)
        assert found[markets, number] == pytest.approx(slope[markets], rel=0.02, abs=1e-7)
        assert (found[1 - number :: 2, number] != 0).all()
        assert (found[number::2, number] == 0).all()


@pytest.mark.parametrize("counts", [Poisson(), Geometric()])
@pytest.mark.parametrize("stock", [1.0, 2.0])
def test_the_gradient_is_right_for_slow_movers(counts: object, stock: float) -> None:
    """Less than a customer a period and a unit or two of stock: where they are even is where it matters.

    One period at once (L = 0): sales are min(D, x), of which E = Σ_{k < x} P(D > k).
    """
    base, n, price = 0.7, 40_000, 1.8
    market = stand(counts, base, lead_time=0, initial_cover=0.0, holding_rate=0.2, shortage_rate=0.0)
    law = stats.poisson if isinstance(counts, Poisson) else None

    def profit(log_price: float, units: float) -> float:
        mean = base * (math.exp(log_price) / price) ** -2
        more = [
            1 - law(mean).cdf(k) if law else (mean / (1 + mean)) ** (k + 1) for k in range(math.ceil(units))
        ]
        parts = [min(1.0, units - k) for k in range(math.ceil(units))]
        sold = sum(chance * part for chance, part in zip(more, parts, strict=True))
        return ((math.exp(log_price) - 1) * sold - 0.2 * (units - sold)) / (price * base)

    units = stock - 0.4  # the whole number below or above at random
    action = torch.tensor([math.log(price), units]).repeat(n, 1, 1).requires_grad_()
    worth(market, n, 1, action).sum().backward()
    grads = action.grad[:, 0]
    by_price, by_order = grads[1::2, 0], grads[0::2, 1]
    h = 1e-4
    exact = (profit(math.log(price) + h, units) - profit(math.log(price) - h, units)) / (2 * h)
    assert abs(by_price.mean() - exact) < 4 * by_price.std() / (n / 2) ** 0.5
    exact = (profit(math.log(price), units + 0.1) - profit(math.log(price), units - 0.1)) / 0.2
    assert abs(by_order.mean() - exact) < 4 * by_order.std() / (n / 2) ** 0.5


def test_rounding_passes_gradients_and_bounds_of_decisions_let_them_back() -> None:
    x = torch.tensor([1.4, 3.0, 3.0, -2.0], requires_grad=True)
    low, high = torch.zeros(4), torch.full((4,), 2.0)
    for bounded, slopes in ((True, [1.0, 1.0, 0.0, 0.0]), (False, [1.0, 0.0, 0.0, 0.0])):
        x.grad = None
        with StraightThrough():
            kept = x.round().clamp(low, high) if bounded else x.round().clamp(0.0, 2.0)
        assert kept.tolist() == [1.0, 2.0, 2.0, 0.0]
        kept.backward(torch.tensor([1.0, 1.0, -1.0, 1.0]))  # a loss falls against its gradient
        assert x.grad.tolist() == slopes


def test_price_rules_pass_gradients() -> None:
    rules = PriceRules(ending=0.99, largest_change=0.1)
    economics = Economics(lead_time=1, price_rules=rules)
    market = shop([[-3.0]], base=50.0, cost=10.0, reference=20.0, economics=economics)
    action = torch.tensor([math.log(28.0), 90.0]).repeat(4, 1, 1).requires_grad_()
    (-worth(market, 4, 3, action).sum()).backward()
    assert (action.grad[1::2, 0, 0] > 0).all()  # dearer than 15, the optimum


def test_it_finds_the_newsvendor_stock() -> None:
    """L = 0, Poisson 10: order up to the critical fractile of a unit's margin, shortage and holding."""
    economics = Economics(lead_time=0, holding_rate=0.25, shortage_rate=0.4, initial_cover=1.0)
    market = shop(None, locations=8, base=10.0, economics=economics)
    settings = PathwiseSettings(
        steps=20_000,
        markets=8,
        window=2,
        horizon=20,
        learning_rate=0.02,
        price_reach=0.0,
        validation=GLANCE,
    )
    policy = train_pathwise(market, settings, base=SHORT)
    short = 0.8 + 0.4 * 1.8  # margin and shortage
    best = stats.poisson(10).ppf(short / (short + 0.25))
    simulator = Simulator(market, 16, 20, seed=9)
    state = simulator.reset()
    for _ in range(5):
        view = simulator.view(state)
        decision = policy.decide(view)
        state, _ = simulator.step(state, decision)
    level = (view.position() + decision.order)[decision.order > 0]
    assert (level - best).abs().mean() < 0.7


def test_it_finds_the_price_of_a_monopoly() -> None:
    """p* = c · e / (e + 1) at the elasticity e, where stock is free."""
    economics = Economics(lead_time=0, holding_rate=0.0, shortage_rate=0.0)
    market = shop([[-3.0]], locations=16, base=20.0, economics=economics)
    settings = PathwiseSettings(
        steps=15_000, markets=4, window=2, horizon=8, learning_rate=0.02, validation=GLANCE
    )
    policy = train_pathwise(market, settings, base=PLENTY)
    (row,) = evaluate(market, [policy], episodes=4, horizon=8, seed=11).policies()
    assert 1.8 * float(row["price_mean"]) == pytest.approx(1.5, rel=0.01)


@pytest.mark.parametrize(
    ("economics", "periods"),
    [({"season": 12}, 12), ({"season": 90}, 52), ({"lead_time": 0}, 26), ({"lead_time": 9}, 50)],
)
def test_a_window_tells_what_a_decision_leads_to(economics: dict[str, int], periods: int) -> None:
    """A season, or five orders in a row; no longer than an episode."""
    assert window_for(shop(None, economics=Economics(**economics)), PathwiseSettings()) == periods


def test_the_end_of_a_season_is_within_what_a_policy_can_tell_apart() -> None:
    market = shop([[-3.0]], economics=Economics(season=40))
    settings = PathwiseSettings(steps=1, markets=4, hidden=(8,), validation=GLANCE)
    policy = train_pathwise(market, settings, base=NEWSVENDOR)
    left = policy.features.index("season_left")
    standard = policy.network.standardise
    last = (math.log1p(1) - standard.mean[left]) / standard.deviation[left]
    assert -5.0 < float(last) < 0.0


def test_a_policy_reads_the_pipeline_and_is_played_from_its_file(tmp_path) -> None:
    problem = LostSales(4, 4.0)
    settings = PathwiseSettings(steps=400, markets=4, window=5, horizon=10, hidden=(8,), validation=GLANCE)
    policy = train_pathwise(problem.market(), settings, base=Pair("base", LastPrice(), BaseStock()))
    policy.save(tmp_path / "policy.safetensors")
    again = LearnedPolicy.load(tmp_path / "policy.safetensors")
    assert {"arrival_cover_2", "arrival_cover_3"} <= set(again.features)
    for lead_time in (1, 4, 6):  # of any market
        market = LostSales(lead_time, 4.0).market()
        view = Simulator(market, 3, 5, seed=0)
        view = view.view(view.reset())
        assert torch.equal(policy.decide(view).order, again.decide(view).order)


@pytest.mark.slow
def test_lost_sales_within_a_percent_of_the_optimum() -> None:
    problem = LostSales(2, 4.0)
    settings = PathwiseSettings(
        steps=4_000_000,
        markets=1024,
        window=20,
        horizon=400,
        learning_rate=0.006,
        orders=OfLevel(1.0),
        validation=Validation(times=4, episodes=1024, horizon=60),
    )
    market = problem.market()
    policy = train_pathwise(market, settings, base=Pair("base", LastPrice(), BaseStock()))
    cost, error = simulated(problem, policy, 7)
    assert cost + 2 * error < 1.01 * optimum(problem).cost


def test_problems_are_drawn_within_their_ranges_and_worth_as_much() -> None:
    """The newsvendor's level costs about as much in every problem, Poisson or geometric, cheap or dear."""
    drawn = Problems(penalties=(4.0, 39.0), means=(5.0, 5.0))
    for lead_time in (1, 4):
        market = many_problems(lead_time, 400, drawn, seed=0)
        odds = (market.terms.reference_price / market.terms.unit_cost - 1).flatten()
        assert 3.99 < odds.min() < 5
        assert 30 < odds.max() < 39.01
        spread = market.demand.outlook(market.demand.reset(torch.zeros(1, dtype=torch.int64), None)).spread
        assert spread.min() == pytest.approx(5**-0.5, rel=0.01)
        assert spread.max() == pytest.approx((1 / 5 + 1) ** 0.5)
        state = (simulator := Simulator(market, 1, 80, seed=0)).reset()
        total = torch.zeros(400)
        for _ in range(80):
            state, outcome = simulator.step(state, NEWSVENDOR.decide(simulator.view(state)))
            lost = outcome.lost * (market.terms.reference_price - market.terms.unit_cost)
            total += (outcome.holding + lost)[0, :, 0]
        assert (total / 80).quantile(0.95) < 3 * (total / 80).quantile(0.05)


def test_shapes_in_between_are_those_of_counts() -> None:
    mean = torch.tensor([[5.0], [5.0], [5.0]])
    shapes = NegativeBinomial(torch.tensor([[1.0], [3.0], [1000.0]]))
    k = range(60)
    laws = [stats.geom(1 / 6, loc=-1), stats.nbinom(3, 3 / 8), stats.nbinom(1000, 1000 / 1005)]
    for found, law in zip(shapes.probabilities(mean, 60), laws, strict=True):
        assert found.flatten().tolist() == pytest.approx(law.pmf(k).tolist(), abs=1e-6)


def test_a_generalist_is_told_the_problem_and_repeats_itself(tmp_path) -> None:
    brief = GeneralistSettings(updates=4, problems=16, hidden=(8,), drawn=Problems(lead_times=(1, 3)))
    policy, again = train_generalist(brief), train_generalist(brief)
    policy.save(tmp_path / "policy.safetensors")
    assert (tmp_path / "policy.safetensors").read_bytes() != b""
    played = LearnedPolicy.load(tmp_path / "policy.safetensors")
    decisions = []
    for problem in (LostSales(1, 4.0), LostSales(2, 9.0, "geometric"), LostSales(3, 39.0)):
        simulator = Simulator(problem.market(), 4, 5, seed=0)
        view = simulator.view(simulator.reset())
        assert torch.equal(played.decide(view).order, again.decide(view).order)
        decisions.append(played.decide(view).order[0].item())
    assert len(set(decisions)) == 3
    with pytest.raises(InputError, match="lead times of 1 or more"):
        Problems(lead_times=(0, 1))


def test_the_penalty_is_read_the_same_from_a_margin_and_from_a_shortage_cost() -> None:
    odds = []
    for market in (LostSales(2, 9.0).market(), many_problems(2, 1, Problems(penalties=(9.0, 9.0)), 0)):
        simulator = Simulator(market, 1, 5, seed=0)
        odds.append(Observation(["critical_odds"])(simulator.view(simulator.reset())).item())
    assert odds == pytest.approx([math.log(9.0)] * 2, rel=1e-5)
