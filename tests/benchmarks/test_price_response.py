"""The figures of the price response, on markets whose mistakes were made on purpose."""

from __future__ import annotations

from dataclasses import fields, replace
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from benchmarks.price.changes import price_changes
from benchmarks.price.elasticities import stated_own, true_own
from benchmarks.price.joint import joint_errors
from benchmarks.price.sustained import as_last_week_left_it, sustained, unknowable
from benchmarks.price_response import one_panel, tables
from mercato.envs.structural import FAMILIES, Size, Truth, true_market
from mercato.forecasters.response.choice import Choice
from mercato.forecasters.response.price_response import Context, PriceResponse
from mercato.forecasters.tensors.noise import NoiseKey

SIZE = Size(locations=4, items=3, weeks=110)


@pytest.fixture(scope="module")
def truth() -> Truth:
    return FAMILIES["log-linear"].make(104, SIZE)[1]


def taken_for(truth: Truth, more: float) -> SimpleNamespace:
    """A market that is the true one but for own elasticities, which are off by ``more``."""
    demand = truth.demand
    parameters = replace(demand.parameters, own=demand.parameters.own + more)
    learned = replace(demand, parameters=parameters)
    reference = true_market(truth).terms.reference_price
    return SimpleNamespace(truth=truth, learned=learned, unpromoted=learned, reference=reference)


def test_the_truth_is_without_error(truth: Truth) -> None:
    row = price_changes(taken_for(truth, 0.0))
    assert row["change_error"] == row["optimum_wrong_side"] == row["optimum_error"] == 0


@pytest.mark.parametrize("more", [-0.3, 0.2])
def test_changes_are_off_by_what_the_elasticity_is(truth: Truth, more: float) -> None:
    row = price_changes(taken_for(truth, more))
    assert row["change_error"] == pytest.approx(abs(more), abs=1e-3)
    assert row["change_error_down"] == pytest.approx(more, abs=1e-3)
    assert row["change_error_up"] == pytest.approx(more, abs=1e-3)


def test_joint_moves_are_off_by_what_is_said_of_them(truth: Truth) -> None:
    """The truth is without error; whoever says that nothing changes is off by what does."""
    panel = SimpleNamespace(periods=len(truth.history.price))
    market = SimpleNamespace(truth=truth, panel=panel, reference=true_market(truth).terms.reference_price)
    weeks = torch.arange(panel.periods - 52, panel.periods)
    state = truth.demand.rows(weeks)

    def true(price: Tensor) -> Tensor:
        return truth.demand.expected(state, price.expand(len(weeks), -1, -1))

    assert set(joint_errors(market, true).values()) == {0.0}
    row = joint_errors(market, lambda price: torch.ones_like(price))
    dearest = true(market.reference * 1.15).sum() / true(market.reference).sum()
    assert row["joint_shop"] == pytest.approx(float(1 / dearest - 1), rel=1e-4)


def test_an_optimum_on_the_wrong_side_is_seen(truth: Truth) -> None:
    """Customers who do not mind prices are best served at the cap, those of the true market are not."""
    reference = true_market(truth).terms.reference_price
    history = replace(truth.history, cost=torch.ones_like(truth.history.cost) * reference * 0.3)
    market = taken_for(replace(truth, history=history), 2.2)
    row = price_changes(market)
    assert row["optimum_wrong_side"] == len(truth.demand.items)
    assert row["optimum_error"] > 0.4


def test_held_prices_are_answered_with_the_mistaken_elasticity(truth: Truth) -> None:
    row = sustained(taken_for(truth, -0.3), paths=32)
    for stretch in ("1_4", "5_12", "13_26"):
        assert row[f"answer_0.85_weeks_{stretch}"] == pytest.approx(0.85**-0.3 - 1, abs=0.01)
        assert row[f"answer_1.15_weeks_{stretch}"] == pytest.approx(1.15**-0.3 - 1, abs=0.01)
    assert row["drift"] < 0.01
    assert row["sustained_answer_total"] == pytest.approx(0.05, abs=0.01)


