"""What price does to the demand of any series."""

from __future__ import annotations

from typing import Any

from ...report.words import period_name
from .. import charts, parts
from ..nice import ui
from ..view import Desk, View

_LEAD = (
    "Expected units of the period after the table over the series' own price, the other prices at their"
    " reference. The band is the 90% interval of its own elasticity; the grey range was tried."
)


async def build(desk: Desk) -> None:
    parts.paragraph(_LEAD)
    about = await parts.opened(desk)
    parts.series_choice(about, desk.kept.setdefault("response", {}), lambda where: _show(desk, about, where))


async def _show(desk: Desk, about: dict[str, Any], where: dict[str, str]) -> None:
    with ui.element("div").classes("w-full"), parts.told():
        found = await desk.ask("response", desk.home.market, where["location"], where["item"])
        parts.figure(charts.response(found, period_name(about["frequency"]), about["currency"]))


VIEW = View("/response", "Price response", build)
