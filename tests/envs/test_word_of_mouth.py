"""Customers who follow whom they were told by: as ever where nobody changes, and never further than these."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from regulars import certain, regulars
from small_markets import make_market
from test_customers import MARKETS, as_usual, key, opened, treated

from mercato.envs.processes import CustomerMarket
from mercato.forecasters.customers import Contagion, CustomerAction, load_population, save_population
from mercato.forecasters.simulation import Period


def peopled(elasticity: float | None = 0.6, error: float = 0.0) -> CustomerMarket:
    """The first half of each segment's customers told the second; None: nobody is known to follow."""
    where = make_market(2, 3, elasticity=-2 * torch.eye(3) + 0.1)
    people = regulars(where, moved_by=certain())
    tells = (torch.arange(people.weight.shape[-1]) < people.weight.shape[-1] // 2).float()
    tells = tells.expand_as(people.weight)
    if elasticity is not None:
        people = replace(people, contagion=Contagion(tells, 1 - tells, elasticity, error))
    return CustomerMarket(where.demand, people, where.terms.reference_price)


def telling(process: CustomerMarket, lift: float) -> CustomerAction:
    """Those who tell are shown something."""
    contagion = process.population.contagion
    assert contagion is not None
    return replace(CustomerAction.none(), shown=1 + (lift - 1) * contagion.tells.unsqueeze(-1))


@pytest.mark.parametrize("multiple", [0.5, 1.0, 2.0])
def test_who_is_treated_as_ever_makes_nobody_come_or_stay_away(multiple: float) -> None:
    process = peopled()
    price = process.reference.expand(MARKETS, -1, -1) * multiple
    assert (process.multiplier(opened(process), price) == 1).all()
    assert (process.multiplier(treated(process, 6, as_usual(process)), price) - 1).abs().max() < 1e-6


def test_friends_stay_away_with_those_who_left_and_the_more_the_closer_they_follow() -> None:
    price = peopled().reference.expand(MARKETS, -1, -1)
    sold = [
        process.multiplier(treated(process, 5, 0.3), price)
        for process in (peopled(None), peopled(0.0), peopled(0.4), peopled(1.0))
    ]
    torch.testing.assert_close(sold[0], sold[1])
    assert (sold[2] < sold[1]).all()
    assert (sold[3] < sold[2]).all()
    assert (sold[3] > 0).all()


def test_who_is_shown_more_brings_his_friends_by_a_power_of_it() -> None:
    process = peopled(0.5)
    population, contagion = process.population, process.population.contagion
    assert contagion is not None
    told = population.mass * contagion.tells.unsqueeze(-1)
    usual = population.mass.sum((1, 2))
    expected = 1 + (0.44 * told.sum((1, 2)) + 0.2 * (usual - told.sum((1, 2)))) / usual
    price = process.reference.expand(MARKETS, -1, -1)
    state, _ = process.addressed(opened(process), telling(process, 1.44), price)
    torch.testing.assert_close(process.multiplier(state, price)[0], expected)
    deaf = peopled(0.0)
    state, _ = deaf.addressed(opened(deaf), telling(deaf, 1.44), price)
    assert (deaf.multiplier(state, price)[0] < expected).all()


def test_later_periods_are_as_they_are_played() -> None:
    process = peopled(0.7)
    state = treated(process, 6, 0.3)
    price = process.reference.expand(MARKETS, -1, -1)
    told, played, on = process.later(state, price, 5), torch.zeros_like(price), state
    wanted = torch.full_like(price, 10.0)
    for period in range(5):
        played = played + process.expected(on, price)
        on = process.advance(on, Period(price, wanted, wanted * as_usual(process)), key(period))
    torch.testing.assert_close(told, played, rtol=1e-4, atol=0)


def test_each_episode_draws_how_much_they_follow_within_its_bounds() -> None:
    process = peopled(0.5, 0.3)
    one, again, other = (opened(process, seed=seed, markets=500).follow for seed in (5, 5, 6))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    assert ((one >= 0) & (one <= 1)).all()
    assert abs(float(one.mean()) - 0.5) < 0.05


def test_a_part_of_the_market_keeps_its_friends() -> None:
    process = peopled()
    part = process.select(["location 2"], ["item 1", "item 3"])
    served = as_usual(process).clone()
    served[1, [0, 2]] = 0.4
    whole, some = treated(process, 4, served), treated(part, 4, 0.4)
    price = process.reference.expand(MARKETS, -1, -1)
    torch.testing.assert_close(
        part.multiplier(some, price[:, 1:][..., [0, 2]]),
        process.multiplier(whole, price)[:, 1:][..., [0, 2]],
        rtol=0.1,  # what its tellers buy of the item that is left out counts for nothing here
        atol=0,
    )
    assert process.to("meta").population.weight.device.type == "meta"


def test_what_is_known_of_friends_survives_the_disk(tmp_path) -> None:
    people = peopled(0.4, 0.1).population
    save_population(people, tmp_path)
    again = load_population(tmp_path).contagion
    assert people.contagion is not None
    assert again is not None
    assert (again.elasticity, again.error) == (0.4, 0.1)
    assert torch.equal(again.tells, people.contagion.tells)
    assert torch.equal(again.hears, people.contagion.hears)
