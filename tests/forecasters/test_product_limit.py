"""Demand behind empty shelves: the product limit against a textbook, heavy and ordinary tails."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from mercato.forecasters.statistics.distributions import nb_mean_above, nb_sample
from mercato.forecasters.statistics.product_limit import mean_beyond, product_limit, uncensored
from mercato.forecasters.statistics.stock_outs import StockOuts

SHAPE, MEAN, LOG_R = (400, 10, 2), 80.0, 2.3


def survival(values: list[float], censored: list[bool]) -> list[float]:
    _, mass = product_limit(torch.tensor(values), torch.tensor(censored))
    return (1 - mass.cumsum(0)).tolist()


def test_the_product_limit_of_the_6_mp_remission_times() -> None:
    """Freireich et al. 1963, the example of Kaplan-Meier in every textbook: S(10) = 0.753, S(23) = 0.448."""
    ends = [6, 6, 6, 7, 10, 13, 16, 22, 23]
    lost = [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35]
    values = torch.tensor([*ends, *lost], dtype=torch.float32)
    censored = torch.tensor([False] * len(ends) + [True] * len(lost))
    order, mass = product_limit(values, censored)
    left = {t: 1 - float(mass[values[order] <= t].sum()) for t in (6, 7, 10, 13, 16, 22, 23)}
    golden = {6: 0.857, 7: 0.807, 10: 0.753, 13: 0.690, 16: 0.627, 22: 0.538, 23: 0.448}
    assert left == pytest.approx(golden, abs=6e-4)


def test_without_stock_outs_every_value_has_the_same_mass_and_the_mean_beyond_is_a_plain_mean() -> None:
    values, sure = torch.tensor([3.0, 1.0, 2.0, 2.0]), torch.zeros(4, dtype=torch.bool)
    assert survival(values.tolist(), sure.tolist()) == pytest.approx([0.75, 0.5, 0.25, 0.0])
    assert mean_beyond(values, sure)[1] == pytest.approx(2.0)


def behind_shelves(demand: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Demand censored by shelves planned with error, and what the product says was wanted."""
    generator = torch.Generator().manual_seed(5)
    shelf = (MEAN * 1.4 * (0.4 * torch.randn(SHAPE, generator=generator)).exp()).floor()
    out = (demand > shelf).float()
    mean = torch.full((*SHAPE, 1), MEAN).log()
    log_r = torch.full((*SHAPE, 1), LOG_R)
    sales, known = torch.minimum(demand, shelf), torch.ones(SHAPE, dtype=torch.bool)
    return sales, out, uncensored(sales, StockOuts.of(out), known, mean, log_r, torch.ones(SHAPE[-1]))


def test_a_tail_heavier_than_the_count_distributions_is_seen_between_the_shelves() -> None:
    generator = torch.Generator().manual_seed(6)
    normal = torch.randn(SHAPE, generator=generator)
    wide = torch.rand(SHAPE, generator=generator) < 0.15
    spread = torch.where(wide, 1.2, 0.3)
    demand = (MEAN * (spread * normal - spread.square() / 2).exp()).round()
    sales, out, told = behind_shelves(demand)
    assert 0.1 < float(out.mean()) < 0.25
    ordinary = nb_mean_above(sales, torch.tensor(MEAN).log(), torch.tensor(LOG_R))
    by_counts = torch.where(out > 0, ordinary, sales)
    short = 1 - float(by_counts.mean() / demand.mean())
    assert short > 0.04
    assert (
        abs(1 - float(told.mean() / demand.mean())) < 0.65 * short
    )  # nothing shows beyond the fullest shelf


def test_an_ordinary_tail_is_left_to_the_count_distribution() -> None:
    generator = torch.Generator().manual_seed(7)
    normal, uniform = torch.randn(SHAPE, generator=generator), torch.rand(SHAPE, generator=generator)
    demand = nb_sample(normal, uniform, torch.full(SHAPE, MEAN).log(), torch.full(SHAPE, LOG_R))
    sales, out, told = behind_shelves(demand)
    expected = nb_mean_above(sales, torch.tensor(MEAN).log(), torch.tensor(LOG_R))
    torch.testing.assert_close(told, torch.where(out > 0, expected, sales))
    assert abs(float(told.mean() / demand.mean()) - 1) < 0.01
