"""Cross-fitted ridge regressions of many items on one calendar, linear in rows.

Each item has its own coefficients and each of its series an intercept; whole blocks of periods are predicted
from the others. All that a fit needs of the rows are sums, gathered once: products of columns by fold, and
sums of columns by series, out of which the intercepts are eliminated (Schur complement). An item with many
rows a column is predicted by itself; the fewer it has, the more its coefficients are drawn to those that all
items have in common.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..tensors import side_by_side
from .mixed import BLOCK

FOLDS = 5
_RIDGE = (
    3.0,
    30.0,
    300.0,
    3000.0,
)  # rows' worth of prior; chosen out of fold by item and target
_AMPLE = 20  # rows a column from which on an item stands by itself
_POOLED = 30.0  # rows' worth of prior, at zero, of the coefficients in common
_LEAST = 1e-3  # of a column's usual deviation, that it counts as having in an item where it hardly moves


@dataclass(frozen=True)
class _Sums:
    """What an item's rows amount to, by fold of periods (K first)."""

    gram: Tensor  # (K, P, P) of the columns, the last of which is 1
    moment: Tensor  # (K, P, R) columns times targets
    column: Tensor  # (K, S, P) by series
    target: Tensor  # (K, S, R) by series

    def without_own(self) -> _Sums:
        """Of all folds but each."""
        return _Sums(*(x.sum(0) - x for x in (self.gram, self.moment, self.column, self.target)))

    def eliminated(self, strength: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Gram and moments with the series' intercepts eliminated, and 1/(rows + strength) (…, K, S).

        ``strength`` (C,) is the prior of an intercept, in rows; candidates come first, (C, K, …).
        """
        weight = 1 / (self.column[..., -1] + strength.view(-1, 1, 1))  # (C, K, S)
        scaled = weight.unsqueeze(-1) * self.column
        gram = self.gram - scaled.transpose(-1, -2) @ self.column
        return gram, self.moment - scaled.transpose(-1, -2) @ self.target, weight


def predict(features: Tensor, targets: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Predictions of targets (T, S, I, R) from features (T, S, I, F) fitted on ``rows`` (T, S, I) bool.

    Returns:
        (T, S, I, R) out of fold, and (T, S, I) of the first target in fold, mean of the fits that saw it.
    """
    periods, _, goods, width = features.shape
    fold = torch.arange(periods, device=rows.device) // BLOCK % FOLDS
    usual = torch.stack([features[..., f].std() for f in range(width)]).double().clamp(min=1e-6)
    sums = side_by_side(
        lambda i: _sums(*_item(features, targets, rows, i), fold), goods, rows[:, :, 0].numel()
    )
    common = _common([one.without_own() for one in sums], usual)
    out, inside = torch.empty_like(targets), torch.empty_like(targets[..., 0])

    def one(item: int) -> None:
        x, y, seen = _item(features, targets, rows, item)
        spread = torch.maximum(x[..., :-1].flatten(0, 1).std(0), _LEAST * usual)
        slopes, own = _fits(sums[item].without_own(), common, spread, _drawn(int(seen.sum()), width))
        out[:, :, item], inside[:, :, item] = _read(x, y, seen, fold, slopes, own)

    side_by_side(one, goods, rows[:, :, 0].numel())
    return out, inside


def _item(features: Tensor, targets: Tensor, rows: Tensor, item: int) -> tuple[Tensor, Tensor, Tensor]:
    """Columns (T, S, P) with a last one of ones, targets (T, S, R), float64, and which rows count (T, S)."""
    x = features[:, :, item].double()
    return torch.cat([x, torch.ones_like(x[..., :1])], dim=-1), targets[:, :, item].double(), rows[:, :, item]


def _sums(x: Tensor, y: Tensor, seen: Tensor, fold: Tensor) -> _Sums:
    x, y = x * seen.unsqueeze(-1), y * seen.unsqueeze(-1)
    parts = []
    for k in range(FOLDS):
        some, want = x[fold == k], y[fold == k]
        flat, aim = some.flatten(0, 1), want.flatten(0, 1)
        parts.append((flat.T @ flat, flat.T @ aim, some.sum(0), want.sum(0)))
    return _Sums(*(torch.stack(part) for part in zip(*parts, strict=True)))


def _common(sums: list[_Sums], usual: Tensor) -> Tensor:
    """(K, F, R) coefficients that all items have in common, each item with intercepts of its own."""
    gram, moment = torch.zeros(()), torch.zeros(())
    for one in sums:
        a, b, _ = one.eliminated(usual.new_tensor([_POOLED]))
        a, b = a[0], b[0]  # the item's own level, the last column, is eliminated, too
        last = a[:, -1:, :-1] / a[:, -1:, -1:].clamp(min=1e-6)
        gram = gram + (a[:, :-1, :-1] - last.transpose(-1, -2) @ a[:, -1:, :-1])
        moment = moment + (b[:, :-1] - last.transpose(-1, -2) @ b[:, -1:])
    return torch.linalg.solve(gram + _POOLED * usual.square().diag(), moment)


def _drawn(rows: int, width: int) -> float:
    """Rows' worth of prior that coefficients are those in common: none of many rows, all without any."""
    lacking = min(0.999, max(0.0, 1 - rows / (_AMPLE * width)))
    return 4 * _AMPLE * width * lacking**2 / (1 - lacking)


def _fits(sums: _Sums, common: Tensor, spread: Tensor, drawn: float) -> tuple[Tensor, Tensor]:
    """Slopes (C, K, P, R) and series' intercepts (C, K, S, R) of each candidate, fitted without each fold."""
    strength = spread.new_tensor(_RIDGE)
    gram, moment, weight = sums.eliminated(strength)
    scale = torch.cat([spread.square(), spread.new_zeros(1)])  # the last column is the item's level
    towards = drawn * scale.unsqueeze(1) * torch.cat([common, torch.zeros_like(common[:, :1])], dim=1)
    prior = (strength.unsqueeze(1) + drawn) * scale + 1e-6 * (scale == 0)
    slopes = torch.linalg.solve(gram + torch.diag_embed(prior).unsqueeze(1), moment + towards)
    return slopes, weight.unsqueeze(-1) * (sums.target - sums.column @ slopes)


def _read(
    x: Tensor, y: Tensor, seen: Tensor, fold: Tensor, slopes: Tensor, own: Tensor
) -> tuple[Tensor, Tensor]:
    """Predictions (T, S, R) out of fold, each target with its best candidate; (T, S) the first's in fold."""
    out = y.new_empty(len(_RIDGE), *y.shape)
    for k in range(FOLDS):
        out[:, fold == k] = x[fold == k] @ slopes[:, k].unsqueeze(1) + own[:, k].unsqueeze(1)
    error = ((out - y).square() * seen.unsqueeze(-1)).sum((1, 2))  # (C, R)
    best = error.argmin(0)
    told = out.gather(0, best.view(1, 1, 1, -1).expand(1, *y.shape))[0]
    first = int(best[0])
    all_fits = torch.stack([x @ slopes[first, k, :, 0] + own[first, k, :, 0] for k in range(FOLDS)])
    own_fit = all_fits.gather(0, fold.view(1, -1, 1).expand(1, *seen.shape))[0]
    return told, (all_fits.sum(0) - own_fit) / (FOLDS - 1)
