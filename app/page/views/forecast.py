"""What will be sold: by location, on a map where coordinates are known, by item, and of any series."""

from __future__ import annotations

from typing import Any

from ....forecasters.errors import InputError
from ...output import kept_result
from ...report import coming
from ...report.words import period_name
from .. import charts, parts
from ..nice import ui
from ..view import Desk, View

_MOST = 104  # periods


async def build(desk: Desk) -> None:
    parts.paragraph(coming.LEAD)
    about = await parts.opened(desk)
    period = period_name(about["frequency"])
    place = ui.element("div").classes("w-full")

    def start(horizon: Any) -> None:
        place.clear()
        with place, parts.told():
            periods = parts.whole_number("periods", horizon, 1, _MOST)
            out = desk.home.forecast(periods)
            if out.is_file():
                _show(desk, periods, period)
                return
            job = desk.start("forecast", "forecast", desk.home.market, periods, 0, out)
            parts.watch(job, lambda _: _show(desk, periods, period), lambda: None)

    with ui.element("div").classes("controls"):
        horizon = ui.number(f"{period}s ahead", value=coming.USUAL, min=1, max=_MOST, precision=0)
        ui.button("Forecast", icon="timeline", on_click=lambda: start(horizon.value)).props("no-caps")
    place.move(target_index=-1)
    start(coming.USUAL)


def _show(desk: Desk, periods: int, period: str) -> None:
    out = desk.home.forecast(periods)
    told = kept_result(out)
    if told is None:
        raise InputError(f"{out}: expected a forecast, found that it is gone; ask for it again")
    with ui.row().classes("items-center"):
        parts.paragraph(coming.span(told, period))
        parts.download(
            "All deciles of all series",
            "forecast.csv",
            lambda: out.with_suffix(".csv").read_text("utf-8"),
            "all deciles (CSV)",
        )
    items, (placed, elsewhere) = coming.totals(told, "item"), coming.placed(told)
    with parts.gallery():
        parts.figure(charts.before_and_after("Forecast by item", "item", items, period))
        if placed:
            parts.figure(charts.places(placed, period))
        else:
            locations = coming.totals(told, "location")
            parts.figure(charts.before_and_after("Forecast by location", "location", locations, period))
    if placed and elsewhere:
        parts.paragraph(coming.unplaced(elsewhere), "note")
    parts.paragraph(coming.SUMMED, "note")
    parts.heading("One series")
    found = {(part["location"], part["item"]): part for part in told["series"]}

    async def one(where: dict[str, str]) -> None:
        parts.figure(charts.future(told, found[where["location"], where["item"]], period))

    parts.series_choice({"series": list(found)}, desk.kept.setdefault("forecast", {}), one)


VIEW = View("/forecast", "Forecast", build)
