"""The newsvendor and the (s, S) problem against printed values, and both against a dynamic program."""

from __future__ import annotations

import numpy as np
import pytest

from mercato.agents.optimal import (
    Program,
    ReorderPoint,
    Series,
    best_reorder_point,
    newsvendor_level,
    optimum,
    simulated,
    solve,
)
from mercato.envs.problems import ZHENG_FEDERGRUEN, FixedOrderCost, LostSales, Newsvendor, Problem
from mercato.envs.problems.optima import OPTIMA
from mercato.forecasters.errors import InputError

TABLE_1 = {  # Zheng and Federgruen 1991: mean demand, s, S, cost
    10: (6, 40, 35.022), 15: (10, 49, 42.698), 20: (14, 62, 49.173), 21: (15, 65, 50.406),
    22: (16, 68, 51.632), 23: (17, 52, 52.757), 24: (18, 54, 53.518), 25: (19, 56, 54.262),
    30: (23, 66, 57.819), 35: (28, 77, 61.215), 40: (33, 87, 64.512), 45: (37, 97, 67.776),
    50: (42, 108, 70.975), 51: (43, 110, 71.611), 52: (44, 112, 72.246), 55: (47, 118, 74.149),
    59: (51, 126, 76.679), 60: (52, 129, 77.306), 61: (52, 131, 77.929), 63: (54, 73, 78.287),
    64: (55, 74, 78.402), 65: (56, 75, 78.518), 70: (62, 81, 79.037), 75: (67, 86, 79.554),
}  # fmt: skip


@pytest.mark.parametrize("problem", ZHENG_FEDERGRUEN, ids=lambda problem: f"mean {problem.mean:g}")
def test_the_best_policy_is_the_one_of_the_paper(problem: FixedOrderCost) -> None:
    reorder, level, cost = TABLE_1[int(problem.mean)]
    rule, found = best_reorder_point(problem)
    assert rule == ReorderPoint(reorder, level)
    assert found == pytest.approx(cost, abs=0.000501)


def test_the_textbook_s_example() -> None:
    """Snyder and Shen 2019, example 4.7: K = 5, h = 1, p = 4, Poisson demand of mean 6."""
    rule, cost = best_reorder_point(FixedOrderCost(6.0, fixed=5.0, penalty=4.0))
    assert rule == ReorderPoint(4, 10)
    assert cost == pytest.approx(8.034111561471644, abs=1e-9)


def test_the_newsvendor_s_example() -> None:
    """Snyder and Shen 2019, section 4.3: h = 0.18, p = 0.70, Poisson demand of mean 50."""
    rule, cost = newsvendor_level(Newsvendor())
    assert rule.level == 56
    assert cost == pytest.approx(1.797235211809178, abs=1e-9)


@pytest.mark.parametrize(
    ("problem", "stock", "order"),
    [
        (LostSales(1, 9.0, "geometric"), 60, 30),
        (LostSales(2, 4.0), 24, 12),
        (Newsvendor(6.0, 1.0, 4.0), 20, 20),
        (FixedOrderCost(4.0, fixed=20.0), 40, 40),
        (FixedOrderCost(3.0, fixed=8.0, lead_time=1), 40, 40),
    ],
    ids=lambda value: value.name if isinstance(value, Problem) else "",
)
def test_the_general_dynamic_program_finds_what_the_special_solvers_find(
    problem: LostSales, stock: int, order: int
) -> None:
    series = Series.of(problem.market(), np.array([1.0]), stock, order)
    cost = optimum(problem).cost if isinstance(problem, LostSales) else solve(problem).value
    assert -Program(series).long_run(1e-5).value == pytest.approx(cost, abs=2e-5)


@pytest.mark.parametrize(
    "problem",
    [
        Newsvendor(),
        FixedOrderCost(20.0),
        FixedOrderCost(10.0, lead_time=2),
        FixedOrderCost(10.0, fixed=640.0),
    ],
)
def test_the_best_policy_costs_in_its_market_what_it_should(problem: FixedOrderCost) -> None:
    best = solve(problem)
    cost, error = simulated(problem, best.policy, seed=0, markets=512, periods=80, warm_up=40)
    assert error < 0.01 * best.value
    assert abs(cost - best.value) < 3 * error


def test_the_catalogue_tells_what_the_solvers_find() -> None:
    for problem in (*ZHENG_FEDERGRUEN, Newsvendor(), LostSales(2, 9.0), LostSales(1, 39.0, "geometric")):
        assert OPTIMA[problem.name] == pytest.approx(solve(problem).value, abs=1e-4)


def test_what_has_no_solver_is_refused() -> None:
    with pytest.raises(InputError, match=r"expected one of LostSales, .* found int"):
        solve(3)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"mean": 0.0}, "fixed order cost: expected a mean above 0 and up to 1000, found 0.0"),
        ({"mean": 5.0, "demand": "normal"}, "expected demand poisson or geometric, found 'normal'"),
        ({"mean": 5.0, "lead_time": -1}, "expected a lead time of 0 to 52 periods, found -1"),
    ],
)
def test_a_problem_out_of_range_is_refused(fields: dict, said: str) -> None:
    with pytest.raises(InputError, match=said):
        FixedOrderCost(**fields)
