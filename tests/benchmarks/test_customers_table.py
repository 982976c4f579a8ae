"""The customers' table: its figures against their definitions."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.customers import PARTS, measure, table
from benchmarks.shoppers.part import area, area_gain, better, recalled
from benchmarks.shoppers.ta_feng import _from_the_end, _usual
from benchmarks.tables.piece import Found, Plan
from mercato.forecasters.customers.purchases import Purchases


def test_the_area_is_the_share_of_pairs_in_order() -> None:
    rng = np.random.default_rng(0)
    score, came = rng.integers(0, 5, 60).astype(float), rng.random(60) < 0.4
    one, none = score[came][:, None], score[~came][None]
    assert area(score, came) == pytest.approx(((one > none) + 0.5 * (one == none)).mean())


def test_a_gain_in_area_is_the_difference_of_areas_with_an_error() -> None:
    rng = np.random.default_rng(1)
    came = rng.random(800) < 0.5
    good, poor = came + rng.normal(size=800), came + 3 * rng.normal(size=800)
    gain, error = area_gain(good, poor, came)
    assert gain == pytest.approx(area(good, came) - area(poor, came))
    assert 0.005 < error < gain / 2
    assert area_gain(good, good, came) == (0.0, 0.0)


def test_recall_counts_what_is_in_the_basket_and_skips_who_has_none() -> None:
    found = np.array([[3, 1], [0, 2], [5, 4]])
    recall = recalled(found, np.array([0, 0, 2]), np.array([1, 2, 0]), 6)
    assert recall.tolist()[::2] == [0.5, 0.0]
    assert np.isnan(recall[1])


def test_a_tie_is_not_a_win() -> None:
    assert better("x", 0.80, 0.75, 0.05, 0.01).reached
    assert not better("x", 0.80, 0.75, 0.05, 0.04).reached
    assert "a tie" in better("x", 0.80, 0.75, 0.05, 0.04).value
    assert better("x", 1.0, 2.0, 1.0, 0.1, least=False).reached


def test_leaving_the_last_out_counts_baskets_from_the_end() -> None:
    rows = np.array([(0, 1, 0), (0, 1, 1), (0, 3, 0), (0, 8, 0), (2, 5, 1), (2, 6, 1)]).T
    log = Purchases(3, 2, np.datetime64("2024-01-01"), *rows, np.ones(6), np.ones(6), np.full(6, -1))
    assert _from_the_end(log).tolist() == [2, 2, 1, 0, -1, -1]


def test_the_usual_protocol_keeps_who_came_often_and_what_sold_often() -> None:
    rows = [(c, 10 * d, 0) for c in range(12) for d in range(5)] + [(12, d, 0) for d in range(4)]
    rows += [(0, 50, 1)]  # one line of item 1
    ones = np.ones(65)
    log = Purchases(13, 2, np.datetime64("2024-01-01"), *np.array(rows).T, ones, ones, -ones)
    kept = _usual(log)
    assert sorted(set(kept.customer)) == list(range(12))
    assert set(kept.item) == {0}


def test_a_part_is_a_row_a_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    figure = better("AUC", 0.8, 0.75, 0.05, 0.01)
    monkeypatch.setattr("benchmarks.shoppers.cdnow.weeks_ahead", lambda plan: Found([figure]))
    name = next(part for part in PARTS if "CDNOW" in part)
    shown = table({name: measure(name, Plan(True, None))})  # type: ignore[arg-type]
    assert shown.splitlines()[2].startswith(
        f"| {name} | AUC | 0.8000 (gain +0.0500 ± 0.0196) | > 0.75 | yes |"
    )
