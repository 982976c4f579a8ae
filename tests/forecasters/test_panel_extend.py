"""Monday's table is never last month's: the market's panel stays, and the latest table adds to it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from mercato.forecasters.errors import InputError
from mercato.forecasters.features.history import build_history
from mercato.forecasters.panel import SalesPanel, extended, read_panel

WEEKS = 60


def table(begin: int, end: int, shops: str = "ab", items: tuple[str, ...] = ("jam", "tea")) -> pd.DataFrame:
    """Weeks ``begin`` … ``end`` of a market whose units, prices and temperature tell the week."""
    dates = pd.date_range("2023-01-02", periods=end, freq="W-MON")[begin:]
    week = np.arange(begin, end)
    rows = [
        pd.DataFrame(
            {
                "date": dates,
                "location": shop,
                "item": item,
                "units": week + 1,
                "price": 1.0 + week / 100,
                "promo": (week % 7 == 0) * 50,
                "temperature": 10 + 10 * np.sin(week / 52 * 2 * np.pi),
            }
        )
        for shop in shops
        for item in items
    ]
    return pd.concat(rows)


def panel(*args: object, **kwargs: object) -> SalesPanel:
    return read_panel(table(*args, **kwargs), roles={"temperature": "exogenous", "promo": "decision"})  # type: ignore[arg-type]


@pytest.mark.parametrize("begin", [0, 30, 58, 60])
def test_a_table_however_short_is_as_good_as_the_whole(begin: int) -> None:
    whole = panel(0, 64)
    carried, notes = extended(panel(0, WEEKS), panel(begin, 64))
    assert notes == []
    np.testing.assert_array_equal(carried.dates, whole.dates)
    np.testing.assert_array_equal(carried.units, whole.units)
    np.testing.assert_array_equal(carried.price, whole.price)
    np.testing.assert_allclose(carried.covariate("temperature").values, whole.covariate("temperature").values)


def test_scales_stay_those_of_the_fit() -> None:
    """A latest table of winter weeks without promotions means what it meant when the market was fitted."""
    own = build_history(panel(0, WEEKS))
    carried, _ = extended(panel(0, WEEKS), panel(57, 64))
    later = build_history(carried, fitted=WEEKS)
    for name in ("ahead", "promo", "log_price"):
        before, after = getattr(own, name)[:WEEKS], getattr(later, name)[:WEEKS]
        torch.testing.assert_close(before, after)
    assert torch.equal(own.grain, later.grain)


def test_what_lies_a_year_back_comes_from_the_market_s_own_table() -> None:
    carried, _ = extended(panel(0, WEEKS), panel(57, 64))
    laid_out = build_history(carried, fitted=WEEKS).ahead[..., -1]
    torch.testing.assert_close(laid_out[64], laid_out[64 - 52])


def test_weeks_that_neither_table_covers_are_unknown() -> None:
    carried, _ = extended(panel(0, WEEKS), panel(63, 66))
    assert np.isnan(carried.units[WEEKS:63]).all()
    assert (carried.price[WEEKS:63] == carried.price[WEEKS - 1]).all()  # at the last known price


def test_new_and_closed_shops_and_items_are_named() -> None:
    carried, notes = extended(panel(0, WEEKS), panel(50, 64, shops="bc", items=("tea", "milk")))
    assert carried.locations == ("a", "b")
    assert carried.items == ("jam", "tea")
    assert "location: 1 that the market does not know are left out, first 'c'" in notes[0]
    assert (
        "location: 1 of the market's are not in the latest table and need no decision, first 'a'" in notes[1]
    )
    assert [note.partition(":")[0] for note in notes] == ["location", "location", "item", "item"]
    seen = ~np.isnan(carried.units[WEEKS:]).all(0)
    assert carried.series[seen].tolist() == [[1, 1]]  # b sells tea


@pytest.mark.parametrize(
    ("latest", "message"),
    [
        (lambda: panel(0, 50), "expected a table up to 2024-02-19 or later"),
        (lambda: panel(130, 135), "found one from .* on; fit the market again"),
        (lambda: panel(0, 64, shops="xy"), "found none of its series"),
        (
            lambda: read_panel(table(0, 64).assign(promo=0, units=0), roles={"promo": "decision"}),
            "found none",
        ),
        (lambda: read_panel(table(0, 64).drop(columns="temperature")), "expected the column temperature"),
        (
            lambda: read_panel(table(0, 64).assign(date=lambda t: t["date"] + pd.Timedelta(days=2))),
            "expected periods that begin as the market's do",
        ),
        (lambda: read_panel(table(0, 64), freq="MS"), r"expected periods as the market's \(W\), found MS"),
    ],
)
def test_what_does_not_go_on_is_refused(latest, message: str) -> None:
    with pytest.raises(InputError, match=message):
        extended(panel(0, WEEKS), latest())
