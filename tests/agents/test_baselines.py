from math import log

import pytest
import torch
from scipy.optimize import minimize
from scipy.stats import gamma
from shops import shop

from mercato.agents.baselines.myopic import MyopicPrice
from mercato.agents.baselines.orders import BaseStock, CappedBaseStock, FixedCover, critical_ratio
from mercato.agents.baselines.prices import CostPlus, LastPrice, LoggedPrice, StaticPrice
from mercato.agents.baselines.random import RandomPolicy
from mercato.agents.policy import Pair, Policy
from mercato.agents.tuning import TuningSettings, tune_baselines
from mercato.envs.economics import Economics, PriceRules
from mercato.envs.engine.view import View
from mercato.envs.market import Market
from mercato.envs.simulator import Simulator
from mercato.forecasters.errors import InputError


def look(market: Market, markets: int = 2) -> View:
    simulator = Simulator(market, markets, 10, seed=0)
    return simulator.view(simulator.reset())


def test_cost_plus_adds_its_markup_to_cost_inside_the_range():
    view = look(shop([[-3.0]]))
    assert CostPlus(0.6).price(view).flatten().tolist() == pytest.approx([1.6, 1.6])
    assert CostPlus(9.0).price(view).flatten().tolist() == pytest.approx([3.6, 3.6])


@pytest.mark.parametrize("elasticity", [-1.6, -2.0, -3.0, -5.0])
def test_myopic_price_is_the_monopoly_price(elasticity):
    """p = c · e / (e - 1) for constant elasticity e (Lerner 1934)."""
    view = look(shop([[elasticity]]))
    monopoly = -elasticity / (-elasticity - 1.0)
    assert float(MyopicPrice().price(view)[0, 0, 0]) == pytest.approx(monopoly, rel=1e-3)


def test_a_static_price_is_the_same_in_a_part_of_its_market():
    """A market too large to play at once is played in parts."""
    market = shop([[-3.0, 0.5], [0.5, -3.0]])
    prices = torch.tensor([[1.5, 1.9]])
    rule = StaticPrice(prices, market.locations, market.items)
    part = market.select(items=market.items[1:])
    assert torch.equal(rule.price(look(part)), torch.full((2, 1, 1), 1.9))
    with pytest.raises(InputError, match="tuned for"):
        StaticPrice(prices[:, 1:], market.locations, market.items[1:]).price(look(market))


def test_myopic_price_of_inelastic_demand_is_the_end_of_the_support():
    assert float(MyopicPrice().price(look(shop([[-0.5]])))[0, 0, 0]) == pytest.approx(3.6)


def test_myopic_price_counts_substitutes_in():
    """Own -3, cross +0.5: prices of 2.5 / 1.5 of cost together, not the 1.5 of two rivals.

    Of a cross elasticity of 1 the symmetric prices are a saddle: one item at the end of its range earns more.
    """
    prices = MyopicPrice().price(look(shop([[-3.0, 0.5], [0.5, -3.0]])))
    assert prices.flatten().tolist() == pytest.approx([5 / 3] * 4, rel=1e-3)


def test_myopic_profit_is_what_a_general_optimiser_finds():
    """Over random sets of four substitutes; profit has several peaks in a few of them."""
    shares = []
    for seed in range(60):
        noise = torch.Generator().manual_seed(seed)
        elasticity = 0.25 * torch.rand(4, 4, generator=noise)
        elasticity[range(4), range(4)] = -(1.8 + 2.0 * torch.rand(4, generator=noise))
        view = look(shop(elasticity.tolist(), spread=0.5), 1)
        shares.append(expected_profit(MyopicPrice().price(view), view) / powell_profit(view))
    assert min(shares) > 0.97
    assert torch.tensor(shares).quantile(0.1) > 0.999


def expected_profit(price: torch.Tensor, view: View) -> float:
    return float(((price - view.market.terms.unit_cost) * view.expected(price)).sum())


def powell_profit(view: View) -> float:
    """The best of two runs of Powell's method over the supported range."""

    def loss(x: object) -> float:
        return -expected_profit(torch.as_tensor(x, dtype=torch.float32).exp().view(1, 1, 4), view)

    bounds = [(log(0.9), log(3.6))] * 4
    return -min(minimize(loss, [x] * 4, bounds=bounds, method="Powell").fun for x in (0.3, 0.8))


def test_prices_are_common_to_a_price_group_and_obey_the_floor():
    rules = Economics(price_rules=PriceRules(floor=1.0))
    market = shop([[-6.0, 0.5], [0.2, -5.0]], locations=3, groups=("a", "b", "a"), economics=rules)
    view = look(market)
    policies = [MyopicPrice(), CostPlus(0.1), LastPrice(), LoggedPrice()]
    for rule in policies:
        price = rule.price(view)
        assert torch.equal(price[:, 0], price[:, 2])
    for rule in policies[:2]:
        assert float(rule.price(view).min()) >= 1.8 - 1e-5
    price = RandomPolicy(seed=3).decide(view).price
    assert torch.equal(price[:, 0], price[:, 2])
    assert not torch.equal(price[:, 0], price[:, 1])


