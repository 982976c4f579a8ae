"""The count regression behind elasticities and base demand, on rows whose truth is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from mercato.forecasters.mixed import Group, Rows, fit_mixed

ROWS, PERIODS, PLACES = 4000, 100, 12


def sales(seed: int, weeks: float = 0.0, stock: float = np.inf) -> tuple[Rows, torch.Tensor, torch.Tensor]:
    """Negative binomial demand, log μ = 2 − 1.5·x + week, before a shelf of about ``stock`` units."""
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 0.3, ROWS)
    period, place = rng.integers(0, PERIODS, ROWS), rng.integers(0, PLACES, ROWS)
    mean = np.exp(2 - 1.5 * x + rng.normal(0, weeks, PERIODS)[period])
    demand = rng.poisson(mean * rng.gamma(20, 1 / 20, ROWS))
    shelf = rng.poisson(stock, ROWS) if np.isfinite(stock) else np.full(ROWS, np.inf)
    units, out = np.minimum(demand, shelf), demand >= shelf
    rows = Rows(
        torch.tensor(units).double(), torch.tensor(out), torch.zeros(ROWS).double(), torch.tensor(period)
    )
    return rows, torch.tensor(x).double().unsqueeze(1), torch.tensor(place)


def groups(x: torch.Tensor, place: torch.Tensor, period: torch.Tensor | None = None) -> dict[str, Group]:
    parts = {
        "x": Group(x, 3.0),
        "level": Group(torch.ones_like(x), 3.0),
        "place": Group(place, 0.2, learned=True),
    }
    return parts if period is None else parts | {"week": Group(period, 0.2, learned=True)}


@pytest.mark.parametrize("stock", [np.inf, 9.0])
def test_coefficients_are_found_with_and_without_stock_outs(stock: float) -> None:
    rows, x, place = sales(0, stock=stock)
    fit = fit_mixed(rows, groups(x, place))
    error = float(fit.variance("x").sqrt())
    assert 0 < error < 0.1
    assert float(fit.mean("x")) == pytest.approx(-1.5, abs=4 * error)
    assert float(fit.mean("level")) == pytest.approx(2.0, abs=0.05)


def test_the_largest_factor_may_be_eliminated_or_written_out() -> None:
    rows, x, place = sales(1, weeks=0.2)
    lean = fit_mixed(rows, groups(x, place, rows.period))
    when = torch.nn.functional.one_hot(rows.period).double()
    parts = groups(x, place) | {"week": Group(when, 0.2, learned=True)}
    written = fit_mixed(rows, parts)
    torch.testing.assert_close(lean.mean("x"), written.mean("x"), atol=2e-3, rtol=0)
    torch.testing.assert_close(lean.variance("x"), written.variance("x"), rtol=0.05, atol=0)


def test_shared_weeks_widen_the_error_of_what_moves_with_the_week() -> None:
    rows, _, place = sales(2, weeks=0.5)
    by_week = torch.tensor(np.random.default_rng(3).normal(0, 0.3, PERIODS))[rows.period].unsqueeze(1)
    alone = fit_mixed(rows, groups(by_week, place)).variance("x").sqrt()
    shared = fit_mixed(rows, groups(by_week, place, rows.period)).variance("x").sqrt()
    assert float(shared) > 0.1  # a hundred weeks, not four thousand rows
    assert float(alone) > 0.05


def test_a_row_counted_twice_is_two_rows() -> None:
    rows, x, place = sales(4)
    half = slice(0, ROWS // 2)
    weight = torch.zeros(ROWS, dtype=torch.float64)
    weight[half] = 2.0
    weighted = fit_mixed(Rows(rows.units, rows.bound, rows.offset, rows.period, weight), groups(x, place))
    twice = torch.arange(ROWS // 2).repeat(2)
    doubled = Rows(rows.units[twice], rows.bound[twice], rows.offset[twice], rows.period[twice])
    torch.testing.assert_close(
        weighted.mean("x"), fit_mixed(doubled, groups(x[twice], place[twice])).mean("x"), atol=1e-3, rtol=0
    )


def test_belief_in_a_spread_gives_way_to_what_the_levels_show() -> None:
    """EM: (Σ second moments + trust · spread²) / (levels + trust), between the two, nearer the stronger."""
    rows, x, place = sales(4)
    apart = torch.tensor(np.random.default_rng(5).normal(0, 0.5, PLACES))
    rows = replace(rows, offset=apart[place])

    def spread(trust: float) -> float:
        parts = groups(x, place) | {"place": Group(place, 0.1, learned=True, trust=trust)}
        return fit_mixed(rows, parts).spreads["place"]

    shown = float(apart.std())
    assert spread(0.0) == pytest.approx(shown, rel=0.15)
    assert spread(1e6) == pytest.approx(0.1, rel=0.01)
    assert 0.1 < spread(PLACES) < spread(1.0) < spread(0.0)
