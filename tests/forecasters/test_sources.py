"""Named sources: their fetching, their caching, and what becomes of their tables."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mercato.forecasters.errors import InputError
from mercato.forecasters.events import KINDS, Events, read_events, read_items
from mercato.forecasters.panel import SalesPanel, read_panel
from mercato.forecasters.sources import (
    SOURCES,
    Source,
    SourceUnavailable,
    cache_folder,
    cdnow,
    complete_journey,
    fetch,
    orange_juice,
    ta_feng,
    write_source,
)

SHARED = Path(os.environ.get("MERCATO_SHARED_DATA", Path(__file__).parents[2] / ".." / "shared" / "data"))
CONTENT = b"a published file"
DIGEST = hashlib.sha256(CONTENT).hexdigest()


def small_panel() -> SalesPanel:
    return read_panel(
        pd.DataFrame(
            {
                "date": ["2024-01-01", "2024-01-02"],
                "location": "a",
                "item": "x",
                "units": 1,
                "price": [1.0, 2.0],
            }
        )
    )


def put_file(scratch: Path) -> Path:
    (scratch / "found").write_bytes(CONTENT)
    return scratch / "found"


def unreachable(scratch: Path) -> Path:
    raise SourceUnavailable("no way there")


def test_every_source_says_what_it_is_and_under_which_terms() -> None:
    assert {"orange-juice", "ta-feng"} <= set(SOURCES)
    for name, source in SOURCES.items():
        assert source.name == name
        for part in (source.description, source.terms, source.acknowledgement):
            assert part in source.text


def test_a_source_is_written_with_its_terms_beside_it(tmp_path: Path) -> None:
    source = Source("small", "two days", "free", "thanks to all", lambda cache: small_panel())
    out = write_source(source, tmp_path / "data" / "small.parquet")
    assert read_panel(out).periods == 2
    assert "thanks to all" in (tmp_path / "data" / "small.parquet.terms.txt").read_text(encoding="utf-8")


def test_an_unknown_source_names_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"expected one of orange-juice, ta-feng.*, found 'apple-juice'"):
        write_source("apple-juice", tmp_path / "x.parquet")


def test_the_cache_follows_the_users_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "mercato"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "mercato"


def test_a_file_is_fetched_once_and_leaves_no_scratch(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    path = fetch.cached_file("file", DIGEST, cache, put_file, "file")
    assert path.read_bytes() == CONTENT
    assert list(cache.iterdir()) == [path]
    assert fetch.cached_file("file", DIGEST, cache, unreachable, "file") == path


def test_a_damaged_copy_is_fetched_again(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"half")
    assert fetch.cached_file("file", DIGEST, tmp_path, put_file, "file").read_bytes() == CONTENT


def test_another_version_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceUnavailable, match=f"expected sha256 {'0' * 64}, found {DIGEST}"):
        fetch.cached_file("file", "0" * 64, tmp_path, put_file, "file")
    assert not (tmp_path / "file").exists()


def test_what_cannot_be_reached_says_where_to_put_it(tmp_path: Path) -> None:
    with pytest.raises(SourceUnavailable) as caught:
        fetch.cached_file("file", DIGEST, tmp_path, unreachable, "the file of that package")
    assert (
        str(caught.value) == f"no way there; or put the file of that package at {tmp_path / 'file'} yourself"
    )


def test_a_cache_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    with pytest.raises(SourceUnavailable, match=r"expected to read and write .*taken/cache"):
        fetch.cached_file("file", DIGEST, tmp_path / "taken" / "cache", put_file, "file")


def test_missing_tools_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SourceUnavailable, match="expected the command apt-get on this machine, found none"):
        fetch.from_debian("package", "member", tmp_path)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(SourceUnavailable, match="expected the command uv on this machine, found none"):
        fetch.from_wheel("package", "member", tmp_path)


def test_a_failing_and_a_silent_command_become_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SourceUnavailable, match=r"^shell: second$"):
        fetch.run("shell", ["sh", "-c", "echo first >&2; echo second >&2; exit 1"], tmp_path)
    with pytest.raises(SourceUnavailable, match=r"^shell: exit status 3$"):
        fetch.run("shell", ["sh", "-c", "exit 3"], tmp_path)
    monkeypatch.setattr(fetch, "TIMEOUT", 0.1)
    with pytest.raises(SourceUnavailable, match=r"^sleep: no answer within 0.1 seconds$"):
        fetch.run("sleep", ["sleep", "5"], tmp_path)


def juice_rows() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Two real rows of bayesm's orange juice (store 2, weeks 40 and 46), the second with a spoiled margin."""
    prices = {f"price{number}": [0.05, 0.05] for number in range(2, 12)}
    sales = pd.DataFrame(
        {"store": 2, "brand": 1, "week": [40, 46], "logmove": [9.018695, 8.723231], "price1": 0.06046875}
        | prices
        | {"deal": [1, 0], "feat": [0.0, 0.25], "profit": [37.992326, 98.5]}
    )
    stores = pd.DataFrame({"STORE": [2], **{name: [0.5] for name in orange_juice.STORE_ATTRIBUTES}})
    return sales, stores


