"""Cross-fitted ridge without dense dummies: the regression that has them, and what few rows borrow."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from mercato.forecasters.statistics.cross_fit import FOLDS, predict
from mercato.forecasters.statistics.mixed import BLOCK

PERIODS, PLACES = 60, 4


def panel(goods: int, width: int = 5, places: int = PLACES) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(4)
    features = torch.randn(PERIODS, places, goods, width, generator=generator)
    features = features * torch.tensor([1.0, 3.0, 0.2, 1.0, 1.0]) + torch.arange(goods).view(-1, 1)
    slopes = torch.tensor([[1.0, -0.5, 2.0, 0.0, 0.3], [0.2, 0.0, 0.0, 1.0, -1.0]])
    noise = 0.5 * torch.randn(PERIODS, places, goods, 2, generator=generator)
    own = torch.randn(places, goods, 2, generator=generator)
    rows = torch.rand(PERIODS, places, goods, generator=generator) < 0.9
    return features, features @ slopes.T + own + noise, rows


def dense(features: Tensor, targets: Tensor, rows: Tensor) -> Tensor:
    """Out-of-fold predictions (T, S, R) of one item by ridge with a dummy a series, the best of three."""
    periods, places, width = features.shape
    x = features.reshape(-1, width).double()
    x = x / x.std(0)
    x = torch.cat([x, torch.eye(places).repeat(periods, 1).double(), torch.ones(len(x), 1).double()], dim=1)
    y, seen = targets.reshape(len(x), -1).double(), rows.reshape(-1)
    fold = (torch.arange(periods) // BLOCK % FOLDS).repeat_interleave(places)
    penalty = torch.ones(x.shape[1], dtype=torch.float64)
    penalty[-1] = 1e-6
    found = []
    for strength in (3.0, 30.0, 300.0):
        out = torch.zeros_like(y)
        for k in range(FOLDS):
            fit, read = seen & (fold != k), fold == k
            gram = x[fit].T @ x[fit] + strength * penalty.diag()
            out[read] = x[read] @ torch.linalg.solve(gram, x[fit].T @ y[fit])
        found.append(out)
    errors = torch.stack([((out - y).square() * seen.unsqueeze(1)).sum(0) for out in found])
    best = errors.argmin(0)
    told = torch.stack(found)[best, :, torch.arange(y.shape[1])].T
    return told.view(periods, places, -1)


def test_it_is_the_ridge_regression_with_a_dummy_for_every_series() -> None:
    features, targets, rows = panel(goods=2)  # 216 rows an item, more than 20 a column
    told, inside = predict(features, targets, rows)
    for item in range(2):
        expected = dense(features[:, :, item], targets[:, :, item], rows[:, :, item])
        torch.testing.assert_close(told[:, :, item].double(), expected, atol=1e-4, rtol=1e-4)
    residual = (targets[..., 0] - told[..., 0])[rows].std()
    assert 0.9 < float((targets[..., 0] - inside)[rows].std() / residual) < 1.0


def test_an_item_with_few_rows_borrows_what_all_items_have_in_common() -> None:
    features, targets, rows = panel(goods=8)
    rows[6:, :, 0] = False  # 24 rows at most, one fold
    told, _ = predict(features, targets, rows)
    alone, _ = predict(features[:, :, :1], targets[:, :, :1], rows[:, :, :1])

    def error(out: Tensor) -> float:
        miss = targets[12:, :, 0] - out[12:, :, 0]
        return float((miss - miss.mean(0)).square().mean())  # a series' level nobody else can tell

    assert error(told) < 0.5 * error(alone)
    assert error(told) < 0.4


@pytest.mark.parametrize("rows_left", [0, 1, 3])
def test_hardly_any_rows_and_columns_that_never_move_give_numbers(rows_left: int) -> None:
    features, targets, rows = panel(goods=2)
    features[..., 2] = 0.0
    rows[rows_left:, :, 1] = False
    rows[:, 1:, 1] = False
    told, inside = predict(features, targets, rows)
    assert bool(told.isfinite().all())
    assert bool(inside.isfinite().all())
