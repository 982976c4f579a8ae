"""A panel made of receipts, and what of a panel's sales its customers account for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mercato.forecasters.errors import InputError
from mercato.forecasters.events import Events, panel_of, read_events, read_items, reconciled
from mercato.forecasters.panel import SalesPanel, read_panel
from mercato.forecasters.reading import Reading


def receipts(days: int = 28, customers: int = 5, seed: int = 0) -> pd.DataFrame:
    """Two shops and three items, bought by a few customers on most days; one item hardly ever."""
    rng = np.random.default_rng(seed)
    count = days * customers
    frame = pd.DataFrame(
        {
            "time": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(days, size=count), "D"),
            "customer": [f"c{n}" for n in rng.integers(customers, size=count)],
            "location": rng.choice(["north", "south"], size=count),
            "item": rng.choice(["milk", "tea"], size=count),
            "units": rng.integers(1, 4, size=count),
            "price": rng.choice([1.0, 1.5], size=count),
        }
    )
    frame.loc[0, "item"] = "caviar"
    return frame


def test_units_and_money_of_receipts_are_those_of_their_panel() -> None:
    frame = receipts()
    panel = panel_of(read_events(frame), busy=0)
    assert (panel.frequency, panel.periods, len(panel.series)) == ("W", 4, 5)
    assert np.nansum(panel.units) == frame["units"].sum()
    assert np.nansum(panel.units * panel.price) == pytest.approx((frame["units"] * frame["price"]).sum())


def test_a_period_without_a_purchase_is_zero_sales_within_a_series_life() -> None:
    days = pd.to_datetime(["2024-01-02", "2024-01-03", "2024-01-04", "2024-01-05"])
    frame = pd.DataFrame({"time": days, "customer": "ann", "item": "milk", "units": 1, "price": 2.0})
    other = frame.assign(item="tea").iloc[[1, 3]]
    panel = panel_of(read_events(pd.concat([frame, other])), "D")
    assert panel.locations == ("all",)
    np.testing.assert_array_equal(panel.units, [[1, np.nan], [1, 1], [1, 0], [1, 1]])


def test_returns_are_netted_and_prices_are_what_was_paid() -> None:
    frame = pd.DataFrame(
        {
            "time": ["2024-01-01", "2024-01-01", "2024-01-01", "2024-01-02"],
            "customer": ["ann", None, "ann", "bob"],
            "item": "milk",
            "units": [3, 1, -2, 1],
            "price": [1.0, 2.0, 1.0, 1.5],
            "cost": [0.5, 0.7, 0.5, 0.6],
        }
    )
    panel = panel_of(read_events(frame), "D")
    np.testing.assert_allclose(panel.units[:, 0], [2, 1])
    np.testing.assert_allclose(panel.price[:, 0], [1.25, 1.5])
    assert panel.cost is not None
    np.testing.assert_allclose(panel.cost[:, 0], [0.55, 0.6])


def test_what_hardly_sells_is_left_out_and_counted() -> None:
    panel = panel_of(read_events(receipts()), "D")
    assert panel.items == ("milk", "tea")
    (note,) = [note for note in panel.report.notes if "left out of the panel" in note]
    assert note.startswith("item: 1 of 5 series sell in less than 25% of periods, left out of the panel with")
    with pytest.raises(InputError, match=r"expected series that sell in 90% of periods \(D\), found none"):
        panel_of(read_events(receipts()), "D", busy=0.9)


def test_categories_come_from_the_items() -> None:
    items = read_items(pd.DataFrame({"item": ["milk", "soap"], "category": ["Food > Dairy > Milk", "Home"]}))
    panel = panel_of(read_events(receipts()), "D", items=items)
    assert panel.categories == ("Food > Dairy", "all")


def test_a_market_reads_the_latest_receipts_as_it_read_the_first(tmp_path: Path) -> None:
    path = tmp_path / "receipts.csv"
    receipts().rename(columns={"customer": "card"}).to_csv(path, index=False)
    reading = Reading(map={"customer": "card"}, freq="W", busy=0.25)
    panel = reading.read(path)
    assert panel.reading == reading
    np.testing.assert_array_equal(panel.units, panel_of(read_events(receipts())).units)
    reading.save(tmp_path / "reading.json")
    assert Reading.load(tmp_path / "reading.json") == reading


def shop() -> SalesPanel:
    """The panel of all receipts of the shop."""
    return panel_of(read_events(receipts()), "D", busy=0)


def of_some(events: Events, names: list[str]) -> Events:
    """Events whose other customers are not known."""
    keep = np.isin(np.array(events.customers)[events.customer], names)
    return replace(events, customer=np.where(keep, events.customer, -1).astype(np.int32))


def test_everybody_known_is_all_that_was_sold() -> None:
    covered = reconciled(read_events(receipts()), shop())
    np.testing.assert_allclose(covered.share, 1)
    assert covered.total == 1
    assert covered.lost == ()
    assert covered.summary() == (
        "coverage: known customers buy 100% of the panel's units in 28 periods, 2024-01-01 to"
        " 2024-01-28; by series 100% … 100% (central 80%), none in 0 of 5",
        *covered.summary()[1:],
    )


def test_a_card_is_not_the_shop() -> None:
    events = of_some(read_events(receipts()), ["c0", "c1"])
    panel, frame = shop(), receipts()
    covered = reconciled(events, panel)
    own = frame[frame["customer"].isin(["c0", "c1"])]
    assert covered.total == pytest.approx(own["units"].sum() / frame["units"].sum(), abs=0.02)
    assert covered.anonymous == len(frame) - len(own)
    assert any(f"{covered.anonymous} purchases more are of nobody known" in one for one in covered.summary())
    for (location, item), share in zip(covered.series, covered.share, strict=True):
        of = (frame["location"] == location) & (frame["item"] == item)
        expected = own["units"][of].sum() / frame["units"][of].sum() if of.any() else np.nan
        assert share == pytest.approx(expected, abs=0.05) or item == "caviar"


def test_what_is_not_in_the_panel_is_told_by_why() -> None:
    frame = receipts()
    panel = shop().select(items=["milk", "tea"]).window(0, 20)
    late = int(((frame["time"] >= "2024-01-21") & (frame["item"] != "caviar")).sum())
    covered = reconciled(read_events(frame), panel)
    assert dict(covered.lost) == {"of items that it lacks": 1, "outside its periods": late}
    assert any("1 of items that it lacks" in line for line in covered.summary())


def test_more_than_the_panel_sold_is_flagged() -> None:
    panel = shop()
    twice = reconciled(read_events(receipts().assign(units=lambda f: 2 * f["units"])), panel)
    assert any("in 5 series they buy more than the panel sells" in line for line in twice.summary())
    dear = reconciled(read_events(receipts().assign(price=lambda f: 2 * f["price"])), panel)
    assert dear.price > 1.5
    assert any("of it in the median one" in line for line in dear.summary())


def test_a_growing_card_is_no_growth() -> None:
    events = read_events(receipts())
    early = events.time < np.datetime64("2024-01-15")
    events = replace(events, customer=np.where(early & (events.customer > 0), -1, events.customer))
    assert any("more or fewer cards" in line for line in reconciled(events, shop()).summary())


def test_purchases_without_a_location_are_told_from_those_of_another() -> None:
    table = receipts()
    table.loc[:2, "location"] = None
    table.loc[3, "location"] = "east"
    assert dict(reconciled(read_events(table), shop()).lost) == {
        "without a location": 3,
        "of locations that it lacks": 1,
    }


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"item": "rice"}, "items such as rice against the panel's caviar"),
        ({"location": "east"}, "locations such as east against the panel's north"),
        ({"item": None}, "items such as none against the panel's caviar"),
        ({"location": None}, "locations such as none against the panel's north"),
        ({"time": "2020-01-01"}, "events from 2020-01-01 to 2020-01-01 against 2024-01-01 to 2024-01-28"),
        ({"customer": None}, "expected purchases of customers who are known, found none"),
        ({"event": "view"}, "expected purchases of customers who are known, found none among 140 view"),
    ],
)
def test_events_of_another_shop_are_refused(change: dict, expected: str) -> None:
    with pytest.raises(InputError) as caught:
        reconciled(read_events(receipts().assign(**change)), shop())
    assert expected in str(caught.value)


def test_a_shop_of_one_place_needs_no_location() -> None:
    table = pd.DataFrame(
        {"date": ["2024-01-01", "2024-01-02"], "location": "a", "item": "x", "units": 4, "price": [1.0, 2.0]}
    )
    events = read_events(
        pd.DataFrame({"time": ["2024-01-01", "2024-01-02"], "customer": "ann", "item": "x", "units": [1, 3]})
    )
    covered = reconciled(events, read_panel(table))
    assert covered.share.tolist() == [0.5]
    assert np.isnan(covered.price)
