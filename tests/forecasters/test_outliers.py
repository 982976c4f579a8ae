"""No single row decides what prices do: a row far from what was expected of it is brought nearer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from mercato.envs.structural import FAMILIES, ROLES, Size
from mercato.forecasters.features import History, build_history
from mercato.forecasters.fit import identify
from mercato.forecasters.identification import Elasticities
from mercato.forecasters.identification.outliers import tamed
from mercato.forecasters.panel import read_panel

USUAL = 100.0  # units that are expected of every row


def noisy(seed: int = 0) -> tuple[History, Tensor]:
    """Normal log demand of spread 0.2 around ``USUAL``, two items, and what was expected (T, S, I)."""
    rng = np.random.default_rng(seed)
    date, place, item = np.meshgrid(
        pd.date_range("2024-01-01", periods=100), ["north", "south"], ["tea", "milk"], indexing="ij"
    )
    units = USUAL * np.exp(0.2 * rng.normal(size=date.shape).clip(-3, 3))
    columns = {"date": date, "location": place, "item": item, "units": units.round()}
    table = pd.DataFrame({name: values.ravel() for name, values in columns.items()}).assign(price=2.0)
    history = build_history(read_panel(table))
    return history, torch.full_like(history.units, USUAL).log()


def told(history: History, expected: Tensor) -> Tensor:
    """(T, S, I) units, those far from ``expected`` brought nearer."""
    missed = (history.units + 0.5).log() - expected
    return tamed(history, missed, expected, history.known).units


def test_ordinary_rows_stay_bit_for_bit() -> None:
    history, expected = noisy()
    assert torch.equal(told(history, expected), history.units)


@pytest.mark.parametrize("times", [30.0, 0.0])
def test_one_row_is_brought_to_where_ordinary_rows_end(times: float) -> None:
    """Four standard deviations of normal noise of spread 0.2 and a Poisson count's 0.1."""
    history, expected = noisy()
    wrong = history.units.clone()
    wrong[50, 1, 0] *= times
    units = told(replace(history, units=wrong), expected)
    bound = 4 * np.hypot(0.2, USUAL**-0.5)
    assert abs(float(units[50, 1, 0].log()) - np.log(USUAL)) == pytest.approx(bound, rel=0.2)
    units[50, 1, 0] = history.units[50, 1, 0]
    assert torch.equal(units, history.units)


def test_what_was_expected_stays_however_large() -> None:
    history, expected = noisy()
    history.units[20:24] *= 30  # a promotion, of which the item's lift is known
    expected[20:24] += np.log(30)
    assert torch.equal(told(history, expected), history.units)


def test_sales_that_are_a_bound_are_never_too_few() -> None:
    history, expected = noisy()
    units, censored = history.units.clone(), history.censored.clone()
    units[50, 1, 0], censored[50, 1, 0] = 0.0, 1.0
    history = replace(history, units=units, censored=censored)
    assert torch.equal(told(history, expected), units)


def identified(frame: pd.DataFrame) -> Elasticities:
    panel = read_panel(frame, roles=ROLES)
    return identify(panel, build_history(panel))[2]


def test_thirty_times_a_row_hardly_moves_an_elasticity() -> None:
    """Of no other item by half a standard error, of its own by one; where the form is clear."""
    frame, _ = FAMILIES["nested-logit"].make(101, Size(6, 4, 80))
    whole = identified(frame)
    ordinary = frame.index[(frame["censored"] == 0) & (frame["units"] == frame["units"].median().round())]
    row = ordinary[len(ordinary) // 2]
    wrong = frame.copy()
    wrong.loc[row, "units"] *= 30
    moved = ((identified(wrong).own - whole.own) / whole.own_error).abs().amax(0)
    items = sorted(frame["item"].unique())
    own = items.index(frame.loc[row, "item"])
    others = torch.arange(len(items)) != own
    assert float(moved[others].max()) < 0.5
    assert float(moved[own]) < 1.0
