"""The mixture of sources: chances that sum to 1, weights that are found again, better than any source alone."""

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
    answers,
    asked,
    chances,
    fit_mixture,
    log_share,
)

from .shop import CATEGORY, shop


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
    model = Mixture()
    with torch.no_grad():
        model.gates.normal_()
        model.again.normal_()
    table = chances(model, of, slice(5, 50))
    assert table.sum(1) == pytest.approx(1, abs=1e-5)
    here = (told.row >= 5) & (told.row < 50)
    said = model.likelihood(of, told)[here].exp().detach().numpy()
    assert table[told.row[here].numpy() - 5, told.item[here].numpy()] == pytest.approx(said, rel=1e-4)


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
            share[faithful] = float(fit_mixture([(of, told)]).weights(of).softmax(1)[:, 0].mean())
    assert share[0.1] < 0.4 < 0.6 < share[0.9]


def test_shares_of_a_row_sum_to_one_whatever_their_size() -> None:
    logits, row = torch.tensor([1e4, 1e4 - 1, -1e4, 3.0]), torch.tensor([0, 0, 2, 2])
    share = log_share(logits, row, 3).exp()
    assert np.bincount(row.numpy(), share.numpy(), 3) == pytest.approx([1, 0, 1])
