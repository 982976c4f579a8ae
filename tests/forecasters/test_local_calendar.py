"""A calendar for each place: found where places have one of their own, silent where they have not."""

from __future__ import annotations

import numpy as np
import torch

from mercato.forecasters.features.local_calendar import (
    local_calendar,
    local_news,
)

WEEKS, PLACES, GOODS, YEAR = 156, 6, 5, 52
WHEN = torch.arange(WEEKS) % YEAR / YEAR


def table(seed: int, holiday: float, harmonic: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Noise, in half of the places with a season and one holiday week a year; (T, S, I) and what is true."""
    rng = np.random.default_rng(seed)
    week = np.arange(WEEKS)
    own = harmonic * np.sin(2 * np.pi * week / YEAR) + holiday * (week % YEAR == 20)
    true = np.zeros((WEEKS, PLACES))
    true[:, ::2] = own[:, None]
    noise = 0.2 * rng.normal(size=(WEEKS, PLACES, GOODS))
    return torch.from_numpy(true[..., None] + noise).float(), torch.from_numpy(true)


def told(values: torch.Tensor) -> torch.Tensor:
    """(T, S) the two columns together."""
    rows = torch.ones(values.shape, dtype=torch.bool)
    found = local_calendar(values, rows, WHEN, YEAR)
    assert found.shape == (WEEKS, PLACES, 2)
    return found.sum(-1)


def test_a_holiday_and_a_season_of_some_places_are_found_in_years_that_were_not_looked_at() -> None:
    values, true = table(0, holiday=1.0, harmonic=0.5)
    found = told(values)
    apart = true - true.mean(1, keepdim=True)
    assert np.corrcoef(found.flatten(), apart.flatten())[0, 1] > 0.9
    holiday = torch.arange(WEEKS) % YEAR == 20
    assert (found[holiday][:, ::2] - found[~holiday][:, ::2].mean(0)).mean() > 0.5


def test_a_chain_with_one_calendar_is_told_next_to_nothing() -> None:
    values, _ = table(1, holiday=0.0, harmonic=0.0)
    assert told(values).std() < 0.06  # of which the noise of a place is 0.09


def test_what_was_not_seen_takes_no_part() -> None:
    values, _ = table(2, holiday=1.0, harmonic=0.5)
    rows = torch.ones(values.shape, dtype=torch.bool)
    rows[:, 1, 2:] = False
    spoilt = torch.where(rows, values, torch.nan)
    torch.testing.assert_close(
        local_calendar(spoilt, rows, WHEN, YEAR),
        local_calendar(torch.where(rows, values, 99.0), rows, WHEN, YEAR),
    )


def test_what_other_categories_sell_tells_of_a_fair_that_never_comes_back() -> None:
    values, _ = table(3, holiday=0.0, harmonic=0.0)
    fair = torch.zeros(WEEKS, PLACES)
    fair[30, :3] = fair[77, :3] = 1.0
    categories = torch.tensor([0, 0, 1, 1, 2])
    rows = torch.ones(values.shape, dtype=torch.bool)
    news = local_news(values + fair.unsqueeze(-1), rows, categories)
    assert news.shape == (*values.shape, 2)
    there = fair.bool()
    assert news[there].mean() > 0.7
    assert news[~there].abs().mean() < 0.1


def test_an_item_of_the_same_category_tells_nothing() -> None:
    values, _ = table(4, holiday=1.0, harmonic=0.5)
    categories = torch.tensor([0, 0, 1, 1, 2])
    rows = torch.ones(values.shape, dtype=torch.bool)
    cheap = values.clone()
    cheap[50, 0, 0] += 3.0
    news, then = (local_news(x, rows, categories) for x in (values, cheap))
    own, others = then[50, 0, :2, 0] - news[50, 0, :2, 0], then[50, 0, 2:, 0] - news[50, 0, 2:, 0]
    assert own.abs().max() == 0 < others.abs().min()
    assert (
        local_news(values, rows, torch.zeros(GOODS).long()) == 0
    ).all()  # of one category, nothing is told
