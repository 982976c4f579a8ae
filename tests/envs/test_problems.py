"""The catalogue of problems: names, optima, and environments that Gymnasium makes."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from mercato.envs.problems import CATALOGUE, problem
from mercato.envs.problems.optima import OPTIMA
from mercato.forecasters.errors import InputError

FAMILIES = {
    "Clearance-v0": "clearance",
    "FiniteStock-v0": "finite-stock",
    "FixedOrderCost-v0": "fixed-order-cost",
    "FreshFood-v0": "fresh-food",
    "JointReplenishment-v0": "joint-replenishment",
    "LostSales-v0": "lost-sales",
    "Newsvendor-v0": "newsvendor",
    "PricesAndOrders-v0": "prices-and-orders",
    "SlowSupply-v0": "slow-supply",
}


def test_every_problem_has_an_optimum_and_a_source() -> None:
    assert set(CATALOGUE) == set(OPTIMA)
    for name, one in CATALOGUE.items():
        assert one.name == name
        assert one.source
        assert one.about


def test_a_name_that_is_none_is_answered_with_the_nearest() -> None:
    with pytest.raises(InputError, match="did you mean 'lost-sales/poisson-L4-p4'"):
        problem("lost-sales/poison-L4-p4")


def test_every_family_is_an_environment() -> None:
    assert {name.partition("/")[0] for name in CATALOGUE} == set(FAMILIES.values())
    for name in FAMILIES:
        env = gymnasium.make(f"mercato.envs:{name}", horizon=5)
        check_env(env.unwrapped)


def test_a_cell_is_chosen_by_name_and_played_side_by_side() -> None:
    one = gymnasium.make("mercato.envs:LostSales-v0", cell="geometric-L2-p39", horizon=5)
    assert one.unwrapped.batch.market.name == "lost-sales/geometric-L2-p39"
    many = gymnasium.make_vec("mercato.envs:LostSales-v0", num_envs=3, cell="geometric-L2-p39", horizon=5)
    (seen, _), (all_seen, _) = one.reset(seed=1), many.reset(seed=1)
    np.testing.assert_array_equal(seen, all_seen[0])
