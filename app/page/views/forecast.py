"""What will be sold: by location, on a map where coordinates are known, by item, and of any series."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ...report.words import count, period_name
from .. import charts, parts
from ..nice import ui
from ..view import Desk, View

_USUAL, _MOST = 8, 104  # periods
_LEAD = (
    "Demand of the coming periods at the last prices and without promotions, whatever the stock, by the"
    " market model."
)


async def build(desk: Desk) -> None:
    parts.paragraph(_LEAD)
    about = await parts.opened(desk)
    period = period_name(about["frequency"])
    place = ui.element("div").classes("w-full")

    def start(horizon: Any) -> None:
        place.clear()
        with place, parts.told():
            periods = parts.whole_number("periods", horizon, 1, _MOST)
            out = desk.home.kept(f"forecast-{periods}")
            if out.is_file():
                _show(desk, periods, period)
                return
            job = desk.start("forecast", "forecast", desk.home.market, periods, 0, out)
            parts.watch(job, lambda _: _show(desk, periods, period), lambda: None)

    with ui.element("div").classes("controls"):
        horizon = ui.number(f"{period}s ahead", value=_USUAL, min=1, max=_MOST, precision=0)
        ui.button("Forecast", icon="timeline", on_click=lambda: start(horizon.value)).props("no-caps")
    place.move(target_index=-1)
    start(_USUAL)


def _show(desk: Desk, periods: int, period: str) -> None:
    out = desk.home.kept(f"forecast-{periods}")
    told = json.loads(out.read_text("utf-8"))
    ahead = count(len(told["coming"]), period)
    with ui.row().classes("items-center"):
        parts.paragraph(f"{ahead}, {told['coming'][0]} to {told['coming'][-1]}; seed 0.")
        parts.download(
            "All deciles of all series",
            "forecast.csv",
            lambda: out.with_suffix(".csv").read_text("utf-8"),
            "all deciles (CSV)",
        )
    locations, items = (totals(told, key) for key in ("location", "item"))
    with parts.gallery():
        parts.figure(charts.before_and_after("Forecast by item", "item", items, period))
        if told["places"]:
            placed = [
                {**row, "lat": told["places"][row["location"]][0], "lon": told["places"][row["location"]][1]}
                for row in locations
            ]
            parts.figure(charts.places(placed, period))
        else:
            parts.figure(charts.before_and_after("Forecast by location", "location", locations, period))
    parts.paragraph(
        "Of locations and items the sums of the median forecasts are shown: the intervals of series do not"
        " add up. What was sold lately ends where stock ran out; the forecast is of demand.",
        "note",
    )
    parts.heading("One series")
    found = {(part["location"], part["item"]): part for part in told["series"]}

    async def one(where: dict[str, str]) -> None:
        parts.figure(charts.future(told, found[where["location"], where["item"]], period))

    parts.series_choice({"series": list(found)}, desk.kept.setdefault("forecast", {}), one)


def totals(told: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    """Mean units a period of each location or item: ``coming``, and ``lately`` over as many last periods."""
    ahead = len(told["coming"])
    sums: dict[str, dict[str, Any]] = {}
    for part in told["series"]:
        row = sums.setdefault(part[key], {key: part[key], "lately": 0.0, "coming": 0.0})
        row["lately"] += _sum(part["units"][-ahead:]) / min(ahead, len(part["units"]))
        row["coming"] += _sum(part["median"]) / ahead
    return list(sums.values())


def _sum(values: Sequence[float | None]) -> float:
    return sum(value for value in values if value is not None)


VIEW = View("/forecast", "Forecast", build)