def test_orange_juice_is_bottles_and_dollars_a_bottle() -> None:
    frame, notes = orange_juice.tidy(*juice_rows())
    panel = read_panel(frame, freq="W")
    assert panel.items == ("Tropicana Premium 64 oz",)
    assert panel.dates[[0, -1]].astype(str).tolist() == ["1990-06-14", "1990-07-26"]
    np.testing.assert_array_equal(panel.units[[0, -1], 0], [129, 96])
    np.testing.assert_allclose(panel.price[:, 0], 3.87)
    assert panel.cost is not None
    np.testing.assert_allclose(panel.cost[[0, -1], 0], [2.3997, 0.4 * 3.87], rtol=1e-4)
    assert notes == ("cost: 1 rows with a margin outside 0 to 60% clipped to it",)
    roles = {covariate.name: covariate.role for covariate in panel.covariates}
    assert roles.pop("deal") == roles.pop("feature") == "decision"
    assert set(roles.values()) == {"static"}


def test_ta_feng_shares_the_shops_price_and_tells_zero_from_unknown() -> None:
    days = pd.date_range("2000-11-01", periods=100)
    milk = pd.DataFrame({"date": days, "PIN_CODE": "115", "PRODUCT_ID": "milk", "AMOUNT": 2.0})
    milk = milk.assign(ASSET=10.0, SALES_PRICE=12.0)
    elsewhere = milk.iloc[[0]].assign(PIN_CODE="221", AMOUNT=1.0, ASSET=5.0, SALES_PRICE=9.0)
    rare = milk.iloc[:99].assign(PRODUCT_ID="rare")
    frame, notes = ta_feng.tidy(pd.concat([milk, elsewhere, rare]).assign(PRODUCT_SUBCLASS="130315"))
    panel = read_panel(frame)
    assert (panel.locations, panel.items, panel.categories) == (("115", "221"), ("milk",), ("1303",))
    assert panel.price_groups == ("Ta Feng", "Ta Feng")
    np.testing.assert_array_equal(panel.units[:3], [[2, 1], [2, 0], [2, 0]])
    np.testing.assert_array_equal(panel.price[:2], [[7, 7], [6, 6]])
    assert panel.cost is not None
    np.testing.assert_array_equal(panel.cost[0], [5, 5])
    assert notes[0].startswith("item: 101 of 200 receipt lines kept, of 1 among 2 products")


