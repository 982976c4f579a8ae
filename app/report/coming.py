"""A forecast of coming periods as rows: the same on the local page and in the report.

``Told`` is what ``app.coming`` keeps of a forecast: ``past`` and ``coming`` (ISO dates), ``seed``, ``series``
(``location``, ``item``, ``units`` of the past, ``dates``, and the deciles ``lo``, ``median``, ``hi``) and
``places`` (latitude and longitude by location, null where unknown; empty where the table has none).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .words import count

Told = Mapping[str, Any]
USUAL = 8  # periods ahead, where nobody asks for another number

LEAD = (
    "Demand of the coming periods at the last prices and without promotions, whatever the stock, by the"
    " market model."
)
SUMMED = (
    "Of locations and items the sums of the median forecasts are shown: the intervals of series do not"
    " add up. What was sold lately has its promotions in it, and ends where stock ran out; the forecast is of"
    " demand without promotions."
)
COURSES = ("rises", "stays", "falls")
_NOTABLE = 0.05  # change against what was sold lately that is more than staying


def span(told: Told, period: str) -> str:
    """What is forecast, and by which seed."""
    ahead = count(len(told["coming"]), period)
    return f"{ahead}, {told['coming'][0]} to {told['coming'][-1]}; seed {told['seed']}."


def totals(told: Told, key: str) -> list[dict[str, Any]]:
    """Mean units a period of each location or item: ``coming``, and ``lately`` over as many last periods."""
    ahead = len(told["coming"])
    sums: dict[str, dict[str, Any]] = {}
    for part in told["series"]:
        row = sums.setdefault(part[key], {key: part[key], "lately": 0.0, "coming": 0.0})
        row["lately"] += _sum(part["units"][-ahead:]) / min(ahead, len(part["units"]))
        row["coming"] += _sum(part["median"]) / ahead
    return list(sums.values())


def placed(told: Told) -> tuple[list[dict[str, Any]], list[str]]:
    """The totals of locations that have a place, with ``lat`` and ``lon`` in degrees; and all others' names.

    No place of any is known in a table without coordinates.
    """
    rows, elsewhere = [], []
    for row in totals(told, "location"):
        lat, lon = told["places"].get(row["location"], (None, None))
        if lat is None or lon is None:
            elsewhere.append(row["location"])
        else:
            rows.append({**row, "lat": lat, "lon": lon})
    return rows, elsewhere


def unplaced(elsewhere: Sequence[str]) -> str:
    """A word on the locations that a map cannot show; none where it shows all."""
    some = ", ".join(elsewhere[:3]) + (" …" if len(elsewhere) > 3 else "")
    return f"Not on the map, without coordinates: {some} ({len(elsewhere)})." if elsewhere else ""


def course(row: Mapping[str, Any]) -> str:
    """Which of ``COURSES`` the forecast of a total takes from what was sold lately."""
    change = row["coming"] / max(row["lately"], 1e-9) - 1
    return "rises" if change > _NOTABLE else "falls" if change < -_NOTABLE else "stays"


def _sum(values: Sequence[float | None]) -> float:
    return sum(value for value in values if value is not None)
