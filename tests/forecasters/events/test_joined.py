"""A log carried on by a later one."""

from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from mercato.forecasters.events import Events, carried_on, read_events

DAYS = pd.date_range("2024-01-01", periods=10)


def told(events: Events) -> list[tuple]:
    """Each event by its names."""

    def named(names: tuple[str, ...], index: np.ndarray) -> list[str | None]:
        return [names[i] if i >= 0 else None for i in index]

    columns = (
        named(events.customers, events.customer),
        named(events.items, events.item),
        events.units.tolist(),
    )
    return list(zip(events.time.astype(str).tolist(), *columns, strict=True))


NAMES = st.sampled_from(["ann", "bob", "cid", "dan"])
LOG = st.lists(
    st.tuples(st.integers(0, 9), NAMES, st.sampled_from(["tea", "milk", None])), min_size=1, max_size=20
)


def log(rows: list[tuple]) -> Events:
    day, customer, item = zip(*rows, strict=True)
    return read_events(pd.DataFrame({"time": DAYS[list(day)], "customer": customer, "item": item}))


@settings(max_examples=40)
@given(LOG, st.integers(0, 9))
def test_a_log_in_two_parts_is_the_log(rows: list[tuple], cut: int) -> None:
    early, late = ([row for row in rows if (row[0] >= cut) == part] for part in (False, True))
    if not early or not late:
        return
    whole = log(rows)
    assert sorted(told(carried_on(log(early), log(late))), key=str) == sorted(told(whole), key=str)
    assert told(carried_on(whole, log(late))) == told(carried_on(log(early), log(late))), (
        "overlaps count once"
    )


def test_what_only_one_of_them_tells_is_kept() -> None:
    own = pd.DataFrame(
        {"time": ["2024-01-01"] * 3, "customer": ["ann", "bob", "cid"], "age": ["30", "40", "30"]}
    )
    own = own.assign(session=[1, 2, 3], cost=[1.0, 2.0, 3.0])
    latest = pd.DataFrame({"time": ["2024-02-01"] * 2, "customer": ["bob", "zoe"], "referrer": [None, "bob"]})
    latest = latest.assign(age=["50", "30"], session=[1, 1], text=["hello", None], event="message")
    both = carried_on(read_events(own), read_events(latest))
    assert both.customers == ("ann", "bob", "cid", "zoe")
    assert both.attributes["age"].tolist() == ["30", "50", "30", "30"]
    assert both.session.tolist() == [0, 1, 2, 3, 3]
    assert both.referrer.tolist() == [-1, -1, -1, -1, 1]
    assert both.text is not None
    assert both.text.tolist() == ["", "", "", "hello", ""]
    assert both.cost is not None
    np.testing.assert_array_equal(both.cost, [1, 2, 3, np.nan, np.nan])
