"""Eliminating locations, spells and periods gives what the dense system gives."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from mercato.forecasters.statistics.schur import Family, Layout, Parts, System


def rows(places: int, periods: int, spell: int) -> tuple[Tensor, list[Family]]:
    """Columns (N, 3), and families of locations (two coefficients each), periods and spells."""
    generator = torch.Generator().manual_seed(places)
    period = torch.arange(periods).repeat_interleave(places)
    place = torch.arange(places).repeat(periods)
    count = len(period)
    ones = torch.ones(count, 1, dtype=torch.float64)
    slope = torch.randn(count, 1, dtype=torch.float64, generator=generator)
    families = [
        Family(place, places, torch.cat([slope, ones], 1), ("slopes", "levels")),
        Family(period, periods, ones, ("shocks",)),
    ]
    if spell:
        index = (place * periods + period // spell).unique(return_inverse=True)[1]
        families.append(Family(index, int(index.max()) + 1, ones, ("spells",)))
    return torch.randn(count, 3, dtype=torch.float64, generator=generator), families


def written_out(layout: Layout) -> Tensor:
    """(N, P) every column of every coefficient: dense, core families, outer, inner."""
    blocks = [layout.dense]
    for family in (*layout.core, layout.outer, *([] if layout.inner is None else [layout.inner])):
        hot = torch.nn.functional.one_hot(family.index, family.levels).double()
        blocks.append((hot.unsqueeze(2) * family.columns.unsqueeze(1)).flatten(1))
    return torch.cat(blocks, 1)


def flat(parts: Parts) -> Tensor:
    return torch.cat([parts.core, parts.outer.flatten(0, 1), parts.inner])


@pytest.mark.parametrize("spell", [0, 4])
@pytest.mark.parametrize(("places", "periods"), [(3, 30), (20, 8)])
def test_solutions_variances_and_sandwich_are_the_dense_ones(places: int, periods: int, spell: int) -> None:
    dense, families = rows(places, periods, spell)
    layout = Layout.of(dense, families)
    assert layout.width() <= 3 + (periods if spell else min(2 * places, periods))
    x, weight = written_out(layout), torch.rand(len(dense), dtype=torch.float64) + 0.5
    prior = flat(layout.zeros()) + torch.linspace(1.0, 9.0, x.shape[1], dtype=torch.float64).unsqueeze(1)
    split = layout.width() + layout.outer.size
    precision = Parts(
        prior[: layout.width()],
        prior[layout.width() : split].view(layout.outer.levels, -1, 1),
        prior[split:],
    )
    system = System.of(layout, weight, precision)
    inverse = torch.linalg.inv(x.T @ (weight.unsqueeze(1) * x) + prior[:, 0].diag())
    score = torch.randn(len(dense), dtype=torch.float64)
    torch.testing.assert_close(flat(layout.moments(score))[:, 0], x.T @ score)
    solved = flat(system.solve(layout.moments(score)))[:, 0]
    torch.testing.assert_close(solved, inverse @ (x.T @ score))
    torch.testing.assert_close(flat(system.variances())[:, 0], inverse.diag())
    sandwich = (inverse @ prior[:, 0].diag() @ inverse).diag()[layout.width() : split]
    torch.testing.assert_close(system.outer_sandwich(precision).flatten(), sandwich)
    fitted = layout.predicted(system.solve(layout.moments(score)))
    torch.testing.assert_close(fitted, x @ inverse @ (x.T @ score))


def test_sums_by_block_are_those_of_the_blocks() -> None:
    dense, families = rows(4, 12, 3)
    layout = Layout.of(dense, families)
    block, score = families[1].index // 6, torch.randn(len(dense), dtype=torch.float64)
    told = flat(layout.moments_by(block, 2, score))
    x = written_out(layout)
    expected = torch.stack([x.T @ (score * (block == k)) for k in range(2)], 1)
    torch.testing.assert_close(told, expected)
