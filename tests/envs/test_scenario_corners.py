"""Effects where they meet an edge: orders that arrive at once, what is not sold, what the scenario adds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from scenario_play import EPISODES, HORIZON, each, market, plan, play, town
from torch import Tensor
from untrained import untrained_market

from mercato.envs.economics import Economics
from mercato.envs.engine.types import Decision
from mercato.envs.market import Market
from mercato.envs.processes import Independent, Poisson
from mercato.envs.processes.moved_calendar import MovedCalendar
from mercato.envs.processes.scaled import ScaledDemand
from mercato.envs.scenarios import read_scenarios
from mercato.envs.scenarios.played import Played
from mercato.forecasters.errors import InputError
from mercato.forecasters.panel.sales_panel import Covariate, SalesPanel
from mercato.forecasters.simulation import LearnedDemand
from mercato.forecasters.tensors import NoiseKey
from tests.agents.shops import shop


def key(markets: int) -> NoiseKey:
    rows = torch.arange(markets)
    return NoiseKey(1, torch.zeros_like(rows), rows, torch.zeros_like(rows))


def documented(where: Market) -> Market:
    """The market with the table that it could have been fitted to: incomes, and where its locations are."""
    (places, goods), periods = where.shape, len(where.dates)
    series = np.stack(np.meshgrid(np.arange(places), np.arange(goods), indexing="ij"), -1).reshape(-1, 2)
    numbers = np.ones((periods, len(series)), dtype=np.float32)
    income = (numbers * (10.0 * (series[:, 0] + 1))).astype(np.float32)
    panel = SalesPanel(
        dates=where.dates,
        frequency=where.frequency,
        locations=where.locations,
        items=where.items,
        series=series,
        units=numbers,
        price=numbers,
        censored=0 * numbers,
        coordinates=np.array([[50.0, 8.0 + k] for k in range(places)], dtype=np.float32),
        covariates=(Covariate("income", "static", income),),
    )
    return replace(where, panel=panel)


def arrivals(scenario: dict[str, Any], lead_time: int, markets: int = 1, locations: int = 1) -> Tensor:
    """(H, B, S) units on hand after each period where the first orders 1 and nobody buys."""
    economics = Economics(lead_time=lead_time, initial_cover=0)
    where = shop(None, base=1e-9, locations=locations, economics=economics)
    game = Played(plan(scenario, where), markets, seed=0)
    state, held = game.reset(torch.arange(markets)), []
    price = where.terms.reference_price.expand_as(state.on_hand)
    for t in range(HORIZON):
        order = torch.full_like(price, float(t == 0))
        decision = game.enacted(Decision(price, order), game.view(state, t), t)
        state, _ = game.step(state, decision, t)
        held.append(state.on_hand[..., 0])
    return torch.stack(held)


@pytest.mark.parametrize("lead_time", [0, 1, 2])
@pytest.mark.parametrize("unmet", ["lost", "backorder"])
@pytest.mark.parametrize("shelf_life", [None, 2])
def test_who_is_not_concerned_is_supplied_exactly_as_ever(
    lead_time: int, unmet: str, shelf_life: int | None
) -> None:
    economics = Economics(lead_time=lead_time, unmet=unmet, shelf_life=shelf_life)  # type: ignore[arg-type]
    where = shop([[-2.0]], locations=2, base=40.0, economics=economics)
    usual = play(plan({"demand": 1}, where), order=38.0)[0]
    for effect in (
        {"outage": {"orders": "delayed"}},
        {"lead_time": {"extra": 2, "late": 0.5}},
        {"capacity": {"limit": 0.2}},
    ):
        ((kind, fields),) = effect.items()
        found = play(plan({kind: {**fields, "locations": "shop 1"}}, where), order=38.0)[0]
        for field in ("sales", "ordered", "wasted", "profit"):
            assert torch.equal(each(found, field)[:, 0], each(usual, field)[:, 0]), (kind, field)
        assert not torch.equal(each(found, "profit")[:, 1], each(usual, "profit")[:, 1])


@pytest.mark.parametrize("lead_time", [0, 1])
def test_orders_take_the_time_that_was_said(lead_time: int) -> None:
    for scenario, periods in (
        ({"lead_time": {"extra": 2}}, lead_time + 2),
        ({"lead_time": [{"extra": 1}, {"extra": 2}]}, lead_time + 3),
        ({"lead_time": {"late": 1.0, "late_by": 2}}, lead_time + 2),
        ({"lead_time": {"multiplier": 2.5}}, 3 if lead_time else 0),
    ):
        held = arrivals(scenario, lead_time)[:, 0, 0].tolist()
        assert held == [float(t + 1 >= periods) for t in range(HORIZON)], (scenario, held)


def test_two_causes_of_delay_each_have_their_own_chance() -> None:
    held = arrivals({"lead_time": [{"late": 0.5}, {"late": 0.5}]}, 1, markets=40, locations=50)
    assert held.mean((1, 2))[:3].tolist() == pytest.approx([0.25, 0.75, 1.0], abs=0.04)


def test_a_multiple_of_no_lead_time_is_said_to_change_nothing() -> None:
    made = plan({"lead_time": {"multiplier": 2}}, market(lead_time=0))
    assert made.notes == ("orders arrive at once: a multiple of that lead time changes nothing",)
    assert plan({"lead_time": {"multiplier": 2}}).notes == ()


def test_numbers_that_may_be_left_out_can_be_tried_too() -> None:
    for field, values in {
        "price.fixed": [1.5, 2.0],
        "competitor.undercut": [0.0, 0.1],
        "price_limits.floor": [0.8, 0.9],
        "delisting.diversion": [0, 0.5],
    }.items():
        kind, name = field.split(".")
        found = [getattr(getattr(one.scenario, kind)[0], name) for one in read_scenarios({field: values})]
        assert found == values


def test_no_units_are_added_where_nothing_is_sold() -> None:
    for other, gone in (
        ({"delisting": {"items": "item 1", "diversion": 0}}, (slice(None), slice(None), 1)),
        ({"traffic": {"multiplier": 0, "locations": "shop 2"}}, (slice(None), 2)),
        ({"new_item": {"name": "new", "diversion": 0, "window": [4, 8]}}, (slice(0, 3), slice(None), 2)),
    ):
        demand = each(play(plan({**other, "demand.shift": 5.0}))[0], "demand")
        assert demand[gone].sum() == 0, other
        assert demand.sum() > 0
    own = Independent(Poisson(), torch.tensor([[0.0, 4.0]]))
    more = ScaledDemand(own, torch.ones(1, 2), 3.0)
    state = more.reset(torch.zeros(500, dtype=torch.int64), key(500))
    price = torch.ones(500, 1, 2)
    drawn = more.sample(state, price, key(500))
    assert drawn[..., 0].sum() == 0
    assert drawn[..., 1].min() == 3  # units come where nobody else did, too
    assert more.later(state, price, 2)[0].tolist() == [[0, 14]]
    assert more.outlook(state).mean[0].tolist() == [[0, 7]]


def test_a_calendar_that_moves_twice_moves_by_both() -> None:
    def moved(effects: list[dict[str, Any]]) -> list[int]:
        return plan({"calendar": effects}, town()).calendar[:, 0, 0].tolist()

    assert moved([{"shift": 2}, {"shift": -3}]) == [1] * HORIZON
    # what 3 brings comes in 5, then what 5 brings in 6
    assert moved([{"shift": 2, "window": [3, 3]}, {"shift": 1, "window": [5, 5]}]) == [
        0,
        0,
        2,
        0,
        1,
        -3,
        0,
        0,
    ]
    back = [{"shift": 2, "window": [3, 3]}, {"shift": 2, "window": [3, 3]}]
    assert moved(back) == [0] * HORIZON


def test_a_calendar_moved_before_the_history_brings_the_season_of_a_year_later() -> None:
    where = untrained_market(weeks=60)
    assert isinstance(where.demand, LearnedDemand)
    history = where.demand.history
    year = history.year
    assert history.calendar_index(torch.tensor([-1, -year, -year - 1, 3])).tolist() == [
        year - 1,
        0,
        year - 1,
        3,
    ]
    state = where.demand.reset(torch.tensor([2]), key(1))
    price = where.terms.reference_price.unsqueeze(0)
    early = MovedCalendar(where.demand, torch.full(where.shape, -5))
    late = MovedCalendar(where.demand, torch.full(where.shape, year - 5))
    torch.testing.assert_close(early.expected(state, price), late.expected(state, price))


@pytest.mark.parametrize(
    ("window", "said"),
    [
        ([9, 12], "window.0: expected a period within the horizon, 1 to 8, found 9; the nearest is 8"),
        ([2, 9], "window.1: expected a period within the horizon, 1 to 8, found 9; the nearest is 8"),
        (
            ["2019-01-01", "2019-02-01"],
            "window.0: expected a date within the episode, 2021-01-04 to 2021-02-28",
        ),
        (["2021-02-01", "2021-03-01"], "found 2021-03-01; the nearest is 2021-02-28"),
    ],
)
def test_a_window_outside_of_the_episode_is_refused(window: list[Any], said: str) -> None:
    for effect in ({"demand": 2}, {"outage": {}}, {"new_location": {"name": "x"}}, {"competitor": {}}):
        ((kind, fields),) = effect.items()
        fields = {"multiplier": 2} if fields == 2 else fields
        with pytest.raises(InputError) as caught:
            plan({kind: {**fields, "window": window}})  # type: ignore[dict-item]
        assert said in str(caught.value)


TWICE: dict[str, tuple[dict[str, Any], str, float]] = {  # an effect, what it moves, and where to by two
    "demand": ({"multiplier": 2, "shift": 3}, "units", 9.0),
    "traffic": ({"multiplier": 2}, "demand", 4.0),
    "elasticity": ({"multiplier": 2}, "response", 4.0),
    "reference": ({"multiplier": 2}, "usual", 4.0),
    "cost": ({"multiplier": 2, "path": [1.5]}, "cost", 9.0),
    "holding": ({"multiplier": 2}, "holding", 4.0),
    "shortage": ({"multiplier": 2}, "shortage", 4.0),
    "ordering": ({"fixed": 2}, "ordering", 4.0),
    "capacity": ({"limit": 0.5}, "limit", 20.0),
    "lead_time": ({"multiplier": 2, "extra": 1}, "lead", 7.0),
    "price": ({"multiplier": 2}, "repriced", 4.0),
    "promotion": ({"discount": 0.5}, "repriced", 0.25),
    "price_limits": ({"cap": 1.0}, "cap", 1.8),
    "competitor": ({"fixed": 2, "elasticity": 1.0}, "demand", 4.0),
}


@pytest.mark.parametrize("kind", TWICE)
def test_an_effect_that_is_asked_for_twice_counts_twice(kind: str) -> None:
    fields, moved, to = TWICE[kind]
    both = read_scenarios([{"horizon": HORIZON, kind: fields}, {"horizon": HORIZON, kind: fields}])
    made = both[0].plan(market())
    torch.testing.assert_close(getattr(made, moved), torch.full_like(made.demand, to))


def test_limits_of_several_scenarios_that_leave_no_price_are_refused() -> None:
    with pytest.raises(InputError, match=r"price_limits.1: expected floors at or below the caps"):
        plan({"price_limits": [{"floor": 1.1}, {"cap": 1.0}]})
    made = plan({"price_limits": [{"floor": 1.1, "window": [1, 2]}, {"cap": 1.0, "window": [3, 4]}]})
    assert made.floor[0, 0, 0] > made.cap[2, 0, 0]


@pytest.mark.parametrize("where", [market, untrained_market])
def test_an_item_that_is_new_and_delisted_leaves_the_others_as_they_were(where: Any) -> None:
    new = {"name": "new", "scale": 0.5}
    made = plan({"new_item": new, "delisting": {"items": "new"}}, where())
    assert made.demand[..., -1].sum() == 0
    torch.testing.assert_close(made.demand[..., :-1], torch.ones_like(made.demand[..., :-1]))
    later = plan({"new_item": new, "delisting": {"items": "new", "window": [5, 8]}}, where())
    assert later.demand[:, 0, -1].tolist() == [1, 1, 1, 1, 0, 0, 0, 0]
    least = plan({"new_item": {**new, "scale": 0.01}, "delisting": {"least_sold": 1}}, where())
    assert least.demand[..., -1].min() > 0  # the one that sells least is one that is sold


def test_each_delisted_item_moves_its_own_customers() -> None:
    where = untrained_market()
    both = plan({"delisting": {"items": ["item 1", "item 2"]}}, where)
    alone = [plan({"delisting": {"items": name}}, where) for name in ("item 1", "item 2")]
    choice = where.demand.response.choice  # type: ignore[attr-defined]
    shares = (choice.diversion[0] @ choice.kin.T)[:2]
    assert shares[0] != shares[1]
    assert f"{float(shares.min()):.0%} to {float(shares.max()):.0%}" in both.notes[0]
    for one, share in zip(alone, shares, strict=True):
        assert f"assumed: {float(share):.0%} of" in one.notes[0]


def test_effects_reach_the_location_that_the_scenario_adds() -> None:
    where = documented(market())
    new = {"name": "new", "like": "shop 1", "scale": 0.5}
    made = plan({"new_location": new, "capacity": {"limit": 1.0}}, where)
    assert made.limit[0, :, 0].tolist() == [40, 40, 40, 20]  # of what it sells itself
    shock = {"locations": "new", "multiplier": 2, "spread": 0.5, "neighbours": 1}
    struck = plan({"new_location": new, "shock": shock}, where).demand[:2, :, 0]
    assert struck[0].tolist() == [1, 1, 1, 2]
    assert struck[1].tolist() == pytest.approx([1, 2**0.5, 1, 2])  # next door is the one that it is like
    for effect in (
        {"outage": {"locations": "new"}},
        {"lead_time": {"extra": 1, "late": 0.5, "locations": "new"}},
        {"price": {"multiplier": 1.1, "locations": "new"}},
        {"competitor": {"undercut": 0.1, "locations": "new"}},
        {"delisting": {"items": "item 1", "locations": "new"}},
        {"cost": {"multiplier": 2, "locations": "new"}},
    ):
        told = play(plan({"new_location": new, **effect}, where))[0]
        base = play(plan({"new_location": new}, where))[0]
        change = each(told, "profit") - each(base, "profit")
        assert change[:, :3].abs().max() == 0, effect
        assert change[:, 3].abs().max() > 0, effect


def test_several_locations_open_by_their_attributes() -> None:
    where = documented(market())
    both = [{"name": "rich", "attributes": {"income": 31}}, {"name": "poor", "attributes": {"income": 9}}]
    made = plan({"new_location": both, "new_item": {"name": "new"}}, where)
    assert [note.split(",")[0] for note in made.notes[:2]] == [
        "rich: assumed to be like shop 2",
        "poor: assumed to be like shop 0",
    ]
    assert made.market.shape == (5, 3)
    outcomes, opening, _ = play(made)
    assert opening.shape == (EPISODES, 5, 3)
    assert each(outcomes, "demand")[:, 3:].min() > 0
