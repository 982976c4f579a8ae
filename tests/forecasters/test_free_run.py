"""A market that does not simulate its own history is mended, or refused by name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from small_model import QUICK, Fitted

from mercato.envs.economics import Economics
from mercato.envs.store import fit_market
from mercato.forecasters import fit
from mercato.forecasters.errors import UnplayableError
from mercato.forecasters.model import DemandModel
from mercato.forecasters.simulation.free_run import REPORTED, anchored, free_run
from mercato.forecasters.simulation.learned import LearnedDemand


def with_place(model: DemandModel, item: int, by: float) -> DemandModel:
    place = model.base.place.clone()
    place[..., item] += by
    return replace(model, base=replace(model.base, place=place))


def test_a_fitted_market_sells_what_its_history_says(fitted: Fitted) -> None:
    found = free_run(fitted.demand, seed=1)
    assert found.first_bad is None
    assert float(found.item.abs().max()) < REPORTED
    assert float(found.location.abs().max()) < REPORTED
    assert 0.3 < float(found.variance.min()) < float(found.variance.max()) < 4


def test_a_level_that_is_off_is_found_and_moved_back(fitted: Fitted) -> None:
    history = fitted.demand.history
    wrong = with_place(fitted.model, 1, 0.3)
    before = free_run(LearnedDemand(wrong, history), seed=1)
    assert int(before.item.argmax()) == 1
    assert float(before.item[1]) > 0.3
    after = free_run(LearnedDemand(anchored(wrong, history, seed=0), history), seed=1)
    assert float(after.item.abs().max()) < 0.15


def test_what_is_no_number_is_named_by_series(fitted: Fitted) -> None:
    broken = with_place(fitted.model, 2, float("nan"))
    with pytest.raises(UnplayableError, match="not finite, first in period 30 of store-01 item-03"):
        anchored(broken, fitted.demand.history, seed=0)


@pytest.mark.slow
def test_a_level_that_cannot_be_mended_is_refused_and_nothing_is_replaced(
    fitted: Fitted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "market"
    panel = fitted.panel.select(items=fitted.panel.items[:2])
    fit_market(panel, Economics(), out, QUICK)
    kept = {path.name: path.read_bytes() for path in out.iterdir()}
    calibrated = fit.calibrated
    monkeypatch.setattr(fit, "calibrated", lambda *a: with_place(calibrated(*a), 0, 8.0))
    with pytest.raises(UnplayableError, match=r"item-01 \S+ × of the historical sales, by item"):
        fit_market(panel, Economics(), out, QUICK)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == kept
