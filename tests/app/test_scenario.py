"""Scenarios: a file says what changes, and the answer is paired."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from mercato.app.scenario import Change, Scenario, multiples, read_scenario
from mercato.app.whatif import Repriced, answer, usual_policy
from mercato.envs.simulator import Simulator
from mercato.forecasters.errors import InputError
from tests.agents.shops import shop


def scenario(**change: object) -> Scenario:
    return Scenario(horizon=6, episodes=24, changes=[Change(**change)])


def market():
    return shop([[-2.0, 0.0], [0.0, -2.0]], locations=2, base=50.0)


def means(told: dict, metric: str) -> tuple[float, float, float]:
    (row,) = [row for row in told["differences"] if row["metric"] == metric]
    return row["diff_mean"], row["diff_lo"], row["diff_hi"]


def test_multiples_cover_their_items_locations_and_window() -> None:
    asked = Scenario(
        horizon=5,
        changes=[
            Change(demand=2.0, items=["item 1"], locations=["shop 0"], window=(2, 3)),
            Change(demand=3.0, window=(3, 5)),
        ],
    )
    table = multiples(asked, market(), "demand")
    assert table.shape == (5, 2, 2)
    assert table[:, 0, 1].tolist() == [1, 2, 6, 3, 3]
    assert table[:, 1, 0].tolist() == [1, 1, 3, 3, 3]


def test_more_customers_are_more_units_and_the_answer_is_paired() -> None:
    told = answer(market(), usual_policy(market()), 3, scenario(demand=1.5))
    mean, lo, hi = means(told, "demand")
    assert lo < mean < hi
    assert mean == pytest.approx(0.5 * told["without"]["demand"], rel=0.05)
    assert told["with"]["demand"] == pytest.approx(told["without"]["demand"] + mean)
    assert sum(row["diff_mean"] for row in told["items"]) == pytest.approx(means(told, "profit")[0], rel=1e-3)


def test_what_a_scenario_leaves_alone_stays_exactly_as_it_was() -> None:
    told = answer(market(), usual_policy(market()), 3, scenario(demand=1.5, items=["item 0"]))
    (other,) = [row for row in told["items"] if row["item"] == "item 1"]
    assert (other["diff_mean"], other["diff_lo"], other["diff_hi"]) == (0, 0, 0)


def test_dearer_goods_cost_what_they_cost() -> None:
    told = answer(market(), usual_policy(market()), 3, scenario(cost=1.1))
    assert means(told, "units") == pytest.approx((0, 0, 0), abs=1.0)
    assert means(told, "profit")[0] == pytest.approx(-0.1 * told["without"]["units"], rel=0.1)


def test_a_price_change_moves_demand_by_the_elasticity_and_orders_with_it() -> None:
    told = answer(market(), usual_policy(market()), 3, scenario(price=1.1))
    ratio = told["with"]["demand"] / told["without"]["demand"]
    assert ratio == pytest.approx(1.1**-2.0, rel=0.03)
    plain, repriced = usual_policy(market()), Repriced(usual_policy(market()), torch.full((2, 2), 1.1))
    simulator = Simulator(market(), 3, 4, seed=0, evaluation=True)
    view = simulator.view(
        simulator.initial_state(torch.zeros(3, dtype=torch.int64), on_hand=torch.zeros(2, 2))
    )
    usual, less = plain.decide(view).order, repriced.decide(view).order
    torch.testing.assert_close(less, usual * 1.1**-2.0, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("changes: []", "changes: List should have at least 1 item"),
        ("changes:\n- demand: 1", "expected a multiple of demand, cost or price other than 1"),
        ("changes:\n- demand: -1", "changes.0.demand: Input should be greater than or equal to 0"),
        ("changes:\n- demnd: 2", "changes.0.demnd: no such field (did you mean demand?)"),
        ("changes:\n- demand: 2\n  window: [5, 2]", "expected [first, last]"),
        ("- a\n- b", "expected a mapping with changes, found a list"),
        ("changes: [", "not valid YAML"),
    ],
)
def test_a_bad_file_is_one_clear_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "scenario.yaml"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        read_scenario(path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_is_read_as_written(tmp_path: Path) -> None:
    path = tmp_path / "scenario.yaml"
    path.write_text("name: heat\nhorizon: 8\nchanges:\n- demand: 1.2\n  window: [1, 4]\n- cost: 1.1\n")
    asked = read_scenario(path)
    assert (asked.name, asked.horizon, len(asked.changes)) == ("heat", 8, 2)
    assert asked.changes[0].window == (1, 4)


def test_names_and_windows_are_checked_against_the_market() -> None:
    with pytest.raises(InputError, match=r"expected items of the market \(item 0, item 1\), found 'itm'"):
        multiples(scenario(demand=2.0, items=["itm"]), market(), "demand")
    with pytest.raises(InputError, match="within the horizon 6, found 3 to 9"):
        multiples(scenario(demand=2.0, window=(3, 9)), market(), "demand")


def test_an_absent_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_scenario(tmp_path / "none.yaml")


def test_an_item_that_a_scenario_takes_off_the_shelves_sells_nothing_and_no_number_breaks() -> None:
    told = answer(market(), usual_policy(market()), 3, scenario(demand=0.0, items=["item 1"], window=(2, 4)))
    lost = told["with"]["demand"] / told["without"]["demand"]
    assert lost == pytest.approx(1 - 0.5 * 3 / 6, abs=0.05)
    assert all(torch.tensor(row["diff_mean"]).isfinite() for row in told["differences"])
