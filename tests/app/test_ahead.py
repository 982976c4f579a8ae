"""The forecast in the report, from made-up numbers."""

from __future__ import annotations

import pytest

from mercato.app.page import charts
from mercato.app.report import coming
from mercato.app.report.page import render
from tests.app import samples

PLACES: dict[str, list[float | None]] = {"a": [51.5, 0.1], "b": [52.0, -1.0], "c": [None, None]}


def test_totals_are_means_a_period() -> None:
    rows = {row["location"]: row for row in coming.totals(samples.coming(), "location")}
    assert rows["a"] == {"location": "a", "lately": 50.0, "coming": 100.0}
    items = {row["item"]: row["coming"] for row in coming.totals(samples.coming(), "item")}
    assert items == {"tea": 35.0, "milk & <honey>": 140.0}
    assert [coming.course(rows[name]) for name in "abc"] == ["rises", "falls", "stays"]


def test_a_location_without_coordinates_is_named_and_not_drawn() -> None:
    rows, elsewhere = coming.placed(samples.coming(PLACES))
    assert [(row["location"], row["lat"]) for row in rows] == [("a", 51.5), ("b", 52.0)]
    assert elsewhere == ["c"]
    assert coming.unplaced(elsewhere) == "Not on the map, without coordinates: c (1)."
    assert coming.unplaced([]) == ""
    assert coming.placed(samples.coming()) == ([], ["a", "b", "c"])
    drawn = charts.places(rows, "day").options["series"]
    assert [len(one["data"]) for one in drawn] == [1, 0, 1]


@pytest.mark.parametrize(("places", "how"), [(PLACES, "on a map"), (None, "Units by location")])
def test_the_report_has_every_number_of_the_forecast_that_it_draws(
    places: dict[str, list[float | None]] | None, how: str
) -> None:
    page = render(samples.contents(), None, samples.coming(places))
    assert "Forecast of the coming 4 weeks" in page
    assert "4 weeks, 2024-01-11 to 2024-01-14; seed 0." in page
    assert how in page
    assert ("Not on the map" in page) == (places is not None)
    assert "<td>milk &amp; &lt;honey&gt;</td><td>120</td><td>140</td><td>rises</td>" in page
    assert "<td>a</td><td>50</td><td>100</td><td>rises</td>" in page
    series = "<td>milk &amp; &lt;honey&gt;, location a</td>"
    assert f'{series}<td class="text">2024-01-14</td><td>40</td><td>80</td><td>120</td>' in page
    assert render(samples.contents(), None, samples.coming(places)) == page


def test_a_report_without_a_forecast_has_no_such_section() -> None:
    assert "Forecast of the coming" not in render(samples.contents())
