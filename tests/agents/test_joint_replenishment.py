"""Two items that share the cost of an order: known limits, and what the optimum costs in its market."""

from __future__ import annotations

import pytest

from mercato.agents.optimal import best_joint, simulated, solve
from mercato.envs.problems import TWO_ITEMS, FixedOrderCost, JointReplenishment, Newsvendor
from mercato.envs.problems.optima import OPTIMA
from mercato.forecasters.errors import InputError


@pytest.mark.parametrize("problem", TWO_ITEMS, ids=lambda problem: problem.name)
def test_together_costs_less_than_alone_and_more_than_the_dearer(problem: JointReplenishment) -> None:
    alone = [
        solve(FixedOrderCost(mean, fixed=problem.joint)).value for mean in (problem.first, problem.second)
    ]
    _, cost = best_joint(problem)
    assert max(alone) < cost < sum(alone)
    assert OPTIMA[problem.name] == pytest.approx(cost, abs=1e-4)


def test_without_a_cost_of_orders_each_item_is_a_newsvendor() -> None:
    apart = sum(solve(Newsvendor(mean, 1.0, 9.0)).value for mean in (2.0, 3.0))
    assert best_joint(JointReplenishment(2.0, 3.0, 1e-6))[1] == pytest.approx(apart, abs=1e-4)


def test_the_optimal_policy_costs_in_its_market_what_it_should() -> None:
    best = solve(TWO_ITEMS[1])
    cost, error = simulated(TWO_ITEMS[1], best.policy, seed=0, markets=400, periods=80, warm_up=30)
    assert error < 0.01 * best.value
    assert abs(cost - best.value) < 3 * error


def test_a_problem_out_of_range_is_refused() -> None:
    with pytest.raises(InputError, match="joint replenishment: expected a joint above 0"):
        JointReplenishment(2.0, 2.0, 0.0)