def test_ta_fengs_receipts_tell_customers_and_their_areas() -> None:
    lines = pd.DataFrame(
        {
            "date": pd.to_datetime(["2000-11-01", "2000-11-02"]),
            "CUSTOMER_ID": ["01104905", "00418683"],
            "AGE_GROUP": ["45-49", None],
            "PIN_CODE": ["115", "Unknown"],
            "PRODUCT_ID": ["4710199010372", "4710857472535"],
            "AMOUNT": [2.0, 1.0],
            "ASSET": [24.0, 48.0],
            "SALES_PRICE": [30.0, 46.0],
        }
    )
    events = read_events(ta_feng.receipts(pd.concat([lines, lines.assign(AGE_GROUP="45-49")[:1]])))
    assert events.customers == ("00418683", "01104905")
    assert events.locations == ("115", "Unknown")
    np.testing.assert_array_equal(events.price, [15, 15, 46])
    assert events.cost is not None
    np.testing.assert_array_equal(events.cost, [12, 12, 48])


def test_cdnow_marks_the_tenth_that_papers_use() -> None:
    columns = ["customer_id", "date", "number_of_cds", "dollar_value"]
    rows = [("00001", "19970101", "1", "11.77"), ("00004", "19970101", "2", "29.33")]
    everyone = pd.DataFrame(rows, columns=columns)
    events = read_events(cdnow.tidy(everyone, pd.DataFrame({0: ["00004"]})))
    assert events.items == ("CD",)
    assert events.attributes["sample"].tolist() == ["other", "1/10"]
    np.testing.assert_allclose(events.price, [11.77, 14.665], rtol=1e-6)


def test_the_complete_journey_has_coupons_that_came_and_that_were_used() -> None:
    tables = {
        "transactions": pd.DataFrame(
            {
                "household_id": [900, 900],
                "store_id": 330,
                "basket_id": 31198570044,
                "product_id": [1095275, 6534178],
                "quantity": [2, 8000],
                "sales_value": [1.0, 20.0],
                "coupon_match_disc": [0.2, 0.0],
                "transaction_timestamp": pd.Timestamp("2017-01-02 11:53:26"),
            }
        ),
        "products": pd.DataFrame(
            {"product_id": [1095275, 6534178], "product_category": ["ROLLS", "COUPON/MISC ITEMS"]}
        ),
        "campaigns": pd.DataFrame({"campaign_id": [26], "household_id": [900]}),
        "campaign_descriptions": pd.DataFrame(
            {"campaign_id": [26], "campaign_type": ["Type B"], "start_date": [pd.Timestamp("2017-01-01")]}
        ),
        "coupon_redemptions": pd.DataFrame(
            {
                "household_id": [900],
                "coupon_upc": [51380041013],
                "campaign_id": [26],
                "redemption_date": [pd.Timestamp("2017-01-03")],
            }
        ),
        "demographics": pd.DataFrame(
            {"household_id": [900], "age": ["35-44"], "income": ["35-49K"], "household_comp": ["1 Adult"]}
        ),
    }
    events = read_events(complete_journey.tidy(tables))
    assert [KINDS[kind] for kind in events.kind] == ["coupon", "buy", "click"]
    assert events.items == ("1095275",), "fuel is left out"
    assert events.price[1] == pytest.approx(0.6)
    assert events.text is not None
    assert events.text.tolist() == [*("campaign 26, Type B", "", "coupon 51380041013 of campaign 26, Type B")]


def test_events_and_items_are_written_by_name(tmp_path: Path) -> None:
    receipts = pd.DataFrame({"time": ["2024-01-01"], "customer": ["ann"], "item": ["tea"]})
    goods = pd.DataFrame({"item": ["tea"], "category": ["Food > Tea"]})
    source = Source(
        *("small", "two days", "free", "thanks", lambda cache: small_panel()),
        events=lambda cache: read_events(receipts),
        items=lambda cache: read_items(goods),
    )
    assert read_events(write_source(source, tmp_path / "events.parquet", "events")).customers == ("ann",)
    assert read_items(write_source(source, tmp_path / "items.parquet", "items")).names == ("tea",)
    assert "thanks" in (tmp_path / "items.parquet.terms.txt").read_text(encoding="utf-8")
    expected = r"orange-juice: expected a source with events: ta-feng, .*found none"
    with pytest.raises(InputError, match=expected):
        write_source("orange-juice", tmp_path / "x.parquet", "events")


