"""Names that a spreadsheet would run go out as text, and come back as they were."""

from __future__ import annotations

from io import StringIO

import pandas as pd

from mercato.app.spreadsheets import csv, plain


def test_names_come_back_as_they_were() -> None:
    names = ["=1+1", "-5%", "'quoted", "@home", "tea", "+", "'", "12"]
    rows = pd.DataFrame({"item": names, "price": range(len(names))})
    text = csv(rows, ("item",))
    assert "'=1+1" in text
    read = pd.read_csv(StringIO(text), dtype={"item": str})
    assert not read["item"].str.match(r"[=+@-]").any()
    pd.testing.assert_frame_equal(plain(read, ("item", "location")), rows)
