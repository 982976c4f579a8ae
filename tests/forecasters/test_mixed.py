"""The count regression behind elasticities and base demand, on rows whose truth is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from dense_mixed import fit_dense

from mercato.forecasters.statistics.mixed import Group, Rows, fit_mixed

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


def panel(places: int, periods: int, stays: float) -> tuple[Rows, dict[str, Group]]:
    """An item as the second stage sees it: a tenth of its cells unknown, a twentieth a lower bound.

    ``stays`` is the share of periods in which a price is decided; 0 where it always is.
    """
    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    period, place = (torch.rand(periods, places, generator=generator) > 0.1).nonzero(as_tuple=True)
    own, others = 0.2 * normal(len(period), 1), 0.2 * normal(len(period), 4)
    slope, level, week = -2 + 0.3 * normal(places), 2 + 0.3 * normal(places), 0.2 * normal(periods)
    mean = (slope[place] * own[:, 0] + level[place] + week[period] + 0.1 * others.sum(1)).exp()
    bound = torch.rand(len(period), generator=generator) < 0.05
    weight = 2 * torch.rand(len(period), generator=generator).double()
    rows = Rows(torch.poisson(mean, generator=generator), bound, 0 * mean, period, weight, periods + 9)
    one = torch.ones_like(own)
    parts = {
        "own": Group(own, 1.5, -2.0),
        "places": Group(own, 0.3, learned=True, trust=2.0, by=place),
        "rivals": Group(others.sum(1, keepdim=True), 0.3),
        "each": Group(others, 0.2, learned=True),
        "level": Group(one, 3.0),
        "levels": Group(one, 0.3, by=place),
        "shocks": Group(period, 0.2, learned=True),
    }
    if stays:
        decided = torch.rand(periods, places, generator=generator) < stays
        spell = decided.cumsum(0) + periods * torch.arange(places)
        index = spell[period, place].unique(return_inverse=True)[1]
        parts["spells"] = Group(index, 0.2, learned=True)
    return rows, parts


@pytest.mark.parametrize(
    ("places", "periods", "stays"),
    [(6, 60, 0.0), (40, 30, 0.0), (20, 30, 0.2), (6, 60, 0.3), (3, 60, 0.1), (20, 50, 0.02)],
)
def test_what_is_eliminated_is_as_if_it_were_written_out(places: int, periods: int, stays: float) -> None:
    """Periods, locations, or price spells and then locations, whichever leaves least behind."""
    rows, parts = panel(places, periods, stays)
    found, dense = fit_mixed(rows, parts), fit_dense(rows, parts)
    close = torch.testing.assert_close
    assert float(found.log_r) == pytest.approx(dense.log_r, abs=1e-8)
    for name in parts:
        close(found.mean(name), dense.mean(name), atol=1e-8, rtol=0)
        assert found.spreads[name] == pytest.approx(dense.spreads[name], rel=1e-8)
    for name in ("own", "rivals", "each", "places", "levels"):
        close(found.variance(name), dense.cov(name, name).diag(), atol=1e-9, rtol=1e-7)
        close(found.cov("own", name), dense.cov("own", name), atol=1e-9, rtol=1e-7)
    places_found, together = found.slopes["places"], dense.parts["places"]
    close(places_found.mean_variance, dense.cov("places", "places").mean(), atol=1e-10, rtol=1e-7)
    close(places_found.influence, dense.influence[:, together].mean(1), atol=1e-10, rtol=1e-7)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_few_rows_or_none_leave_what_was_believed(count: int) -> None:
    """Also of a column that is always 0."""
    units, period = torch.arange(count).double(), torch.arange(count)
    column = torch.stack([0.1 * units, 0 * units], dim=1)
    rows = Rows(units, units < 0, torch.zeros_like(units), period, periods=20)
    parts = {
        "x": Group(column, 1.5, -2.0),
        "place": Group(column[:, :1], 0.3, learned=True, by=torch.zeros_like(period)),
        "level": Group(torch.ones_like(column[:, :1]), 3.0),
        "week": Group(period, 0.2, learned=True),
    }
    fit = fit_mixed(rows, parts)
    assert float(fit.mean("x")[1]) == -2.0
    assert float(fit.variance("x")[1]) == pytest.approx(1.5**2)
    assert all(bool(fit.mean(name).isfinite().all()) for name in parts)
    assert bool(fit.covariance.isfinite().all())
    assert bool(fit.slopes["place"].mean_variance.isfinite())


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
