"""What is particular about each family of true markets."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch

from mercato.envs.structural import FAMILIES, Size, Truth, own_elasticities, true_market
from mercato.envs.structural.nested_logit import from_shares, log_shares
from mercato.forecasters.simulation.demand import Period
from mercato.forecasters.tensors.noise import NoiseKey

LARGE = Size(locations=20, items=10, weeks=150)


@cache
def truth_of(name: str, seed: int = 103, size: Size = LARGE) -> Truth:
    return FAMILIES[name].make(seed, size)[1]


def rng(period: int) -> NoiseKey:
    zero = torch.zeros(1, dtype=torch.int64)
    return NoiseKey(5, zero, zero, zero + period)


# nested logit


def test_shares_are_choice_probabilities():
    """Against the formula written out, one customer population at a time."""
    utility = torch.tensor([0.3, -0.5, 0.1, -1.0], dtype=torch.float64)
    nest = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]], dtype=torch.float64)
    lam = 0.6
    a, b = np.exp(0.3 / lam) + np.exp(-0.5 / lam), np.exp(0.1 / lam) + np.exp(-1.0 / lam)
    of_a = a**lam / (1 + a**lam + b**lam)
    within, of_nest = log_shares(utility, nest, lam)
    assert of_nest[0].exp().item() == pytest.approx(of_a)
    assert (within + of_nest)[1].exp().item() == pytest.approx(of_a * np.exp(-0.5 / lam) / a)
    within, of_nest = log_shares(utility, nest, 1.0)  # without nests' likeness: the plain logit
    plain = utility.exp() / (1 + utility.exp().sum())
    assert torch.allclose((within + of_nest).exp(), plain)


def test_inversion_finds_the_market_that_sells_so():
    units = torch.tensor([[10.0, 20.0, 5.0], [40.0, 2.0, 8.0]])
    own = torch.tensor([[-2.0, -3.0, -1.5], [-2.2, -2.8, -1.9]])
    nest = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    traffic, value, slope = from_shares(units, own, nest, likeness=0.7, bought=0.25)
    step = 1e-3

    def sold(dearer: torch.Tensor) -> torch.Tensor:
        within, of_nest = log_shares(value - slope * dearer, nest, 0.7)
        return traffic.unsqueeze(-1) + within + of_nest

    assert torch.allclose(sold(torch.zeros(3)).exp(), units, rtol=1e-5)
    assert torch.allclose(traffic.exp(), units.sum(-1) / 0.25)
    for i in range(3):
        moved = torch.zeros(3)
        moved[i] = step
        slope_here = (sold(moved) - sold(-moved))[:, i] / (2 * step)
        assert torch.allclose(slope_here, own[:, i], atol=5e-3)


def test_logit_elasticities_grow_with_the_price():
    demand = truth_of("nested-logit").demand
    reference = demand.shop.reference_price.expand(3, -1, -1)
    state = demand.rows(torch.tensor([10, 60, 110]))
    cheap, usual, dear = (own_elasticities(demand, state, reference * m) for m in (0.8, 1.0, 1.2))
    assert (dear < usual - 0.1).all()
    assert (usual < cheap - 0.1).all()
    own = demand.own()
    assert own.min() > -3.8
    assert own.max() < -1.3


def test_a_logit_price_reaches_other_categories_less():
    demand = truth_of("nested-logit").demand
    cross, categories = demand.cross(), demand.shop.categories
    kin = torch.tensor([[a == b for b in categories] for a in categories])
    off = ~torch.eye(len(categories), dtype=torch.bool)
    assert (cross[:, off] > 0).all()
    assert cross[:, kin & off].mean() > 3 * cross[:, ~kin].mean()
    assert (demand.own() + cross.sum(-1) < 0).all()  # when all is dearer, nobody buys more


def test_logit_customers_never_exceed_the_traffic():
    demand = truth_of("nested-logit").demand
    p, state = demand.parameters, demand.rows(torch.arange(150))
    free = demand.expected(state, torch.full((150, 20, 10), 1e-3))
    customers = (p.traffic + state.location + state.chain.unsqueeze(-1)).exp()
    assert (free.sum(-1) < customers).all()
    nothing = demand.log_mean(state, demand.shop.reference_price.expand(150, -1, -1) * 1e3)
    assert torch.isfinite(nothing).all()


# stockpiling


def test_a_deal_is_paid_back_by_a_third():
    """One week of one item at the usual discount, then three as usual, against four usual weeks."""
    demand = truth_of("stockpiling").demand
    usual = demand.shop.reference_price.unsqueeze(0)
    calm = demand.calm(demand.rows(torch.tensor([20])))
    one = torch.zeros_like(usual)
    one[..., 4] = 1.0

    def ordinary_weeks(promo: torch.Tensor) -> torch.Tensor:
        """(4, S) units over those of a usual week without pantry."""
        state, units = calm, []
        for week in range(4):
            price = usual * (-0.2 * promo).exp()
            without = demand.log_mean(demand.calm(state), usual)
            units.append((demand.log_mean(state, price, promo) - without).exp()[0, :, 4])
            after = demand.advance(state, Period(price, price, price), rng(week), promo)
            state = replace(demand.calm(after), pantry=after.pantry)
            promo = torch.zeros_like(promo)
        return torch.stack(units)

    deal, plain = ordinary_weeks(one), ordinary_weeks(torch.zeros_like(one))
    extra, dip = deal[0] - plain[0], (plain - deal)[1:]
    assert (extra > 0.3).all()
    assert 0.28 < (dip.sum(0) / extra).mean() < 0.38
    assert (dip.diff(dim=0) < 0).all()  # it fades


def test_a_low_price_that_stays_sells_less_than_its_week_says():
    demand = truth_of("stockpiling").demand
    price = demand.shop.reference_price.unsqueeze(0) * 0.85
    state = demand.rows(torch.tensor([20]))
    at_once = demand.log_mean(state, price)
    for week in range(6):
        state = demand.advance(state, Period(price, price, price), rng(week))
    kept = demand.log_mean(replace(state, pantry=torch.zeros_like(state.pantry)), price)
    lost = kept - demand.log_mean(state, price)
    assert (lost > 0.05).all()
    usual = demand.shop.reference_price.unsqueeze(0)
    assert (lost < at_once - demand.log_mean(demand.rows(torch.tensor([20])), usual)).all()


def test_the_shop_does_not_see_the_pantry():
    demand = truth_of("stockpiling").demand
    full = demand.rows(torch.tensor([100]))
    assert (full.pantry > 0).any()
    empty = replace(full, pantry=torch.zeros_like(full.pantry))
    price = demand.shop.reference_price.unsqueeze(0)
    assert torch.equal(demand.log_mean(demand.calm(full), price), demand.log_mean(demand.calm(empty), price))


# inelastic


def test_half_the_items_earn_most_at_the_highest_price():
    """Own profit over the whole history, one price at a time through its supported range."""
    truth = truth_of("inelastic")
    demand, terms = truth.demand, true_market(truth).terms
    dull = demand.own().mean(0) > -1
    assert dull.sum() == 5
    assert (demand.own()[:, dull] > -0.95).all()
    assert (demand.own()[:, dull] < -0.25).all()
    state = demand.rows(torch.arange(150))
    profits = []
    for way in torch.linspace(0, 1, 5):
        price = terms.price_low * (terms.price_high / terms.price_low) ** way
        alone = terms.reference_price.expand(150, -1, -1)
        profit = []
        for i in range(10):
            moved = alone.clone()
            moved[..., i] = price[:, i]
            units = demand.expected(state, moved)[..., i].mean(0)
            profit.append(units * (price - terms.unit_cost)[:, i])
        profits.append(torch.stack(profit, -1))
    rises = torch.stack(profits).diff(dim=0) > 0
    assert rises[:, :, dull].all()
    assert not rises[-1][:, ~dull].all()


# state-dependent


def test_customers_mind_prices_less_at_the_season_s_height():
    demand = truth_of("state-dependent").demand
    own = demand.own_of(demand.rows(torch.arange(53)))[:52] / demand.own()
    assert own.min().item() == pytest.approx(0.75, abs=0.01)
    assert own.max().item() == pytest.approx(1.25, abs=0.01)
    assert torch.allclose(own.mean(0), torch.ones_like(own[0]), atol=0.01)
    state = demand.calm(demand.rows(torch.arange(52)))
    level = demand.log_mean(state, demand.shop.reference_price.expand(52, -1, -1))
    for i in range(10):
        assert np.corrcoef(level[:, 0, i], own[:, 0, i])[0, 1] < -0.8


# sparse


def test_most_weeks_sell_nothing():
    history = truth_of("sparse").history
    mean = history.sales.mean(0)
    assert 0.3 < mean.mean() < 1.5
    assert ((mean > 0.1) & (mean < 2.0)).all()
    assert (history.sales == 0).float().mean() > 0.5


# few changes


def test_prices_stay_for_eight_weeks_but_for_promotions():
    truth = truth_of("few-changes")
    history = truth.history
    discount = FAMILIES["few-changes"].retailer.discount * history.promo
    tag, rule = history.price.log() + discount, history.rule_price.log() + discount
    moved = tag.diff(dim=0).abs() > 1e-5
    assert moved.float().mean().item() == pytest.approx(1 / 8, abs=0.01)
    for s, i in ((0, 0), (7, 3), (19, 9)):
        gaps = moved[:, s, i].nonzero().flatten().diff()
        assert (gaps == 8).all()
    held = rule.diff(dim=0).abs()[~moved] < 1e-5  # what the rule called for stays with the price
    assert held.float().mean() > 0.999  # a price set anew may by chance be the old one
    assert moved.any(dim=-1).any(dim=-1).float().mean() > 0.95  # series change in turn, not all at once


# hidden shock


def innovations(truth: Truth):
    """Log demand and log price beyond what last week's true shocks tell, and the shifter's news."""
    demand, history = truth.demand, truth.history
    law = demand.parameters.shocks
    now = demand.rows(torch.arange(1, 150))
    last = demand.rows(torch.arange(149))
    guess = replace(
        now,
        series=law.series.persistence * last.series,
        location=law.location.persistence * last.location,
        chain=law.chain.persistence * last.chain,
    )
    reference = demand.shop.reference_price.expand(149, -1, -1)
    shock = demand.log_mean(now, reference) - demand.log_mean(guess, reference)
    shifter = history.shifter.log()
    persistence = (shifter[1:] * shifter[:-1]).sum() / (shifter[:-1] ** 2).sum()
    retailer = FAMILIES["hidden-shock"].retailer
    beyond = (history.price / history.rule_price).log()[1:]
    price = beyond - retailer.pass_through * persistence * shifter[:-1] + retailer.reaction * shock
    return shock, price, shifter[1:] - persistence * shifter[:-1]


@pytest.mark.parametrize("seed", [101, 202, 303])
def test_without_the_shifter_even_one_who_knows_the_past_misses(seed):
    """Last week's true shocks say more than any table of past sales, yet the price tells of new ones."""
    shock, price, news = innovations(truth_of("hidden-shock", seed))
    assert 0.05 < price.std() < 0.10
    miss = (price * shock).sum((0, 1)) / (price * price).sum((0, 1))
    assert (miss > 0.7).all()
    instrumented = (news * shock).sum((0, 1)) / (news * price).sum((0, 1))
    assert instrumented.abs().mean() < 0.08
    assert np.corrcoef(news.flatten(), price.flatten())[0, 1] > 0.6