def test_logged_price_follows_the_calendar_and_stays_after_it():
    market = shop([[-3.0]])
    simulator = Simulator(market, 1, 10, seed=0)
    for start, expected in ((7, 7), (60, 59)):
        view = simulator.view(simulator.initial_state(torch.tensor([start])))
        assert torch.equal(LoggedPrice().price(view)[0], market.logged_price[expected])


def test_logged_price_needs_a_history():
    market = shop([[-3.0]])
    bare = Market(**{**{f: getattr(market, f) for f in market.__dataclass_fields__}, "logged_price": None})
    with pytest.raises(InputError, match="history"):
        LoggedPrice().price(look(bare))
    assert not any("logged" in p.name for p in tune_baselines(bare, 0, TuningSettings(volume=500)))


@pytest.mark.parametrize("lead_time", [0, 1, 4])
@pytest.mark.parametrize("unmet", ["lost", "backorder"])
def test_base_stock_is_the_newsvendor_quantile(lead_time, unmet):
    economics = Economics(lead_time=lead_time, unmet=unmet, holding_rate=0.05, shortage_rate=0.3)
    view = look(shop(None, base=30.0, economics=economics))
    price = torch.full((2, 1, 1), 1.8)
    short = 0.3 * 1.8 + (0.8 if unmet == "lost" else 0.0)
    ratio = short / (short + 0.05)
    assert float(critical_ratio(view, price)[0, 0, 0]) == pytest.approx(ratio, rel=1e-5)
    mean = 30.0 * (lead_time + 1)  # Poisson: variance = mean, so gamma of shape = mean and scale 1
    assert float(BaseStock().level(view, price)[0, 0, 0]) == pytest.approx(gamma.ppf(ratio, mean), rel=2e-3)


def test_orders_lift_the_position_to_the_level():
    view = look(shop([[-3.0]], base=40.0, economics=Economics(initial_cover=1.0, lead_time=2)))
    price = torch.full((2, 1, 1), 1.8)
    rule = FixedCover(2.5)
    assert torch.allclose(rule.order(view, price) + view.position(), rule.level(view, price))
    assert torch.equal(FixedCover(0.5).order(view, price), torch.zeros(2, 1, 1))


def test_random_noise_belongs_to_the_episode():
    market = shop([[-3.0]], locations=2)
    simulator = Simulator(market, 3, 10, seed=0, evaluation=True)
    some = simulator.view(simulator.reset(torch.tensor([5, 6, 7])))
    other = simulator.view(simulator.reset(torch.tensor([7, 5, 5])))
    a, b = (RandomPolicy(seed=1).decide(view).price for view in (some, other))
    assert torch.equal(a[2], b[0])
    assert torch.equal(a[0], b[1])
    assert not torch.equal(a[0], a[1])


def test_tuning_finds_the_static_optimum_and_a_sensible_stock():
    market = shop([[-3.0, 0.5], [0.5, -3.0]], locations=4)
    policies = tuned(market)
    assert list(policies) == [
        "cost-plus",
        "static price",
        "myopic price",
        "last price",
        "logged price",
        "random",
    ]
    assert all(isinstance(policy, Policy) for policy in policies.values())
    static, cost_plus = policies["static price"], policies["cost-plus"]
    assert isinstance(static, Pair)
    assert isinstance(static.pricing, StaticPrice)
    assert torch.allclose(static.pricing.prices, torch.tensor(5 / 3), rtol=0.02)
    assert isinstance(cost_plus, Pair)
    assert isinstance(cost_plus.pricing, CostPlus)
    assert cost_plus.pricing.markup == pytest.approx(2 / 3, abs=0.05)
    for policy in policies.values():
        if isinstance(policy, Pair) and isinstance(policy.ordering, BaseStock | CappedBaseStock):
            assert 0.8 < policy.ordering.safety < 1.4


def tuned(market: Market) -> dict[str, Policy]:
    """Baselines by their price rule."""
    settings = TuningSettings(volume=10_000)
    return {policy.name.split(", ")[0]: policy for policy in tune_baselines(market, 0, settings)}


def test_tuning_raises_the_stock_where_a_shortage_is_dear():
    cheap, dear = (
        Economics(holding_rate=0.3, shortage_rate=rate, lead_time=2, initial_cover=0.0) for rate in (0.0, 5.0)
    )
    orders = []
    for economics in (cheap, dear):
        market = shop(None, cost=1.7, base=3.0, locations=6, economics=economics)
        pair = tuned(market)["last price"]
        orders.append(float(pair.decide(look(market)).order.sum()))
    assert orders[0] < orders[1]
