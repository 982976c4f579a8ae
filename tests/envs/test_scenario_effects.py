"""Effects: each does to the market what it says, to what it says, when it says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scenario_play import EPISODES, HORIZON, each, expectations, market, plan, play, town

from mercato.envs.economics import Economics
from mercato.envs.engine.types import Decision
from mercato.envs.processes.joined import Joined, Namesake
from mercato.envs.processes.moved_calendar import MovedCalendar
from mercato.envs.processes.perceived import PerceivedPrice
from mercato.envs.scenarios import Plan, Scenario, read_scenarios
from mercato.envs.scenarios.catalogue import about, names
from mercato.envs.scenarios.played import Played
from mercato.envs.settings_file import Fault
from mercato.forecasters.errors import InputError
from mercato.forecasters.tensors import NoiseKey
from tests.agents.shops import shop


def test_an_effect_covers_its_items_locations_and_window() -> None:
    made = plan(
        {
            "horizon": 5,
            "demand": [
                {"multiplier": 2.0, "items": ["item 1"], "locations": ["shop 0"], "window": [2, 3]},
                {"multiplier": 3.0, "window": [3, 5]},
                {"shift": 4.0, "categories": "all", "window": [5, 5]},
            ],
        }
    )
    assert made.demand[:, 0, 1].tolist() == [1, 2, 6, 3, 3]
    assert made.demand[:, 1, 0].tolist() == [1, 1, 3, 3, 3]
    assert made.units[:, 0, 0].tolist() == [0, 0, 0, 0, 4]


def test_windows_may_be_dates_and_the_episode_then_begins_at_one() -> None:
    made = plan({"start": "2020-03-04", "demand": {"multiplier": 2, "window": ["2020-03-10", "2020-03-16"]}})
    assert made.start == 8  # the week of 2 March
    assert made.demand[:, 0, 0].tolist() == [1, 2, 2, 1, 1, 1, 1, 1]
    late = plan({"demand": {"multiplier": 2, "window": ["2021-02-15", "2021-02-15"]}})
    assert late.start == 60 - HORIZON


def test_a_shift_adds_its_units_and_never_takes_more_than_there_is() -> None:
    base = each(play(plan({"demand": 1}))[0], "demand")
    more = each(play(plan({"demand.shift": 5.5}))[0], "demand")
    assert float((more - base).mean()) == pytest.approx(5.5, abs=0.2)
    assert float(each(play(plan({"demand.shift": -1000}))[0], "demand").max()) == 0


def test_elasticity_and_reference_are_what_customers_feel() -> None:
    where = market()
    reference, process = where.terms.reference_price, where.demand
    state = process.reset(torch.zeros(1, dtype=torch.int64), _key(1))
    usual = process.expected(state, reference.unsqueeze(0))
    for k, u, p in ((1.5, 1.0, 1.1), (1.0, 1.1, 1.1), (0.0, 1.0, 1.7), (2.0, 1.05, 0.9)):
        felt = PerceivedPrice(
            process, reference, torch.full_like(reference, u), torch.full_like(reference, k)
        )
        found = felt.expected(state, p * reference.unsqueeze(0)) / usual
        torch.testing.assert_close(found, torch.full_like(found, (p / u) ** (-1.5 * k)))


def test_what_is_expected_until_an_order_arrives_is_at_the_prices_that_customers_feel() -> None:
    scenario = {"elasticity": 1.5, "reference": 1.1, "competitor": {"undercut": 0.1, "elasticity": 0.4}}
    game = Played(plan(scenario, market(lead_time=3)), EPISODES, seed=0)
    view = game.view(game.reset(torch.arange(EPISODES)), 0)
    reference = market().terms.reference_price
    price = (1.2 * reference).expand_as(view.outlook.mean)
    felt = 40 * (1.2 / 1.1) ** (-1.5 * 1.5)
    told = view.expected(price) + 3 * felt * (0.9 * 1.2) ** 0.4
    torch.testing.assert_close(view.expected_until_arrival(price), told, rtol=1e-4, atol=1e-3)


def test_costs_are_charged_where_they_rise() -> None:
    for kind, order in (("holding", 60.0), ("shortage", 20.0)):
        moved = play(plan({kind: {"multiplier": 3, "locations": "shop 1"}}), order)[0]
        ratio = each(moved, kind).sum(0) / each(play(plan({"demand": 1}), order)[0], kind).sum(0)
        torch.testing.assert_close(ratio, torch.tensor([[1.0, 1.0], [3.0, 3.0], [1.0, 1.0]]))
    base = play(plan({"demand": 1}), order=60.0)[0]
    dear = play(plan({"cost": {"path": [1.1, 1.2], "window": [2, 8]}}), order=60.0)[0]
    paid = (each(dear, "purchase") / each(base, "purchase"))[:, 0, 0]
    torch.testing.assert_close(paid, torch.tensor([1.0, 1.1, *[1.2] * 6]))
    fixed = play(plan({"ordering": {"fixed": 7, "items": "item 0"}}), order=60.0)[0]
    assert each(fixed, "ordering")[:, :, 0].unique().tolist() == [7]
    assert each(fixed, "ordering")[:, :, 1].unique().tolist() == [0]


def test_prices_are_the_plans_whatever_the_policy_says() -> None:
    scenario = {
        "price": [
            {"fixed": 2.0, "window": [1, 2]},
            {"path": [0.9, 0.8], "window": [3, 5]},
            {"multiplier": 1.1, "window": [6, 6]},
        ],
        "promotion": {"discount": 0.5, "window": [7, 7]},
        "price_limits": {"floor": 0.75, "cap": 1.0, "window": [7, 8]},
    }
    charged = each(play(plan(scenario), price=1.2)[0], "price")[:, 0, 0] / 1.8
    torch.testing.assert_close(
        charged, torch.tensor([2 / 1.8, 2 / 1.8, 0.9, 0.8, 0.8, 1.32, 0.75, 1.0]), rtol=1e-5, atol=1e-5
    )


def test_a_promotion_comes_by_its_calendar() -> None:
    made = plan({"promotion": {"discount": 0.25, "every": 3, "length": 1, "window": [2, 8]}})
    assert made.repriced[:, 0, 0].tolist() == [1, 0.75, 1, 1, 0.75, 1, 1, 0.75]


def test_orders_follow_the_demand_at_the_price_that_is_charged() -> None:
    where = market()
    game = Played(plan({"price": 1.1}), EPISODES, seed=0)
    state = game.reset(torch.arange(EPISODES))
    view = game.view(state, 0)
    price = where.terms.reference_price.expand_as(state.on_hand)
    decision = game.enacted(Decision(price, torch.full_like(price, 30.0)), view, 0)
    level = (view.position() + 30.0) * 1.1**-1.5
    torch.testing.assert_close(decision.order, (level - view.position()).clamp(min=0), rtol=1e-4, atol=1e-3)


def test_refused_orders_are_not_charged_and_small_capacity_rations() -> None:
    found = play(plan({"outage": {"window": [3, 4], "locations": "shop 1"}}))[0]
    assert each(found, "ordered")[:, 1, 0].tolist() == [40, 40, 0, 0, 40, 40, 40, 40]
    assert each(found, "purchase")[2:4, 1].sum() == 0
    assert each(found, "ordered")[:, 0].unique().tolist() == [40]
    rationed = play(plan({"capacity": {"limit": 0.5, "window": [2, 8]}}))[0]
    assert each(rationed, "ordered")[:, 0, 0].tolist() == [40, *[20] * 7]


@pytest.mark.parametrize("lead_time", [0, 1, 3])
def test_delayed_deliveries_come_right_after_the_outage(lead_time: int) -> None:
    where = shop(None, base=1e-9, economics=Economics(lead_time=lead_time, initial_cover=0))
    game = Played(plan({"outage": {"orders": "delayed", "window": [4, 5]}}, where), 1, seed=0)
    state, stock = game.reset(torch.zeros(1, dtype=torch.int64)), []
    for t in range(HORIZON):
        order = torch.full_like(state.on_hand, 2.0**t)
        state, _ = game.step(state, Decision(where.terms.reference_price.unsqueeze(0), order), t)
        stock.append(float(state.on_hand[0, 0, 0]))
    assert stock == [sum(2.0**s for s in range(t + 1) if _due(s, lead_time) <= t + 1) for t in range(HORIZON)]


def _due(placed: int, lead_time: int) -> int:
    """The period, from 0, in which an order arrives: not in 3 and 4."""
    due = placed + lead_time
    return 5 if due in (3, 4) else due


@settings(max_examples=25, deadline=None)
@given(
    lead_time=st.integers(0, 3),
    unmet=st.sampled_from(["lost", "backorder"]),
    scenario=st.fixed_dictionaries(
        {},
        optional={
            "outage": st.sampled_from(
                [{"window": [2, 3]}, {"orders": "delayed", "window": [2, 5]}, {"orders": "delayed"}]
            ),
            "lead_time": st.fixed_dictionaries(
                {"extra": st.integers(0, 3), "late": st.floats(0, 1), "late_by": st.integers(0, 3)}
            ),
            "capacity": st.fixed_dictionaries({"limit": st.floats(0, 3)}),
            "demand": st.floats(0, 3),
        },
    ),
)
@example(lead_time=0, unmet="lost", scenario={"lead_time": {"late": 1.0, "late_by": 0}})
@example(lead_time=1, unmet="lost", scenario={"lead_time": {"multiplier": 0.4}})
def test_no_unit_is_lost_on_the_way(lead_time: int, unmet: str, scenario: dict[str, Any]) -> None:
    made = plan({"cost": 1, **scenario}, market(lead_time, unmet))
    outcomes, opening, position = play(made)
    total = {f: sum(getattr(o, f) for o in outcomes) for f in ("ordered", "sales", "backordered", "wasted")}
    gone = total["sales"] + total["backordered"] + total["wasted"]
    torch.testing.assert_close(opening + total["ordered"] - gone, position)


def test_customers_are_the_same_whatever_the_supplier_does() -> None:
    base = each(play(plan({"demand": 1}))[0], "demand")
    for scenario in ({"outage": {"orders": "delayed"}}, {"lead_time": {"late": 0.5, "late_by": 2}}):
        assert torch.equal(each(play(plan(scenario))[0], "demand"), base)


def test_a_share_of_orders_is_late() -> None:
    where = shop(None, locations=50, base=1e-9, economics=Economics(lead_time=1, initial_cover=0))
    game = Played(plan({"lead_time": {"late": 0.3, "late_by": 2}}, where), 40, seed=0)
    state = game.reset(torch.arange(40))
    price = where.terms.reference_price.expand_as(state.on_hand)
    state, _ = game.step(state, Decision(price, torch.ones_like(price)), 0)
    assert float(state.on_hand.mean()) == pytest.approx(0.7, abs=0.04)
    for t in (1, 2):
        state, _ = game.step(state, Decision(price, torch.zeros_like(price)), t)
    assert float(state.on_hand.mean()) == 1


def test_a_shock_spreads_weaker_and_later() -> None:
    where = town()
    made = plan(
        {
            "shock": {
                "locations": where.locations[0],
                "multiplier": 2,
                "spread": 0.5,
                "lag": 2,
                "neighbours": 1,
                "window": [1, 2],
            }
        },
        where,
    )
    assert made.demand[:, 0, 0].tolist() == [2, 2, 1, 1, 1, 1, 1, 1]
    nearest = [s for s in range(1, 4) if made.demand[2, s, 0] > 1]
    assert len(nearest) == 1
    assert made.demand[:4, nearest[0], 0].tolist() == pytest.approx([1, 1, 2**0.5, 2**0.5])
    with pytest.raises(Fault, match="lat and lon"):
        Scenario(shock={"locations": "shop 0", "multiplier": 2}).plan(market())  # type: ignore[arg-type]


def test_the_calendar_moves_expectations_and_leaves_luck_alone() -> None:
    where = town()
    process = where.demand
    state = process.reset(torch.tensor([40, 50]), _key(2))
    price = where.terms.reference_price.expand(2, -1, -1)
    moved = torch.zeros(where.shape, dtype=torch.int64)
    moved[1] = 3
    other = MovedCalendar(process, moved)
    later = process.expected(process.shifted(state, 3), price)
    torch.testing.assert_close(other.expected(state, price)[:, 1], later[:, 1])
    torch.testing.assert_close(other.expected(state, price)[:, 0], process.expected(state, price)[:, 0])
    swapped = plan({"calendar": {"shift": 2, "window": [3, 3]}}, where).calendar[:, 0, 0]
    assert swapped.tolist() == [0, 0, 2, 0, -2, 0, 0, 0]
    with pytest.raises(InputError, match=r"calendar.shift: expected at least the 3 periods"):
        plan({"calendar": {"shift": 2, "window": [3, 5]}}, where)
    with pytest.raises(InputError, match="customers know the date, found Independent"):
        plan({"calendar": {"shift": 2}})


def test_a_competitor_enters_by_its_cross_elasticity() -> None:
    fixed = plan({"competitor": {"fixed": 0.8, "elasticity": 0.5, "items": "item 0", "window": [2, 8]}})
    torch.testing.assert_close(fixed.demand[:, 0, 0], torch.tensor([1.0, *[0.8**0.5] * 7]))
    assert fixed.demand[:, 0, 1].unique().tolist() == [1]
    assert "cross elasticity" in fixed.notes[0]
    swing = plan({"competitor": {"seasonal": 0.2, "cycle": 8, "elasticity": 1.0}}).demand[:, 0, 0]
    torch.testing.assert_close(swing[[0, 2, 6]], torch.tensor([1.0, 1.2, 0.8]))


@pytest.mark.parametrize("first", [1, 4])
def test_a_competitor_undercuts_from_the_first_period_of_its_window(first: int) -> None:
    scenario = {"competitor": {"undercut": 0.1, "elasticity": 1.0, "window": [first, HORIZON]}}
    told, usual = expectations(plan(scenario), 1.2), expectations(plan({"demand": 1}), 1.2)
    ratio = told / usual
    assert ratio[: first - 1].unique().tolist() in ([], [1])
    torch.testing.assert_close(ratio[first:], torch.full_like(ratio[first:], 1.2 * 0.9))
    if first > 1:
        torch.testing.assert_close(ratio[first - 1], torch.full_like(ratio[0], 1.2 * 0.9))
    else:  # what the shop charged before the episode is what the table says
        assert ratio[0].min() >= 0.9 * 0.9
        assert ratio[0].max() <= 1.1 * 0.9
        assert ratio[0, :, 0, 0].unique().numel() > 1


def test_several_competitors_count_each() -> None:
    scenario = {"competitor": [{"undercut": 0.1, "elasticity": 1.0}, {"undercut": 0.2, "elasticity": 0.5}]}
    ratio = expectations(plan(scenario), 1.2) / expectations(plan({"demand": 1}), 1.2)
    torch.testing.assert_close(
        ratio[1:], torch.full_like(ratio[1:], 1.2 * 0.9 * (1.2 * 0.8) ** 0.5), rtol=1e-4, atol=0
    )


def test_a_new_location_sells_like_the_one_it_is_like() -> None:
    made = plan({"new_location": {"name": "shop 9", "like": "shop 1", "scale": 0.5, "window": [3, 8]}})
    assert made.market.locations == ("shop 0", "shop 1", "shop 2", "shop 9")
    found, base = each(play(made)[0], "demand"), each(play(plan({"demand": 1}))[0], "demand")
    assert torch.equal(found[:, :3], base)
    assert found[:2, 3].sum() == 0
    assert float(found[2:, 3].sum() / base[2:, 1].sum()) == pytest.approx(0.5, rel=0.06)
    assert not torch.equal(found[2:, 3], (base[2:, 1] * 0.5).round())
    with pytest.raises(InputError, match=r"new_location.like: .*found 'shp 1'; did you mean 'shop 1'"):
        plan({"new_location": {"name": "x", "like": "shp 1"}})
    with pytest.raises(InputError, match="a name that the market lacks, found 'shop 1'"):
        plan({"new_location": {"name": "shop 1"}})
    with pytest.raises(InputError, match=r"new_location.attributes.income: expected static columns"):
        plan({"new_location": {"name": "x", "attributes": {"income": 40}}})


def test_an_item_that_comes_or_goes_moves_its_categorys_customers() -> None:
    new = plan({"new_item": {"name": "item 9", "like": "item 1", "diversion": 0.25}})
    base = each(play(plan({"demand": 1}))[0], "demand").sum()
    assert float(each(play(new)[0], "demand").sum() / base) == pytest.approx(1 + 0.5 * 0.75, rel=0.02)
    gone = plan({"delisting": {"items": "item 1", "diversion": 0.25}})
    found = each(play(gone)[0], "demand")
    assert found[..., 1].sum() == 0
    assert float(found.sum() / base) == pytest.approx(0.5 * 1.25, rel=0.02)
    assert "0% of its customers" in plan({"delisting": {"items": "item 1"}}).notes[0]


def test_what_is_new_can_be_named_by_other_effects() -> None:
    made = plan({"new_location": {"name": "new"}, "demand": {"multiplier": 3, "locations": "new"}})
    assert made.demand[0, :, 0].tolist() == [1, 1, 1, 3]


def test_joined_processes_can_be_cut_again() -> None:
    process = market().demand
    both = Joined(process, Namesake(process.select(["shop 0"]), ["new"], process.items), "locations")
    assert both.select(["shop 1", "new"], ["item 1"]).locations == ("shop 1", "new")
    assert both.select(["new"]).items == process.items
    assert both.select(["shop 2"]).locations == ("shop 2",)


@pytest.mark.parametrize(
    "new", [{"new_location": {"name": "item 1"}}, {"new_item": {"name": "shop 0", "diversion": 0}}], ids=str
)
def test_a_new_location_may_be_called_like_an_item_and_an_item_like_a_location(new: dict[str, Any]) -> None:
    made = plan(new)
    part = made.market.select([made.market.locations[-1]], [made.market.items[-1]])
    key = _key(5)
    whole, state = made.market.demand, part.demand.reset(torch.zeros(5, dtype=torch.int64), key)
    price = made.market.terms.reference_price.expand(5, -1, -1)
    told = whole.sample(whole.reset(torch.zeros(5, dtype=torch.int64), key), price, key)
    assert torch.equal(part.demand.sample(state, price[:, -1:, -1:], key), told[:, -1:, -1:])


def test_a_new_location_called_like_a_price_group_sets_its_own_prices() -> None:
    where = replace(market(), price_groups=("north", "north", "south"))
    groups = plan({"new_location": {"name": "north"}}, where).market.price_groups
    assert groups[:3] == where.price_groups
    assert groups[3] not in where.price_groups


def test_names_that_a_grown_market_lacks_are_refused_in_one_line() -> None:
    grown = plan({"new_location": {"name": "new"}, "new_item": {"name": "newer", "diversion": 0}}).market
    for wanted, said in (
        ((["nwe"], None), r"expected some of shop 0, .*found 'nwe'; did you mean 'new'\?"),
        ((None, ["new"]), r"expected some of item 0, .*found 'new'; did you mean 'newer'\?"),
        ((["newer"], ["newer"]), "found 'newer'; did you mean 'new'"),
        ((["new"], ["item 7"]), "found 'item 7'; did you mean"),
    ):
        for cut in (grown, grown.demand):
            with pytest.raises(InputError, match=said):
                cut.select(*wanted)


WAYS = {  # which way each ready scenario moves demand, orders and purchases
    "cost-rise": ("demand", 0),
    "delisting": ("demand", -1),
    "demand-slump": ("demand", -1),
    "heat-wave": ("demand", -1),
    "holiday-moves": ("demand", None),
    "inflation": ("demand", 1),
    "lead-time-doubles": ("demand", 0),
    "new-item": ("demand", 1),
    "new-store": ("demand", 1),
    "price-war": ("demand", -1),
    "promotion-ban": ("demand", -1),
    "supplier-outage": ("demand", 0),
}


@pytest.mark.parametrize("name", names())
def test_ready_scenarios_play_and_do_what_they_say(name: str) -> None:
    (asked,) = read_scenarios(name)
    where = town()
    played = {
        what: play(made, price=0.9)[0]
        for what, made in {"without": asked.scenario.unchanged(where), "with": asked.plan(where)}.items()
    }
    field, way = WAYS[name]
    change = float(each(played["with"], field).sum() - each(played["without"], field).sum())
    if way is None:
        assert change != 0
    else:
        assert (change > 0) - (change < 0) == way
    assert about()[name]


def _key(markets: int) -> NoiseKey:
    rows = torch.arange(markets)
    return NoiseKey(1, torch.zeros_like(rows), rows, torch.zeros_like(rows))


def test_a_plan_is_laid_out_again_for_another_market() -> None:
    blank = Plan.blank(market(), HORIZON)
    assert len({id(one) for one in blank.markets()}) == 1
    assert blank.markets()[0].demand is market().demand
    assert replace(blank, notes=("a",)).noted("b").notes == ("a", "b")


def test_a_scenario_ends_with_the_season() -> None:
    short = shop([[-2.0]], locations=1, economics=Economics(season=HORIZON - 1))
    with pytest.raises(InputError, match=f"at most the {HORIZON - 1} periods of the season, found {HORIZON}"):
        plan({"demand": 1.1}, short)
