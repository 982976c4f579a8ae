"""The panel a true market left: confounded as claimed, readable, with a floor that the oracle reaches."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from mercato.envs.structural import (
    FAMILIES,
    Retailer,
    Size,
    Truth,
    draw_log_linear,
    make_reference,
    oracle_elasticities,
    truth_folder,
    write_history,
)
from mercato.forecasters.errors import InputError
from mercato.forecasters.panel import read_panel

SMALL = Size(locations=4, items=5, weeks=30)


def naive_elasticity(history) -> torch.Tensor:
    """(I,) slope of log units on log price within series, one an item."""
    x, y = history.price.log(), history.sales.clamp(min=0.5).log()
    x, y = x - x.mean(0), y - y.mean(0)
    return (x * y).sum((0, 1)) / (x * x).sum((0, 1))


@pytest.fixture(scope="module", params=[101, 202, 303])
def large(request) -> Truth:
    return make_reference(request.param, Size(locations=20, items=10, weeks=150))[1]


def test_naive_regression_misses(large):
    assert (naive_elasticity(large.history) - large.demand.own().mean(0)).mean() > 1.5


def test_little_price_is_left_to_chance(large):
    rest = (large.history.price / large.history.rule_price).log()
    assert rest.std() < 0.10
    alone = (rest - 0.5 * large.history.shifter.log()).std()
    assert 0.05 < alone < 0.09


def test_stock_outs(large):
    share = (large.history.censored > 0).float().mean()
    assert 0.10 < share < 0.20
    assert (large.history.sales == torch.minimum(large.history.demand, large.history.stock)).all()
    assert ((large.history.censored > 0) == (large.history.demand >= large.history.stock)).all()
    hidden = (large.history.demand - large.history.sales).sum() / large.history.demand.sum()
    assert hidden > 0.02


def test_the_shifter_moves_prices_and_no_demand(large):
    """Correlated with price beyond the rule, uncorrelated with every shock of demand."""
    history, states = large.history, large.demand.realised
    shifter = history.shifter.log()
    beyond = (history.price / history.rule_price).log()
    assert np.corrcoef(shifter.flatten(), beyond.flatten())[0, 1] > 0.5
    within = history.demand.log1p() - large.demand.log_mean(
        large.demand.rows(torch.arange(150)), history.price, history.promo
    )
    assert abs(np.corrcoef(shifter.flatten(), within.flatten())[0, 1]) < 0.03
    assert abs(np.corrcoef(shifter.flatten(), states.series[:-1].flatten())[0, 1]) < 0.15


def test_elasticities_differ_between_places(large):
    own = large.demand.own()
    assert (own < -1.0).all()
    assert (own.std(0, correction=0) >= 0.3).all()
    income = large.demand.shop.income
    explained = np.corrcoef(income, own.mean(1))[0, 1]
    assert explained > 0.3  # part of it, and in one direction: richer places mind prices less
    pooled = (own - own.mean(0)).abs().mean()
    assert pooled > 0.2


def test_cross_elasticities_stay_within_categories(large):
    cross, categories = large.demand.cross(), large.demand.shop.categories
    kin = torch.tensor([[a == b for b in categories] for a in categories]) & ~torch.eye(10, dtype=torch.bool)
    assert (cross[:, kin] > 0).all()
    assert (cross[:, ~kin] == 0).all()
    assert (cross.std(0)[kin] > 0).any()  # by region
    assert (large.demand.own() + cross.sum(-1) < -0.7).all()


def test_oracle_is_unbiased_and_knows_its_error(large):
    own, estimate = large.demand.own(), oracle_elasticities(large.demand, large.history)
    z = (estimate.value - own) / estimate.error
    assert abs(z.mean()) < 3.5 / z.numel() ** 0.5
    assert 0.85 < z.std() < 1.15
    assert (estimate.value.mean(0) - own.mean(0)).abs().mean() < 0.1


def test_stock_outs_hide_and_a_share_of_the_week_hides_less_than_a_flag():
    """Ample stock hides nothing, so the same weeks say more; when the shelf ran empty says part of it."""
    market = draw_log_linear(SMALL, 5)
    (played, short), (ample_played, ample) = (
        write_history(market, Retailer(safety=safety), 120, 5) for safety in (0.0, 3.0)
    )
    flagged = replace(short, censored=(short.censored > 0).float())
    known, share = oracle_elasticities(ample_played, ample), oracle_elasticities(played, short)
    flag = oracle_elasticities(played, flagged)
    assert known.error.mean() < 0.95 * share.error.mean()
    assert share.error.mean() < 0.95 * flag.error.mean()


def test_panel_is_a_function_of_its_seed():
    frame, truth = make_reference(4, SMALL)
    again, _ = make_reference(4, SMALL)
    other, _ = make_reference(5, SMALL)
    pd.testing.assert_frame_equal(frame, again)
    assert not frame["units"].equals(other["units"])
    assert len(frame) == 4 * 5 * 30
    assert frame["units"].sum() == truth.history.sales.sum().item()


def test_a_retailer_that_does_not_react_is_not_confounded():
    """Prices set by dice: then plain regression is right, so it is the reaction that misleads it."""
    dice = Retailer(reaction=0.0, pass_through=0.0, promotions=0.0, chance=0.3, safety=3.0)
    market, history = write_history(draw_log_linear(Size(8, 6, 100), 6), dice, 100, 6)
    assert (naive_elasticity(history) - market.own().mean(0)).abs().mean() < 0.1


def test_written_panel_reads_back_with_its_roles(tmp_path):
    out = FAMILIES["log-linear"].write(tmp_path / "reference.parquet", seed=7, size=SMALL)
    panel = read_panel(out)
    truth = Truth.load(truth_folder(out))
    assert truth_folder(out) == tmp_path / "reference.truth"
    assert panel.locations == truth.demand.locations
    assert panel.items == truth.demand.items
    assert panel.frequency == "W"
    assert np.array_equal(panel.dates, truth.dates)
    assert np.allclose(panel.dense(panel.units), truth.history.sales)
    assert np.allclose(panel.dense(panel.price), truth.history.price, atol=1e-3)
    assert np.array_equal(panel.dense(panel.censored) > 0, truth.history.censored > 0)
    roles = {covariate.name: covariate.role for covariate in panel.covariates}
    assert roles["cost_shifter"] == "instrument"
    assert roles["promo"] == "decision"
    assert roles["income"] == "static"
    assert panel.cost is not None
    assert panel.coordinates is not None


def test_tables_of_the_truth(tmp_path):
    out = FAMILIES["log-linear"].write(tmp_path / "r.parquet", seed=7, size=SMALL)
    truth = Truth.load(truth_folder(out))
    own = pd.read_csv(truth_folder(out) / "own.csv")
    cross = pd.read_csv(truth_folder(out) / "cross.csv")
    assert list(own.columns) == ["location", "item", "elasticity"]
    assert list(cross.columns) == ["item", "other_item", "elasticity"]
    assert len(cross) == 5 * 4
    place, item = truth.demand.locations[2], truth.demand.items[3]
    row = own[(own["location"] == place) & (own["item"] == item)]
    assert row["elasticity"].item() == pytest.approx(truth.demand.own()[2, 3].item(), abs=1e-5)
    pair = cross[(cross["item"] == item) & (cross["other_item"] == truth.demand.items[4])]
    assert pair["elasticity"].item() == pytest.approx(truth.demand.cross()[:, 3, 4].mean().item(), abs=1e-5)


@pytest.mark.parametrize("sizes", [{"locations": 1}, {"items": 0}, {"weeks": 1}])
def test_sizes_too_small_are_refused(sizes):
    with pytest.raises(InputError, match="expected at least 2"):
        Size(**sizes)
