"""Customers of a shop and its web site: who finds one empty goes to the other, and nobody is made or lost."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from regulars import certain, regulars
from small_markets import make_market
from test_customers import MARKETS, as_usual, key, opened, treated

from mercato.envs.processes import CustomerMarket
from mercato.envs.processes.channels import Switching as Between
from mercato.forecasters.customers import Channels, Population, Switching, load_population, save_population
from mercato.forecasters.simulation import Period

LAW = Switching(stock_out=4.0, dear=2.0, covariance=torch.zeros(2, 2))
STAY = certain(0.0, 0.0)  # nobody leaves for what he met


def peopled(law: Switching = LAW, leaving=STAY, elsewhere: float = 0.4) -> CustomerMarket:
    """A shop, its web site, and a third location of which the web site's customers know, too."""
    where = make_market(3, 3, elasticity=-2 * torch.eye(3) + 0.1)
    people = regulars(where, moved_by=leaving)
    towards = torch.tensor([[0.0, 1.0, 0.0], [0.7, 0.0, 0.3], [0.0, 1.0, 0.0]])
    worth = torch.tensor([[1.0, 2.0, 0.5], [3.0, 1.0, 1.0], [0.4, 0.6, 2.0]])
    channels = Channels(torch.full_like(people.weight, elsewhere), towards, worth, law)
    return CustomerMarket(where.demand, replace(people, channels=channels), where.terms.reference_price)


def emptied(process: CustomerMarket, share: float, place: int = 0) -> torch.Tensor:
    """(S, I) what is served where one location has but a ``share`` of what it usually has."""
    served = as_usual(process).clone()
    served[place] *= share
    return served


def sold(process: CustomerMarket, state) -> torch.Tensor:
    """(B, S, I) units that the population's customers buy, as the locations count them."""
    population, price = process.population, process.reference.expand(MARKETS, -1, -1)
    assert population.channels is not None
    return process.multiplier(state, price) * population.mass.sum((1, 2)) * population.channels.worth


@pytest.mark.parametrize("multiple", [0.5, 1.0, 2.0])
def test_who_is_treated_as_ever_goes_where_he_ever_went(multiple: float) -> None:
    process = peopled()
    price = process.reference.expand(MARKETS, -1, -1) * multiple
    assert (process.multiplier(opened(process), price) == 1).all()
    assert (process.multiplier(treated(process, 6, as_usual(process)), price) - 1).abs().max() < 1e-6


def test_what_one_location_loses_the_others_sell() -> None:
    process = peopled()
    before, after = (
        sold(process, state) for state in (opened(process), treated(process, 4, emptied(process, 0.2)))
    )
    torch.testing.assert_close(after.sum(1), before.sum(1), rtol=1e-4, atol=1e-4)
    assert (after[:, 0] < 0.9 * before[:, 0]).all()
    assert (after[:, 1] > before[:, 1]).all()
    assert (after[:, 2] - before[:, 2]).abs().max() < 0.02 * (before - after)[:, 0].max()


def test_an_emptier_shelf_sends_more_of_them_and_never_more_than_all() -> None:
    process = peopled(elsewhere=0.9)
    states = [treated(process, 3, emptied(process, share)) for share in (1.0, 0.7, 0.4, 0.0)]
    shop, web = (torch.stack([sold(process, state)[:, at] for state in states]) for at in (0, 1))
    assert (shop.diff(dim=0) < 0).all()
    assert (web.diff(dim=0) > 0).all()
    assert (shop > 0).all()


def test_a_dear_shop_sends_its_customers_to_the_web_site_and_a_cheap_one_calls_them() -> None:
    process, wanted = peopled(), torch.full((MARKETS, 3, 3), 100.0)
    for multiple, sign in ((1.3, 1.0), (0.8, -1.0)):
        price = process.reference.expand(MARKETS, -1, -1).clone()
        price[:, 0] *= multiple
        state = opened(process)
        for period in range(3):
            sales = wanted * as_usual(process)
            state = process.advance(state, Period(price, wanted, sales), key(period))
        moved = sold(process, state) - sold(process, opened(process))
        assert (sign * moved[:, 1].sum(-1) > 0).all()
        assert (sign * moved[:, 0].sum(-1) < 0).all()


