"""A model of a market that has grown, and one that is settled: what is new, and what stays."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from small_model import Fitted

from mercato.forecasters.anchor import Anchor
from mercato.forecasters.panel import SalesPanel
from mercato.forecasters.panel.growth import grown
from mercato.forecasters.simulation import LearnedDemand
from mercato.forecasters.store import load_model, save_model
from mercato.forecasters.update import compared, conditioned, grown_model, resettled


def renamed(panel: SalesPanel, name: str) -> SalesPanel:
    """The first location of a panel under another name, selling twice as much."""
    one = panel.select(locations=panel.locations[:1])
    return replace(one, locations=(name,), price_groups=(name,), units=2 * one.units)


def joined(panel: SalesPanel, other: SalesPanel) -> SalesPanel:
    """Both panels, whose items are the same; the other's location comes last."""

    def both(name: str) -> np.ndarray:
        return np.concatenate([getattr(panel, name), getattr(other, name)], axis=1)

    columns = tuple(
        replace(mine, values=np.concatenate([mine.values, theirs.values], axis=1))
        for mine, theirs in zip(panel.covariates, other.covariates, strict=True)
    )
    assert panel.coordinates is not None
    assert other.coordinates is not None
    return replace(
        panel,
        locations=(*panel.locations, *other.locations),
        price_groups=(*panel.price_groups, *other.price_groups),
        coordinates=np.concatenate([panel.coordinates, other.coordinates]),
        series=np.concatenate([panel.series, other.series + np.array([[len(panel.locations), 0]])]),
        units=both("units"),
        price=both("price"),
        censored=both("censored"),
        cost=None if panel.cost is None else both("cost"),
        covariates=columns,
    )


def test_a_new_location_begins_as_the_nearest_one_at_its_own_level(fitted: Fitted, tmp_path) -> None:
    whole = fitted.panel
    latest = joined(whole, renamed(whole, "new")).window(100, 120)
    found = grown(whole.window(0, 110), latest)
    model, notes = grown_model(fitted.model, found)
    first, like = (found.panel.locations.index(name) for name in ("new", whole.locations[0]))
    assert notes == [f"new: new, assumed to be like {whole.locations[0]}, with 1 times its demand"]
    torch.testing.assert_close(model.response.own[first], model.response.own[like])
    known = [found.panel.locations.index(name) for name in fitted.model.locations]
    torch.testing.assert_close(model.level[known], fitted.model.level)
    torch.testing.assert_close(model.base.place[:, known], fitted.model.base.place)
    gain = (model.level[first] - model.level[like]).mean()
    assert 0.4 < float(gain) < 0.9  # log 2, drawn towards the one that it is like
    demand = LearnedDemand.after(model, found.panel)
    log_mean, _ = demand.one_step(110, 120)
    ratio = log_mean.exp().mean(-1)[:, first].sum() / demand.history.demand[110:, first].sum()
    assert 0.6 < float(ratio) < 1.6
    save_model(model, tmp_path)
    assert load_model(tmp_path).fitted == 110


def test_scales_and_anchors_stay_with_the_fit(fitted: Fitted) -> None:
    anchor = Anchor(torch.tensor([90, 110]), torch.tensor([[0.1, 0.2], [0.3, 0.4]]))
    model = replace(fitted.model, anchor=anchor, fitted=110)
    twice = conditioned(conditioned(model, 115), 120)
    assert twice.anchor is not None
    assert twice.anchor.origins.tolist() == [90, 110, 120]
    day = torch.tensor([121])
    assert float(twice.anchor.at(torch.tensor([120]), day)) == float(anchor.drift[1, 1])


def test_settling_follows_a_level_and_is_told_from_what_does_worse(fitted: Fitted) -> None:
    """Half of the units from the middle of the last year on: the settled model expects less, and no worse."""
    panel = fitted.panel
    units = panel.units.copy()
    units[80:] = np.round(units[80:] / 2)
    panel = replace(panel, units=units)
    before = LearnedDemand.after(fitted.model, panel)
    after = resettled(fitted.model, panel)
    assert float((after.base.place - fitted.model.base.place).mean()) < -0.02
    trial = compared(before, after, panel, 8)
    assert trial.passed
    assert trial.challenger < trial.champion
    worse = replace(after, informed=replace(after.informed, place=after.informed.place + 1.5))
    assert not compared(before, worse, panel, 8).passed
