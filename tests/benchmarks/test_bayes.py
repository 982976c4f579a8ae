"""The Bayesian peer reads the panel as its guides ask, and says what its fitted model says."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from benchmarks.peers.bayes import Bayesian, TooFewWeeks, by_category, pypricing
from benchmarks.peers.dml import OwnElasticity
from benchmarks.peers.features import log_price, log_sales, mean_known
from benchmarks.peers.naive import naive_by_item
from benchmarks.price import peers as beside
from benchmarks.price.elasticities import true_own
from benchmarks.price.market import Drawn, draw
from mercato.envs.structural import Size
from mercato.forecasters.features.history import History, build_history


@pytest.fixture(scope="module")
def drawn() -> Drawn:
    return draw("log-linear", 104, Size(locations=3, items=4, weeks=60))


@pytest.fixture(scope="module")
def history(drawn: Drawn) -> History:
    return build_history(drawn.panel)


def level_taken_out(history: History) -> np.ndarray:
    sales = log_sales(history)
    return sales - mean_known(sales)


def test_a_row_is_the_mean_of_the_locations_above_their_usual(drawn: Drawn, history: History) -> None:
    demand = level_taken_out(history)
    tables = by_category(drawn.panel, history, demand)
    assert [set(table["sku"]) for table in tables] == [
        {i for i, name in enumerate(drawn.panel.categories) if name == category}
        for category in dict.fromkeys(drawn.panel.categories)
    ]
    table = pd.concat(tables).set_index(["period", "sku"])
    price = log_price(history) - mean_known(log_price(history))
    for week, item in ((0, 0), (37, 3)):
        row = table.loc[(drawn.panel.dates[week], item)]
        assert row["price"] == pytest.approx(np.exp(price[week, :, item].mean()))
        assert row["quantity"] == pytest.approx(100 * np.exp(demand[week, :, item].mean()))
        assert row["control_0"] == pytest.approx(float(history.promo[week, :, item, 0].mean()))
    assert table.groupby("sku")["iv_0"].mean().abs().max() < 1e-6


def test_what_is_unknown_moves_no_mean_and_a_week_without_an_item_is_left_out(
    drawn: Drawn, history: History
) -> None:
    demand = level_taken_out(history)
    demand[10, 0, 0] = np.nan
    demand[20, :, 0] = np.nan
    demand -= mean_known(demand)
    first, *_ = by_category(drawn.panel, history, demand)
    weeks = set(first["period"])
    assert drawn.panel.dates[20] not in weeks
    assert len(first) == len(weeks) * first["sku"].nunique()
    row = first[(first["period"] == drawn.panel.dates[10]) & (first["sku"] == 0)]
    assert float(row["quantity"].iloc[0]) == pytest.approx(100 * np.exp(demand[10, 1:, 0].mean()))


def test_too_few_whole_weeks_are_said(drawn: Drawn, history: History) -> None:
    demand = level_taken_out(history)
    demand[20:, :, 0] = np.nan
    with pytest.raises(TooFewWeeks, match="expected 26 with all items, found 20"):
        by_category(drawn.panel, history, demand)


def test_units_follow_the_price_of_each_item_alone_where_nothing_crosses(history: History) -> None:
    """A fitted model of elasticities −2 and −3, whose index is 100 at usual prices."""

    def predict(week: pd.DataFrame, random_seed: int) -> pd.DataFrame:
        assert (week["control_0"] == 0).all()
        own = np.array([-2.0, -3.0])[week["sku"].to_numpy()]
        return week.assign(quantity_mean=100 * week["price"] ** own)

    data = pd.DataFrame(
        {"period": [1, 1, 2, 2], "sku": [0, 1, 0, 1], "price": 1.0, "quantity": 100.0, "control_0": 1.0}
    )
    model = SimpleNamespace(data=data, control_names_=("control_0",), predict=predict)
    usual = np.log([[2.0, 5.0], [3.0, 4.0]])
    none = OwnElasticity(*np.zeros((3, 2)))
    found = Bayesian(none, (model,), usual, np.array([40.0, 10.0]), 1.0, 0)
    np.testing.assert_allclose(found.units(np.exp(usual)), [40.0, 10.0])
    np.testing.assert_allclose(found.units(np.exp(usual) * [0.5, 2.0]), [160.0, 1.25])


@pytest.mark.parametrize("why", [ImportError, TooFewWeeks])
def test_who_is_not_there_or_cannot_read_the_panel_has_no_figure(
    why: type[Exception], drawn: Drawn, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(panel: object) -> None:
        raise why

    monkeypatch.setattr(beside, "pypricing", absent)
    row = beside.peers(drawn)
    assert row["item_mae_ridge_dml"] > 0
    assert row["item_mae_pypricing"] is None
    assert "joint_shop_pypricing" not in row


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_pypricing_undoes_most_of_the_confounding() -> None:
    pytest.importorskip("pypricing", reason="the extra 'bayes' is not installed")
    drawn = draw("log-linear", 104, Size(locations=20, items=4, weeks=150))
    truth, history = true_own(drawn.truth).mean(0).double().numpy(), build_history(drawn.panel)
    naive = naive_by_item(history.log_price, history.units).numpy()
    found = pypricing(drawn.panel)
    assert np.abs(found.own.own - truth).mean() < 0.8 < 1.2 < np.abs(naive - truth).mean()
    assert found.rhat < 1.1
    usual = drawn.reference.double().numpy()
    assert (found.units(usual * 1.1) < found.units(usual)).all()
