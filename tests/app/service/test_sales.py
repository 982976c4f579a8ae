"""Sales that come in: whole or not at all, once a key, whatever their form."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mercato.app.service import sales
from mercato.app.service.refusals import Conflict
from mercato.app.service.service import Service
from mercato.forecasters.errors import InputError
from mercato.forecasters.reading import Reading
from tests.app.conftest import MAP
from tests.app.service.rows import kept
from tests.app.service.shop import week


def as_json(table: pd.DataFrame) -> bytes:
    return json.dumps({"rows": json.loads(table.to_json(orient="records"))}).encode()


def take(service: Service, table: pd.DataFrame, key: str = "monday") -> sales.Batch:
    """As it comes over HTTP."""
    return service.take_sales("till", key, service.table(table.to_csv(index=False).encode(), "text/csv"))


def held(service: Service) -> dict[str, Any]:
    with service.database.read() as connection:
        return kept(connection)


def test_a_week_is_taken_in_and_the_next_period_comes_after_it(service: Service) -> None:
    assert service.standing()[0].date == "2023-05-02"
    taken = take(service, week())
    assert (taken.rows, taken.replaced, taken.repeated) == (21, 0, False)
    assert service.standing()[0].date == "2023-05-09"
    (entry,) = service.trail()
    assert entry["actor"] == "till"
    told = {"batch": 1, "key": "monday", "rows": 21, "first_date": "2023-05-02", "last_date": "2023-05-08"}
    assert {name: entry["body"][name] for name in told} == told
    assert service.verify().fault == ""


def test_a_key_is_taken_once(service: Service) -> None:
    first, before = take(service, week()), held(service)
    again = take(service, week())
    assert (again.number, again.rows, again.repeated) == (first.number, 21, True)
    assert held(service) == before
    with pytest.raises(
        Conflict, match="key: expected a new one for new rows, found 'monday' used for others"
    ):
        take(service, week(seed=2))
    with pytest.raises(Conflict):
        take(service, week().iloc[:-1])
    assert held(service) == before


def test_the_same_rows_are_the_same_whatever_their_form(service: Service) -> None:
    table = week()
    take(service, table)
    turned = table[table.columns[::-1]]
    for body, kind in (
        (as_json(table), "application/json"),
        (as_json(turned), "application/json"),
        (turned.to_csv(index=False).encode(), "text/csv"),
        (turned.to_csv(index=False, lineterminator="\r\n").encode(), "text/csv"),
        (table.to_csv(index=False, sep=";").encode(), "text/csv"),
        (table.to_csv(index=False).encode("utf-8-sig"), "text/csv"),
    ):
        assert service.take_sales("till", "monday", service.table(body, kind)).repeated


def test_rows_that_came_before_are_replaced_and_counted(service: Service) -> None:
    take(service, week())
    both = pd.concat([week(seed=3), week("2023-05-09", seed=4)])
    taken = take(service, both, "tuesday")
    assert (taken.rows, taken.replaced) == (42, 21)
    standing, _ = service.standing()
    units = both[both["sku"] == "mocha"]["qty"].to_numpy()
    column = standing.panel.series[:, 1].tolist().index(standing.panel.items.index("mocha"))
    assert np.array_equal(standing.panel.units[-14:, column], units)


def test_a_date_is_the_same_however_it_is_written(service: Service) -> None:
    table = week()
    stamps = pd.to_datetime(table["day"])
    take(service, table)
    for number, days in enumerate(
        (stamps.dt.strftime("%d.%m.%Y"), stamps, stamps.dt.strftime("%Y-%m-%dT00:00:00"))
    ):
        other = table.assign(day=days, qty=table["qty"] + 1)
        taken = service.take_sales("till", f"again {number}", other)
        assert (taken.rows, taken.replaced) == (21, 21)
    assert service.take_sales("till", "monday", table.assign(day=stamps)).repeated
    assert service.standing()[0].panel.units[-7:].sum() == table["qty"].sum() + 21


def test_a_later_table_of_one_shop_leaves_the_receipts_of_others() -> None:
    """Where rows of a day are added up, a batch has several of a series and day: all of them count."""
    days = np.repeat(pd.date_range("2024-01-01", periods=28).strftime("%Y-%m-%d"), 2)
    shops = [
        pd.DataFrame({"date": days, "location": shop, "item": "tea", "units": 1, "price": 2.0})
        for shop in ("a", "b")
    ]
    own = Reading(freq="W").read(pd.concat(shops))
    more = [
        shop.assign(date=np.repeat(pd.date_range("2024-01-29", periods=7).strftime("%Y-%m-%d"), 8))
        for shop in shops
    ]
    first, second = pd.concat(more), more[1].assign(units=5)
    panel, replaced = sales.latest(own, [first, second])
    assert panel is not None
    assert panel.units.tolist() == [[56.0, 280.0]]
    assert replaced == 7


def changed(name: str, value: Any, at: int = 4) -> pd.DataFrame:
    table = week().astype(object)
    table.iloc[at, table.columns.get_loc(name)] = value
    return table


BROKEN = {
    "a price of nothing": changed("unit price", -1),
    "no date": changed("day", "yesterday"),
    "no number": changed("qty", "a few"),
    "a row twice": pd.concat([week(), week().iloc[:1]]),
    "no column of prices": week().drop(columns="unit price"),
    "no column of items": week().drop(columns="sku"),
    "our names, where the market has others": week().rename(columns={v: k for k, v in MAP.items()}),
    "nothing that the market knows": week().assign(shop="elsewhere"),
    "older than the market": week("2022-01-03"),
    "far later than the market": week("2029-01-01"),
    "another rhythm": week().assign(day=pd.date_range("2023-05-02", periods=21, freq="MS")),
    "no name": changed("shop", ""),
}


@pytest.mark.parametrize("table", BROKEN.values(), ids=BROKEN)
def test_a_table_that_does_not_fit_is_refused_whole(service: Service, table: pd.DataFrame) -> None:
    before = held(service)
    with pytest.raises(InputError) as refused:
        take(service, table)
    assert len(str(refused.value).splitlines()) == 1
    assert "expected" in str(refused.value)
    assert "/tmp" not in str(refused.value)
    assert held(service) == before
    assert not take(service, week()).repeated  # its key is free


@pytest.mark.parametrize(
    ("body", "kind", "said"),
    [
        (b"", "text/csv", "sales: expected a table, found nothing"),
        (b" \n", "text/csv", "sales: expected a table, found nothing"),
        (b"day,sku\n", "text/csv", "expected 1 to 1,000, found 0"),
        (b"\xff\xfe\x00", "text/csv", "sales: expected"),
        (b"day,day\n1,2\n", "text/csv", "sales: expected each column once"),
        (b"x", "text/html", "content-type: expected text/csv or application/json, found 'text/html'"),
        (b"", "application/json", "body: expected JSON"),
        (b"[" * 100_000, "application/json", "body: expected JSON"),
        (b'{"rows": [1' + b"0" * 5000 + b"]}", "application/json", "body: expected JSON"),
        (b"[]", "application/json", "body: expected an object with rows"),
        (b'{"rows": [], "more": 1}', "application/json", "body: expected an object with rows"),
        (b'{"rows": []}', "application/json", "rows: expected a list of objects"),
        (b'{"rows": [1]}', "application/json", "rows: expected a list of objects"),
        (b'{"rows": [{}]}', "application/json", "sales: expected"),
        (b'{"rows": [{"day": {"deep": 1}}]}', "application/json", "rows: expected text, a number or nothing"),
        (b'{"rows": [{"day": "\\ud800"}]}', "application/json", "rows: expected text, found"),
    ],
)
def test_what_is_no_table_is_refused_in_one_line(service: Service, body: bytes, kind: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        service.take_sales("till", "monday", service.table(body, kind))
    assert service.trail() == []


def test_names_that_look_like_numbers_stay_names() -> None:
    csv = b"day,shop,sku,note\n2023-05-02,007,NA,1\n2023-05-02,1e3,1.0,2\n"
    rows = [
        {"day": "2023-05-02", "shop": "007", "sku": "NA", "note": 1},
        {"day": "2023-05-02", "shop": "1e3", "sku": "1.0", "note": 2},
    ]
    tables = sales.parse(csv, MAP), sales.of_rows(rows, MAP)
    for table in tables:
        assert table["shop"].tolist() == ["007", "1e3"]
        assert table["sku"].tolist() == ["NA", "1.0"]
    assert sales.digest_of(tables[0]) == sales.digest_of(tables[1])
    stored = sales.parse(sales.as_csv(tables[0]), MAP)
    assert sales.digest_of(stored) == sales.digest_of(tables[0])


@pytest.mark.parametrize("key", ["", "x" * 201, "a\0b", "\ud800"])
def test_a_key_is_text_of_some_length(service: Service, key: str) -> None:
    with pytest.raises(InputError, match="key: expected"):
        take(service, week(), key)


def test_nothing_is_proposed_for_a_period_whose_sales_come_in_meanwhile(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    round_of = service.proposer._round

    def slow(*given: Any) -> Any:
        take(service, week())  # as another process does
        return round_of(*given)

    with monkeypatch.context() as patch:
        patch.setattr(service.proposer, "_round", slow)
        with pytest.raises(InputError, match="date: expected 2023-05-09, the period after the latest sales"):
            service.propose("ann", "2023-05-02")
        assert service.decisions() == []
        assert service.propose("ann")["date"] == "2023-05-09"
    assert {row["date"] for row in service.decisions()} == {"2023-05-09"}


def test_another_process_has_the_sales_too(service: Service) -> None:
    other = Service(service.home.run, service.database.url.render_as_string())  # type: ignore[arg-type]
    take(service, week())
    assert other.standing()[0].date == "2023-05-09"
    assert take(other, week()).repeated
    other.close()
