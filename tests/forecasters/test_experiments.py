"""Price tests: drawn as they say, read by their draw, chosen within their budget, believed by precision."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

import numpy as np
import pandas as pd
import pytest
import torch

from mercato.forecasters.errors import InputError
from mercato.forecasters.experiments import (
    Candidates,
    Finding,
    Findings,
    Plan,
    Rows,
    cheapest_pairs,
    choose,
    draw_up,
    estimate,
    fewest_units,
    informed,
    plan_of,
    power,
    synthetic_difference,
    ways_to_draw,
)
from mercato.forecasters.experiments.held_out import _weights
from mercato.forecasters.identification import Elasticities
from mercato.forecasters.response import Choice

OWN = -2.5


def plan(places: int = 6, weeks: int = 8, block: int = 1) -> Plan:
    usual = np.full((places, 2), 2.0)
    usual[0, 1] = np.nan  # not in the test
    return Plan(
        dates=np.datetime64("2024-01-01", "D") + 7 * np.arange(weeks),
        block=np.arange(weeks) // block,
        counts=np.ones(weeks, dtype=bool),
        items=("tea", "milk"),
        locations=tuple(f"shop {n}" for n in range(places)),
        unit=tuple(f"zone {n // 2}" for n in range(places)),
        usual=usual,
        low=usual * 0.9,
        high=usual * 1.1,
        seed=3,
    )


@pytest.mark.parametrize(("units", "blocks"), [(6, 8), (7, 4), (1, 6), (5, 1), (4, 3)])
def test_a_draw_is_even_within_pairs_of_blocks_and_over_units(units: int, blocks: int) -> None:
    up = draw_up(units, blocks, np.random.default_rng(units))
    for first in range(0, blocks - 1, 2):
        assert (up[:, first] != up[:, first + 1]).all()
    assert set(up.sum(0)) <= {units // 2, (units + 1) // 2}


def test_every_unit_is_up_as_often_as_down_over_draws() -> None:
    rng = np.random.default_rng(0)
    share = np.mean([draw_up(5, 3, rng) for _ in range(2000)], axis=0)
    np.testing.assert_allclose(share, 0.5, atol=0.05)


def test_there_are_as_many_draws_as_are_counted() -> None:
    rng = np.random.default_rng(0)
    seen = {draw_up(3, 4, rng).tobytes() for _ in range(3000)}
    assert len(seen) == ways_to_draw(3, 4)
    assert ways_to_draw(fewest_units(1), 1) >= 40


def test_a_plan_is_read_back_from_its_file_and_draws_the_same() -> None:
    ours = plan()
    frame = pd.read_csv(pd.io.common.StringIO(ours.frame().to_csv(index=False)))
    read = plan_of(frame, ours.locations, ours.items)
    np.testing.assert_array_equal(read.price, ours.price)
    np.testing.assert_array_equal(next(read.draws(0)), next(ours.draws(0)))
    first, second = islice(ours.draws(0), 2)
    assert (first != second).any()


def test_locations_of_a_unit_share_their_prices() -> None:
    price = plan().price[:, :, 0]
    np.testing.assert_array_equal(price[:, ::2], price[:, 1::2])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda f: f.assign(price=f["price"].mask(f.index == 4, 9.9)), "a plan that was changed by hand"),
        (lambda f: f.drop(columns="seed"), "found no seed"),
        (lambda f: f.iloc[1:], "expected a row for each of 8 dates and 11 series, found 87 rows"),
        (lambda f: pd.concat([f, f.iloc[:1]]), "twice"),
        (lambda f: f.replace("milk", "coffee"), "expected items of the market, found 'coffee'"),
        (lambda f: f.assign(usual_price="cheap"), "expected numbers in usual_price, found 'cheap'"),
    ],
)
def test_a_plan_that_is_not_as_drawn_is_refused(change: object, said: str) -> None:
    ours = plan()
    with pytest.raises(InputError, match=said):
        plan_of(change(ours.frame()), ours.locations, ours.items)  # type: ignore[operator]


def candidates(cost: float = 1.0, units: int = 8) -> Candidates:
    width = np.array([0.1, 0.2]) * np.ones((units, 1))
    price = cost * (width / 0.1) ** 2
    price[units // 2 :] *= 3  # of the second item, dearer
    return Candidates(
        item=np.repeat([0, 1], units // 2),
        width=width,
        cost=price,
        rows=np.full(units, 8.0),
        variance=np.full(units, 0.1),
        rivals=np.zeros(units),
    )


def test_what_is_chosen_keeps_the_budget_and_begins_where_information_is_cheap() -> None:
    offered, spread = candidates(), np.array([0.5, 0.5])
    for budget in (0.5, 4.0, 9.0, 30.0, 1e9):
        level = choose(offered, spread, budget, fewest=2)
        kept = level >= 0
        assert offered.cost[np.flatnonzero(kept), level[kept]].sum() <= budget + 1e-9
        for item in (0, 1):
            assert (level[offered.item == item] >= 0).sum() != 1  # units of an item enter together
    assert (choose(offered, spread, 0.5, 2) < 0).all()
    least = offered.least_cost(2)
    assert (choose(offered, spread, least * 0.99, 2) < 0).all()
    assert (choose(offered, spread, least, 2) >= 0).sum() == 2
    assert (choose(offered, spread, 2.0, 2)[4:] < 0).all()
    assert (choose(offered, spread, 1e9, 2) == 1).all()


def test_of_pairs_that_are_far_enough_apart_the_cheapest_is_taken() -> None:
    """Where the best price is above the usual one, the pair lies around it."""
    price = np.array([0.9, 1.0, 1.1, 1.2])[:, None]
    lost = np.array([[3.0, 0.0, -1.0, -0.5], [3.0, 0.0, -1.0, -0.2]])[:, :, None]
    found = cheapest_pairs(price, lost, np.array([[0.05], [0.15], [0.28]]), most=0.2)
    np.testing.assert_allclose(found.low[:2, 0], [1.1, 1.0])
    np.testing.assert_allclose(found.high[:2, 0], [1.2, 1.2])
    np.testing.assert_allclose(found.cost[:2, 0], [-0.6, -0.1])  # before those whom it costs most
    assert found.width[2, 0] == 0  # further apart than is allowed


def test_what_is_known_well_is_not_tested_first() -> None:
    level = choose(replace(candidates(), cost=np.ones((8, 2))), np.array([0.05, 0.5]), 4.0, fewest=4)
    assert (level[:4] < 0).all()
    assert (level[4:] >= 0).all()


def test_power_follows_from_information() -> None:
    told = power(np.array([25.0, 0.0]), np.array([0.5, 0.5]))
    assert told.error[0] == pytest.approx(0.2)
    assert np.isnan(told.error[1])
    assert told.after[0] == pytest.approx((4 + 25) ** -0.5)
    assert told.nats == pytest.approx(0.5 * np.log(1 + 0.25 * 25))


def sales(
    seed: int, places: int = 12, weeks: int = 8, obeyed: float = 1.0, hidden: float = 0.0
) -> tuple[Rows, np.ndarray]:
    """Rows of a test with slow shocks, and other draws; prices may follow hidden demand instead."""
    rng = np.random.default_rng(seed)
    assigned = np.where(draw_up(places, weeks, rng), 0.1, -0.1)
    shock = 0.3 * rng.standard_normal((places, 1)) + np.cumsum(0.08 * rng.standard_normal((places, weeks)), 1)
    charged = obeyed * assigned + (1 - obeyed) * 0.1 * rng.standard_normal(assigned.shape) + hidden * shock
    units = rng.poisson(np.exp(3.5 + shock + OWN * charged) * rng.gamma(25, 1 / 25, assigned.shape))
    place, period = np.indices(assigned.shape).reshape(2, -1)
    rows = Rows(
        units=units.reshape(-1).astype(float),
        exposure=np.ones(units.size),
        bound=np.zeros(units.size, dtype=bool),
        offset=np.full(units.size, 3.5),
        charged=charged.reshape(-1),
        assigned=assigned.reshape(-1),
        series=place,
        period=period,
    )
    draws = [np.where(draw_up(places, weeks, rng), 0.1, -0.1).reshape(-1) for _ in range(199)]
    return rows, np.stack(draws)


def test_intervals_cover_the_truth() -> None:
    found = [estimate(*sales(seed)) for seed in range(20)]
    assert sum(f is not None and f.lo <= OWN <= f.hi for f in found) >= 16
    assert abs(np.mean([f.value for f in found if f is not None]) - OWN) < 0.25


def test_the_assigned_price_is_the_instrument_where_another_was_charged() -> None:
    """Prices that follow hidden demand mislead whoever regresses on them, not the reading."""
    found = [estimate(*sales(seed, places=30, obeyed=0.7, hidden=0.5)) for seed in range(6)]
    values = [f.value for f in found if f is not None]
    assert len(values) == 6
    assert np.mean([f.compliance for f in found if f is not None]) == pytest.approx(0.7, abs=0.15)
    assert abs(np.mean(values) - OWN) < 0.5


def test_sales_that_ran_out_are_a_lower_bound() -> None:
    """Half of the shelves hold no more than what is usual: taken as demand, their sales hide the response."""
    errors = {True: [], False: []}
    for seed in range(6):
        rows, draws = sales(seed, places=30)
        stock = np.exp(3.5) * (1 + (np.arange(len(rows.units)) % 2))
        out = rows.units > stock
        for told in (True, False):
            seen = replace(rows, units=np.minimum(rows.units, stock.round()), bound=out & told)
            found = estimate(seen, draws)
            assert found is not None
            errors[told].append(found.value - OWN)
    assert abs(np.mean(errors[True])) < 0.3
    assert np.mean(errors[False]) > 0.5


def test_nothing_is_said_where_nothing_sold_or_moved() -> None:
    rows, draws = sales(0)
    assert estimate(replace(rows, units=np.zeros_like(rows.units)), draws) is None
    assert estimate(replace(rows, assigned=np.zeros_like(rows.assigned)), draws) is None


def finding(item: str, value: float, error: float) -> Finding:
    return Finding(item, value, error, value - 1, value + 1, 96, 1.0, {"shop 0": 0.5, "shop 1": 0.5})


def believed_after(values: tuple[float, ...], error: float) -> tuple[np.ndarray, np.ndarray]:
    """Own elasticities (I,) and their errors, fitted as −2 ± 0.1, after a test of the first items."""
    own, zero, none = torch.full((2, 3), -2.0), torch.zeros(3), torch.zeros(3, 0)
    found = Elasticities(
        own=own,
        own_lo=own - 1.645 * 0.2,
        own_hi=own + 1.645 * 0.2,
        own_error=zero + 0.1,
        choice=Choice.alone(torch.zeros(3, dtype=torch.int64), 2),
        promo=none,
        curve=zero,
        chain=zero,
        joint=none,
        sway=torch.zeros(3, 2),
        carryover=torch.zeros(3, 2),
        price_spread=zero,
        with_instrument=None,
        without_instrument=None,
        gap=0.0,
        gap_error=float("nan"),
        confounded=False,
    )
    items = ("tea", "milk", "rice")
    test = Findings(
        "2024-01-01",
        "2024-02-19",
        tuple(finding(i, v, error) for i, v in zip(items, values, strict=False)),
    )
    after = informed(found, test, ("shop 0", "shop 1"), items)
    return after.own.mean(0).numpy(), after.own_error.numpy()


def test_a_test_that_agrees_adds_its_precision() -> None:
    own, error = believed_after((-2.0,), 0.1)
    np.testing.assert_allclose(own, -2.0, atol=1e-5)
    assert error[0] < 0.1


def test_a_test_that_disagrees_overrules_the_fit_for_all_items() -> None:
    own, _ = believed_after((-3.0, -3.0), 0.1)
    np.testing.assert_allclose(own[:2], -3.0, atol=0.05)
    assert own[2] < -2.8  # what hides moved it, too


def test_a_test_that_tells_little_changes_little() -> None:
    own, error = believed_after((-3.0,), 2.0)
    np.testing.assert_allclose(own, -2.0, atol=0.1)
    assert (error >= 0.1 - 1e-6).all()


def test_rows_of_a_test_are_those_of_its_series_and_weeks() -> None:
    test = Findings("2024-01-08", "2024-01-15", (finding("milk", -2.0, 0.1),))
    dates = np.datetime64("2024-01-01", "D") + 7 * np.arange(4)
    rows = test.rows(dates, ("shop 0", "shop 1", "shop 2"), ("tea", "milk"))
    assert rows.sum() == 4
    assert rows[1:3, :2, 1].all()


def test_synthetic_differences_find_a_change_beyond_what_all_have() -> None:
    rng = np.random.default_rng(1)
    level, common = rng.normal(0, 1, (14, 1)), np.cumsum(rng.normal(0, 0.3, 20))
    outcome = level + common + 0.01 * rng.standard_normal((14, 20))
    held = np.arange(14) < 6
    outcome[~held, 10:] += 0.2
    found = synthetic_difference(outcome, np.ones(14), held, 10)
    assert found.value == pytest.approx(0.2, abs=0.02)
    assert found.lo < 0.2 < found.hi
    assert found.hi - found.lo < 0.1


def test_unit_weights_are_those_of_the_unit_that_is_the_same() -> None:
    rng = np.random.default_rng(2)
    columns = rng.normal(size=(30, 5))
    np.testing.assert_allclose(_weights(columns, columns[:, 3] + 4.0, 0.0), np.eye(5)[3], atol=1e-3)


def test_too_few_to_compare_is_said() -> None:
    with pytest.raises(InputError, match="held-out: expected 2 locations or more"):
        synthetic_difference(np.zeros((4, 10)), np.ones(4), np.arange(4) < 1, 5)
