"""The mixture of sources: chances that sum to 1, weights that are found again, better than one alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mercato.forecasters.customers.baskets import catalogue
from mercato.forecasters.customers.mixture import (
    SOURCES,
    Answers,
    Asked,
    Mixture,
    Tilt,
    answers,
    asked,
    fit_mixture,
    log_share,
)

from .shop import CATEGORY, ITEMS, shop


def lesson(stop: int, faithful: float = 0.5) -> tuple[Asked, Answers]:
    log = shop(250, faithful=faithful)
    queries = log.known(stop)
    of = asked(log, queries, catalogue(log, stop, CATEGORY))
    return of, answers(log, queries, 40, of)


@pytest.fixture(scope="module")
def lessons() -> list[tuple[Asked, Answers]]:
    return [lesson(60), lesson(80)]


def test_chances_sum_to_one_and_agree_with_the_likelihood(lessons: list[tuple[Asked, Answers]]) -> None:
    of, told = lessons[0]
    model = Mixture([60, 80])
    with torch.no_grad():
        model.gates.normal_()
        model.again.normal_()
        model.trend.normal_(std=0.1)
    vectors = torch.randn(ITEMS, 3)
    for tilt in (
        None,
        Tilt(torch.randn(len(of), len(SOURCES)), torch.randn(len(of.row)), torch.randn(len(of), 3), vectors),
    ):
        table = model.chances(of, tilt)
        assert table.sum(1) == pytest.approx(1, abs=1e-5)
        said = model.likelihood(of, told, tilt).exp().detach().numpy()
        assert table[told.row.numpy(), told.item.numpy()] == pytest.approx(said, rel=1e-4)


def test_no_tilt_and_a_tilt_of_nothing_are_the_same(lessons: list[tuple[Asked, Answers]]) -> None:
    of, told = lessons[0]
    none = Tilt(
        torch.zeros(len(of), len(SOURCES)),
        torch.zeros(len(of.row)),
        torch.zeros(len(of), 3),
        torch.randn(ITEMS, 3),
    )
    assert torch.allclose(Mixture().likelihood(of, told), Mixture().likelihood(of, told, none), atol=1e-5)


def test_a_fitted_mixture_beats_every_source_on_baskets_it_has_not_seen(
    lessons: list[tuple[Asked, Answers]],
) -> None:
    of, told = lessons[1]
    found = fit_mixture(lessons[:1])
    with torch.no_grad():
        loss = -(told.weight * found.likelihood(of, told)).sum()
        for source in range(len(SOURCES)):
            alone = Mixture()
            alone.gates[0] = -9.0
            alone.gates[0, source] = 9.0
            assert loss < -(told.weight * alone.likelihood(of, told)).sum()


def test_faithful_customers_are_found_to_be() -> None:
    share = {}
    for faithful in (0.1, 0.9):
        of, told = lesson(60, faithful)
        with torch.no_grad():
            share[faithful] = float(fit_mixture([(of, told)])(of)[0][:, 0].mean())
    assert share[0.1] < 0.4 < 0.6 < share[0.9]


def test_shares_of_a_row_sum_to_one_whatever_their_size() -> None:
    logits, row = torch.tensor([1e4, 1e4 - 1, -1e4, 3.0]), torch.tensor([0, 0, 2, 2])
    share = log_share(logits, row, 3).exp()
    assert np.bincount(row.numpy(), share.numpy(), 3) == pytest.approx([1, 0, 1])
