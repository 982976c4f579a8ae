"""What moves expected demand, and by how much: it sums, it is found where it was put, captum agrees."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from small_model import Fitted

from mercato.forecasters.errors import InputError
from mercato.forecasters.simulation import LearnedDemand, attribute
from mercato.forecasters.statistics import integrated_gradients
from mercato.forecasters.tensors import NoiseKey

DATE = 100


def stirred(fitted: Fitted) -> LearnedDemand:
    """The fitted customers with a network that says much: one briefly trained says next to nothing."""
    model = fitted.model
    network = type(model.network)(
        model.network.trunk.embed.in_features - 12, 2 * model.base.log_r.shape[0], 8, 4, model.settings.trunk
    ).eval()
    torch.manual_seed(0)
    torch.nn.init.normal_(network.head.weight, std=0.05)
    return LearnedDemand(replace(model, network=network), fitted.demand.history)


@pytest.mark.parametrize("date", [1, 30, DATE])
def test_parts_sum_to_the_difference_from_an_ordinary_period(fitted: Fitted, date: int) -> None:
    demand = stirred(fitted)
    found = attribute(demand, date, 2, 1)
    expected = demand.one_step(date, date + 1)[0][0, 2, 1]  # by member, at the logged price and promotion
    assert float(found.told) == pytest.approx(float(expected.exp().mean().log()), abs=1e-5)
    assert sum(found.parts.values()) == pytest.approx(found.told - found.ordinary, abs=1e-4)


def test_a_coming_period_is_explained_at_the_prices_that_are_asked_for(fitted: Fitted) -> None:
    demand, zero = fitted.demand, torch.zeros(1, dtype=torch.int64)
    price = demand.response.pivot.exp()
    cheap = price.clone()
    cheap[2, 1] *= 0.8
    usual, less = (attribute(demand, demand.periods, 2, 1, each) for each in (price, cheap))
    state = demand.reset(zero + demand.periods, NoiseKey(0, zero, zero, zero))
    assert np.exp(less.told) == pytest.approx(float(demand.expected(state, cheap)[0, 2, 1]), rel=1e-4)
    assert usual.parts["its own price"] == 0
    assert less.parts["its own price"] > 0.1  # log units, of a price a fifth lower
    assert less.parts["other items' prices"] == 0
    assert less.parts["its own past demand"] == pytest.approx(usual.parts["its own past demand"], abs=1e-5)


def test_what_is_read_of_others_is_said_to_be_theirs(fitted: Fitted) -> None:
    """Where another location sold more than it did, no part moves as much as that of the past elsewhere."""
    demand = stirred(fitted)
    history = demand.history
    units = history.demand.clone()
    units[DATE - 6 : DATE, 5] *= 3
    other = LearnedDemand(demand.model, replace(history, demand=units))
    before, after = (attribute(one, DATE, 2, 1) for one in (demand, other))
    moved = {name: float(abs(part - before.parts[name])) for name, part in after.parts.items()}
    assert max(moved, key=moved.__getitem__) == "other locations' past demand"
    assert moved["other locations' past demand"] > 0.01
    assert moved["its own price"] < 1e-6


def test_a_market_that_memory_cannot_hold_is_refused(fitted: Fitted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mercato.forecasters.tensors.machine_memory.available", lambda device: 1000)
    with pytest.raises(InputError, match="series of a market's gradients need about"):
        attribute(fitted.demand, DATE, 0, 0)


def test_a_product_is_shared_out_as_the_paper_has_it() -> None:
    """x²y from nought: ∫ 2t²xy·x dt = 2/3 of it to x, 1/3 to y."""
    inputs = {"x": torch.tensor([3.0]), "y": torch.tensor([5.0]), "unread": torch.ones(2)}
    found = integrated_gradients(lambda at: (at["x"] ** 2 * at["y"]).sum(1), inputs, at_once=5)
    assert found["x"].item() == pytest.approx(30)
    assert found["y"].item() == pytest.approx(15)
    assert found["unread"].tolist() == [0, 0]


def test_captum_finds_the_same() -> None:
    attr = pytest.importorskip("captum.attr")
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(6, 16), torch.nn.GELU(), torch.nn.Linear(16, 1))
    x = torch.randn(1, 6)
    ours = integrated_gradients(lambda at: network(at["x"])[:, 0], {"x": x[0]})["x"]
    theirs = attr.IntegratedGradients(network).attribute(x, n_steps=32)
    torch.testing.assert_close(ours, theirs[0].float(), rtol=1e-4, atol=1e-6)
