"""Alarms on made-up surprises: what moved is named, dated and sized."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from mercato.forecasters.drift import Surprises, alarms, column_alarms
from mercato.forecasters.panel import SalesPanel, read_panel

PERIODS, PLACES, GOODS, REFERENCE = 130, 12, 4, 104
DATES = np.datetime64("2023-01-02") + 7 * np.arange(PERIODS)
LOCATIONS, ITEMS = tuple("abcdefghijkl"), ("jam", "tea", "milk", "rice")
SPREAD = 0.4
BREAK = 115


def surprises(seed: int = 3, level: np.ndarray | float = 0.0, elasticity: float = 0.0) -> Surprises:
    """Calibrated surprises with a shock a period; from ``BREAK`` on the log level and the elasticity move."""
    rng = np.random.default_rng(seed)
    move = 0.12 * rng.standard_normal((PERIODS, PLACES, GOODS))
    score = 0.15 * rng.standard_normal((PERIODS, 1, 1)) + rng.standard_normal((PERIODS, PLACES, GOODS))
    more = (level + elasticity * move) * (np.arange(PERIODS) >= BREAK)[:, None, None]
    units = 50 * np.exp(SPREAD * score + more)
    return Surprises(
        first=0,
        score=score + more / SPREAD,
        spread=np.full((PERIODS, PLACES, GOODS), SPREAD),
        move=move,
        units=units,
        expected=np.full((PERIODS, PLACES, GOODS), 50 * np.exp(SPREAD**2 / 2)),
        elasticity=np.full(GOODS, -2.5),
        doubt=np.full(GOODS, 0.1),
        year=52,
    )


def found(s: Surprises) -> list:  # type: ignore[type-arg]
    return alarms(s, REFERENCE, DATES, LOCATIONS, ITEMS)


def test_years_without_a_break_have_few_alarms() -> None:
    count = sum(len(found(surprises(seed))) for seed in range(30))
    assert count <= 15  # of 15 years


def test_a_level_that_breaks_everywhere_is_of_the_chain() -> None:
    first = found(surprises(level=-0.4))[0]
    assert (first.test, first.where, first.asks) == ("level", "the chain", "settle")
    assert first.since == str(DATES[BREAK])
    assert first.date <= str(DATES[BREAK + 1])
    assert first.size == pytest.approx(np.exp(-0.4) - 1, abs=0.1)


@pytest.mark.parametrize(("axis", "where"), [(1, "location c"), (2, "item milk")])
def test_a_level_that_breaks_in_one_place_is_named_beyond_the_chain(axis: int, where: str) -> None:
    level = np.zeros((1, PLACES, GOODS))
    level[(slice(None),) * axis + (2,)] = 0.8
    alarm = next(a for a in found(surprises(level=level)) if a.where == where)
    assert alarm.test == "level"
    assert str(DATES[BREAK]) <= alarm.date <= str(DATES[BREAK + 3])
    assert alarm.size == pytest.approx(np.exp(0.8) - 1, abs=0.5)


def test_surprises_that_move_with_prices_ask_for_a_refit() -> None:
    first = next(a for a in found(surprises(elasticity=-1.0)) if a.test == "price response")
    assert first.asks == "refit"
    assert str(DATES[BREAK]) <= first.date <= str(DATES[BREAK + 6])
    assert first.size == pytest.approx(1.0 / 2.5, abs=0.25)
    assert "stronger" in first.said


def test_surprises_that_grow_are_of_calibration() -> None:
    s = surprises()
    wild = s.score.copy()
    wild[BREAK:] *= 1.6
    alarm = next(a for a in found(replace(s, score=wild)) if a.test == "calibration")
    assert alarm.date <= str(DATES[BREAK + 4])
    assert alarm.size == pytest.approx(0.6, abs=0.25)


def panel(**columns: np.ndarray) -> SalesPanel:
    """Forty weeks of six series, whose columns are functions of the week."""
    week = np.arange(40)
    usual = {"units": 20 + week % 5, "price": 2 + week % 3 / 10, "promo": (week % 3 == 0) * 1.0}
    rows = [
        pd.DataFrame(
            {
                "date": pd.date_range("2023-01-02", periods=40, freq="W-MON"),
                "location": place,
                "item": item,
                **(usual | columns),
            }
        )
        for place in "ab"
        for item in "xyz"
    ]
    return read_panel(pd.concat(rows))


def late(before: np.ndarray, after: object) -> np.ndarray:
    """``before``, and ``after`` in the last four of forty weeks."""
    return np.where(np.arange(40) < 36, before, after)  # type: ignore[call-overload]


def test_columns_as_ever_raise_no_alarm() -> None:
    assert column_alarms(panel(), 36) == []


def test_a_column_that_stops_is_found_in_its_first_period() -> None:
    (alarm,) = column_alarms(panel(promo=late((np.arange(40) % 3 == 0) * 1.0, np.nan)), 36)
    assert (alarm.where, alarm.date) == ("column promo", "2023-09-11")
    assert "known of 0% of rows, 100% before" in alarm.said


def test_a_flag_that_is_silent_for_longer_than_chance_has_it() -> None:
    week = np.arange(60)
    flag = np.where(week < 20, (week % 2 == 0) * 1.0, 0.0)[:40]
    (alarm,) = column_alarms(panel(promo=flag), 20)
    assert "0 everywhere for" in alarm.said
    assert "1 at most before" in alarm.said


def test_prices_in_another_unit_are_found_in_their_first_period() -> None:
    cents = panel()
    price = cents.price.copy()
    price[37:] *= 100
    (alarm,) = column_alarms(replace(cents, price=price), 36)
    assert (alarm.where, alarm.date) == ("column price", "2023-09-18")
    assert alarm.size == pytest.approx(100, rel=0.1)


def test_units_are_held_against_what_was_expected() -> None:
    dozens = panel()
    units = dozens.units.copy()
    units[36:] /= 12
    (alarm,) = column_alarms(replace(dozens, units=units), 36, np.full(units.shape, 22.0))
    assert alarm.where == "column units"
    assert alarm.size == pytest.approx(1 / 12, rel=0.15)