def fetched(name: str, cache: Path, monkeypatch: pytest.MonkeyPatch) -> SalesPanel:
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    try:
        return read_panel(write_source(name, cache / f"{name}.parquet"))
    except SourceUnavailable as error:
        pytest.skip(f"{name} cannot be reached: {error}")


@pytest.mark.network
def test_orange_juice_agrees_with_an_independent_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("rdata")
    panel = fetched("orange-juice", tmp_path, monkeypatch)
    assert panel.units.shape == (121, 913)
    assert int((~np.isnan(panel.units)).sum()) == 106_139
    path = SHARED / "dominicks_oj_weekly.parquet"
    if not path.is_file():
        pytest.skip(f"the copy to compare with is absent: {path}")
    copy = pd.read_parquet(path)
    period = np.searchsorted(panel.dates, copy["week_start"].to_numpy().astype("datetime64[D]"))
    location = np.array([panel.locations.index(str(store)) for store in copy["store"]])
    brand = copy["brand"].astype(str).replace("Dominicks", "Dominick's")
    item = np.array(
        [panel.items.index(f"{name} {size} oz") for name, size in zip(brand, copy["size_oz"], strict=True)]
    )
    np.testing.assert_array_equal(panel.dates[period], copy["week_start"].to_numpy().astype("datetime64[D]"))
    assert panel.cost is not None
    for ours, theirs in ((panel.units, "units"), (panel.price, "price")):
        np.testing.assert_allclose(panel.dense(ours)[period, location, item], copy[theirs], rtol=1e-6)
    for name in ("deal", "feature"):
        ours = panel.dense(panel.covariate(name).values)
        np.testing.assert_allclose(ours[period, location, item], copy[name], atol=1e-6)
    sound = (copy["margin_pct"] <= 60).to_numpy()
    cost = panel.dense(panel.cost)[period, location, item]
    np.testing.assert_allclose(cost[sound], copy["unit_cost"][sound], atol=2e-4)
    np.testing.assert_allclose(cost[~sound], 0.4 * copy["price"][~sound], atol=2e-4)


@pytest.mark.network
def test_ta_feng_is_one_shop_with_customers_from_eight_areas(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    panel = fetched("ta-feng", tmp_path, monkeypatch)
    assert (panel.periods, len(panel.locations), len(panel.items), panel.frequency) == (120, 8, 183, "D")
    assert set(panel.price_groups) == {"Ta Feng"}
    price = panel.dense(panel.price)
    assert np.nanmax(price.max(axis=1) - price.min(axis=1)) == 0, "one price for all areas"


def told(name: str, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Events:
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    try:
        return read_events(write_source(name, cache / f"{name}.parquet", "events"))
    except SourceUnavailable as error:
        pytest.skip(f"{name} cannot be reached: {error}")


@pytest.mark.network
def test_cdnow_is_the_cohort_of_early_1997(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events = told("cdnow", tmp_path, monkeypatch)
    assert (len(events), len(events.customers)) == (69_659, 23_570)
    first = np.full(23_570, np.datetime64("2000-01-01"))
    np.minimum.at(first, events.customer, events.day)
    assert first.max() < np.datetime64("1997-04-01"), "all bought first in the first quarter"
    assert (events.attributes["sample"] == "1/10").sum() == 2_357


@pytest.mark.network
@pytest.mark.slow
def test_the_complete_journey_is_of_households(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events = told("complete-journey", tmp_path, monkeypatch)
    counts = dict(zip(*np.unique(np.array(KINDS)[events.kind], return_counts=True), strict=True))
    assert (counts["coupon"], counts["click"]) == (6_589, 2_102)
    assert len(events.customers) >= 2_467