def test_nobody_moves_where_all_is_as_bad() -> None:
    process = peopled()
    assert process.population.channels is not None
    between = Between(process.population, process.population.channels, process.reference.device)
    minded = torch.full((2, *process.population.weight.shape), 1.3)
    torch.testing.assert_close(between.stay(minded), torch.ones_like(minded))


def test_two_locations_are_chosen_between_by_a_logit() -> None:
    """Share 1 − e at equal logits, σ(logit(1 − e) − d) where this one is d worse."""
    process = peopled(elsewhere=0.4)
    assert process.population.channels is not None
    between = Between(process.population, process.population.channels, process.reference.device)
    minded = torch.zeros(1, *process.population.weight.shape)
    minded[:, 0] = 1.5
    expected = (torch.tensor(0.6).logit() - 1.5).sigmoid() / 0.6
    torch.testing.assert_close(between.stay(minded)[:, 0], expected.expand_as(minded[:, 0]))
    assert (between.stay(minded)[:, 2] == 1).all()


def test_who_can_go_elsewhere_leaves_less() -> None:
    served = emptied(peopled(), 0.2)
    switching, alone = (
        treated(peopled(leaving=certain(), elsewhere=share), 6, served) for share in (0.6, 0.0)
    )
    assert (switching.excess[:, 0, :, :-1] > alone.excess[:, 0, :, :-1]).all()


def test_they_come_back_when_shelves_are_full_again() -> None:
    process = peopled()
    state = treated(process, 4, emptied(process, 0.2))
    lost = 1 - process.multiplier(state, process.reference.expand(MARKETS, -1, -1))[:, 0]
    wanted = torch.full((MARKETS, 3, 3), 100.0)
    price = process.reference.expand(MARKETS, -1, -1)
    for period in range(100):
        state = process.advance(state, Period(price, wanted, wanted * as_usual(process)), key(period))
    assert ((1 - process.multiplier(state, price)[:, 0]) < 0.1 * lost).all()


def test_what_is_expected_of_later_periods_is_what_they_bring() -> None:
    process = peopled(leaving=certain())
    state = treated(process, 6, emptied(process, 0.3))
    price = process.reference.expand(MARKETS, -1, -1)
    told, played, on = process.later(state, price, 5), torch.zeros_like(price), state
    wanted = torch.full_like(price, 10.0)
    for period in range(5):
        played = played + process.expected(on, price)
        on = process.advance(on, Period(price, wanted, wanted * as_usual(process)), key(period))
    torch.testing.assert_close(told, played, rtol=1e-3, atol=0)


def test_a_part_of_the_market_keeps_who_goes_and_who_comes() -> None:
    process = peopled()
    part = process.select(["location 1", "location 2"])
    served = emptied(process, 0.3)
    whole, some = treated(process, 3, served), treated(part, 3, served[:2])
    price = process.reference.expand(MARKETS, -1, -1)
    torch.testing.assert_close(
        part.multiplier(some, price[:, :2]), process.multiplier(whole, price)[:, :2], rtol=2e-3, atol=0
    )
    assert process.to("meta").population.weight.device.type == "meta"


def test_an_episodes_customers_mind_as_their_key_says() -> None:
    process = peopled(replace(LAW, covariance=0.25 * torch.eye(2)))
    one, again, other = (treated(process, 2, 0.5, seed=seed) for seed in (5, 5, 6))
    assert torch.equal(one.minded, again.minded)
    assert not torch.equal(one.switch, other.switch)
    assert not torch.equal(one.switch, one.effect)


def test_channels_survive_the_disk(tmp_path) -> None:
    people = peopled(replace(LAW, assumed=("dear",))).population
    save_population(people, tmp_path)
    again: Population = load_population(tmp_path)
    assert people.channels is not None
    assert again.channels is not None
    assert again.channels.moved_by.assumed == ("dear",)
    for name in ("elsewhere", "towards", "worth"):
        assert torch.equal(getattr(again.channels, name), getattr(people.channels, name))
