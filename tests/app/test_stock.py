"""The stock file: what it may say and what it may not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mercato.app.stock import read_stock
from mercato.forecasters.errors import InputError
from tests.agents.shops import shop

MARKET = shop([[-2.0, 0.0], [0.0, -2.0]], locations=2)


def written(folder: Path, text: str) -> Path:
    path = folder / "stock.csv"
    path.write_text(text)
    return path


def test_units_land_on_their_series(tmp_path: Path) -> None:
    text = "item,location,on_hand,on_order\nitem 1,shop 0,7,3\nitem 0,shop 1,0,0\n"
    on_hand, on_order = read_stock(written(tmp_path, text), MARKET, {})
    np.testing.assert_array_equal(on_hand, [[np.nan, 7], [0, np.nan]])
    np.testing.assert_array_equal(on_order, [[0, 3], [0, 0]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected at least one row, found an empty file"),
        ("location,item\nshop 0,item 0\n", "expected columns location, item, on_hand"),
        (
            "location,item,on_hand\nshop 9,item 0,1\n",
            "expected locations of the market (shop 0, shop 1), found 'shop 9'; did you mean 'shop 1'?",
        ),
        (
            "location,item,on_hand\nshop 0,item 9,1\n",
            "expected items of the market (item 0, item 1), found 'item 9'",
        ),
        (
            "location,item,on_hand\nshop 0,item 0,-1\n",
            "expected on_hand in units, 0 to 1e+12, found '-1' in row 2",
        ),
        ("location,item,on_hand\nshop 0,item 0,many\n", "found 'many' in row 2"),
        ("location,item,on_hand\nshop 0,item 0,1\nshop 0,item 0,2\n", "1 repeated, first: shop 0, item 0"),
    ],
)
def test_a_bad_file_is_one_clear_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        read_stock(written(tmp_path, text), MARKET, {})
    assert message in str(caught.value)


def test_columns_may_be_called_as_in_the_sales_table(tmp_path: Path) -> None:
    text = "Artikel;location;on_hand;on_order\nitem 1;shop 0;7,5;3\nitem 0;shop 1;0;0\n"
    called = {"item": "Artikel", "location": "Filiale", "units": "Menge"}
    on_hand, _ = read_stock(written(tmp_path, text), MARKET, called)
    np.testing.assert_array_equal(on_hand, [[np.nan, 7.5], [0, np.nan]])


def test_an_absent_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected a CSV or parquet file, found no such file"):
        read_stock(tmp_path / "none.csv", MARKET, {})