def test_last_week_is_known_and_the_coming_one_is_not() -> None:
    truth = FAMILIES["stockpiling"].make(104, SIZE)[1]
    paths = torch.arange(64)
    key = NoiseKey(0, paths * 0, paths, paths * 0)
    state, real = as_last_week_left_it(truth, 60, key), truth.demand.rows(torch.tensor([60]))
    assert (state.week == 60).all()
    torch.testing.assert_close(state.pantry, real.pantry.expand(64, -1, -1))
    assert state.chain.std() > 0.03


def test_a_history_of_bad_noise_is_taken_for_ordinary(truth: Truth) -> None:
    """After shocks that were low by 0.1 throughout, forecasts return to 0.1 too little in the long run."""
    demand = truth.demand
    low = {name: torch.full_like(getattr(demand.realised, name), -0.1) for name in ("chain", "location")}
    row = {"series": torch.zeros_like(demand.realised.series), **low}
    sunk = replace(truth, demand=replace(demand, realised=replace(demand.realised, **row)))
    back = sum(1 - sum(rho**k for k in range(1, 27)) / 26 for rho in (0.95, 0.92))
    assert unknowable(sunk) == pytest.approx(-0.1 * back, rel=1e-4)


def test_own_elasticities_that_never_change_are_the_true_ones(truth: Truth) -> None:
    torch.testing.assert_close(true_own(truth), truth.demand.own(), atol=2e-3, rtol=0)


def test_stated_elasticities_are_slopes_at_the_prices_charged() -> None:
    torch.manual_seed(0)
    periods, places, goods = 30, 3, 2
    zeros = {f.name: torch.zeros(goods) for f in fields(PriceResponse)}
    own = -1.5 - torch.rand(places, goods)
    response = PriceResponse(
        **zeros
        | {
            "pivot": torch.rand(places, goods),
            "own": own,
            "own_lo": own - 0.5,
            "own_hi": own + 0.5,
            "choice": Choice.alone(torch.zeros(goods, dtype=torch.int64), places),
            "curve": torch.tensor([1.0, -0.5]),
            "sway": torch.rand(goods, 2) / 4,
            **{name: torch.zeros(goods, 0) for name in ("promo", "joint", "promo_level", "promo_slope")},
        }
    )
    log_price = response.pivot + torch.randn(periods, places, goods) / 5
    harmonic = torch.randn(periods + 5, places, goods, 2).clamp(-1, 1)
    history = SimpleNamespace(
        log_price=log_price,
        ahead=harmonic,
        periods=periods,
        promo=torch.zeros(*log_price.shape, 0),
        listed=torch.ones(periods + 5, places, goods, dtype=torch.bool),
    )
    market = SimpleNamespace(
        learned=SimpleNamespace(history=history), model=SimpleNamespace(response=response)
    )

    def effect(at: Tensor) -> Tensor:
        return response.own_effect(at.double(), context=Context(harmonic=harmonic[:periods]))

    slope = ((effect(log_price + 1e-3) - effect(log_price - 1e-3)) / 2e-3).mean(0).float()
    stated, lo, hi = stated_own(market)
    torch.testing.assert_close(stated, slope, atol=1e-3, rtol=0)
    assert (lo < stated).all()
    assert (stated < hi).all()


@pytest.mark.slow
def test_a_panel_of_every_figure() -> None:
    row = one_panel(("hidden-shock", 105), SIZE, quick=True)
    assert row["no_shifter_cannot_tell"] == 1
    assert row["no_shifter_item_mae"] > row["item_mae"]
    assert 0 < row["pit_distance"] < 0.2
    assert 0 < row["pit_distance_oracle"] < 0.1  # told last week's shocks
    assert abs(row["stock_out_bias"]) < 0.2
    head, *body = tables({"panels": {"hidden-shock": [row]}})[0].splitlines()
    assert head == "| figure | must reach | hidden-shock |"
    assert any(line.startswith("| `item_mae` |") for line in body)
