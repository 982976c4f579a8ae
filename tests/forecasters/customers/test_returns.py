"""Returns: which line they belong to, what is known of them before a day, and who brings back what."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mercato.forecasters.customers.purchases import WINDOW, purchases
from mercato.forecasters.events import Events, read_events

Row = tuple[int, str, str, str]  # day, customer, event, item


def events(rows: list[Row]) -> Events:
    frame = pd.DataFrame(rows, columns=["day", "customer", "event", "item"])
    return read_events(frame.assign(time=pd.Timestamp("2024-01-01") + pd.to_timedelta(frame.pop("day"), "D")))


BOUGHT: list[Row] = [
    *((0, "a", "buy", "x"), (0, "a", "buy", "y"), (5, "a", "buy", "x"), (60, "a", "buy", "x")),
    *((0, "b", "buy", "x"), (9, "b", "buy", "y")),
]


def returned(rows: list[Row]) -> list[int]:
    """Of a's x on days 0, 5 and 60 and y on day 0, as lines are sorted; then of b's x and y."""
    return purchases(events([*BOUGHT, *rows])).returned.tolist()


def test_a_return_belongs_to_the_latest_purchase_of_its_customer_and_item() -> None:
    assert returned([]) == [-1] * 6
    assert returned([(4, "a", "return", "x")]) == [4, -1, -1, -1, -1, -1]
    assert returned([(5, "a", "return", "x")]) == [-1, -1, 5, -1, -1, -1]
    assert returned([(7, "a", "return", "x"), (6, "a", "return", "x")]) == [-1, -1, 6, -1, -1, -1]
    assert returned([(4, "a", "return", "x"), (6, "a", "return", "x")]) == [4, -1, 6, -1, -1, -1]
    assert returned([(WINDOW, "a", "return", "y"), (9, "b", "return", "y")]) == [-1, WINDOW, -1, -1, -1, 9]


def test_what_belongs_to_no_purchase_or_comes_after_the_log_is_left_out() -> None:
    late, foreign, before = (WINDOW + 1, "a", "return", "y"), (8, "b", "return", "z"), (8, "b", "return", "y")
    assert returned([late, foreign, before, (61, "a", "return", "x"), (3, "", "return", "x")]) == [-1] * 6


def test_what_comes_after_a_day_changes_nothing_that_was_known_before_it() -> None:
    rows: list[Row] = [*BOUGHT, (4, "a", "return", "x")]
    later: list[Row] = [(6, "a", "buy", "x"), (6, "a", "return", "x"), (7, "b", "return", "x")]
    known, same = (purchases(events(log)).as_of(6) for log in (rows, [*rows, *later]))
    for name in ("customer", "day", "item", "units", "value", "returned"):
        assert np.array_equal(getattr(known, name), getattr(same, name))
