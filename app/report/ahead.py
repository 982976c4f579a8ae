"""The report's forecast of coming periods: by item, by location where it lies, and of three series."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator

from . import coming, figures
from .coming import Told
from .contents import Contents, Forecast
from .drawing import compact, drawn, legend, short
from .html import folded, gallery, picture, table
from .palette import FAINT, GREY, LEARNED, MODEL
from .words import count, number

_MOST = 12  # bars in a picture; the table has them all
_NAMED = 3  # places on the map with their names
_MARKS = {"rises": ("^", MODEL), "stays": ("o", GREY), "falls": ("v", LEARNED)}

Row = Mapping[str, Any]


def section(told: Told, contents: Contents) -> str:
    """HTML of a forecast (``report.coming``)."""
    period = contents.period
    items, locations = (
        sorted(coming.totals(told, key), key=lambda row: -row["coming"]) for key in ("item", "location")
    )
    placed, elsewhere = coming.placed(told)
    shown = _typical(told)
    pictures = [
        picture(_totals(items, "item", period), "Units by item: sold lately, and forecast."),
        picture(_places(placed, period), "Forecast by location on a map; the numbers are in the table below.")
        if placed
        else picture(_totals(locations, "location", period), "Units by location: sold lately, and forecast."),
        *(picture(figures.forecast(part, contents), f"Forecast: {part.title}") for part in shown),
    ]
    notes = [coming.SUMMED, coming.unplaced(elsewhere) if placed else ""]
    data = (
        folded(f"The data by item ({len(items)})", _table(items, "item", period)),
        folded(f"The data by location ({len(locations)})", _table(locations, "location", period)),
        folded(f"The data of the series in the pictures ({len(shown)})", _deciles(shown, period)),
    )
    title = f"Forecast of the coming {count(len(told['coming']), period)}"
    said = " ".join(filter(None, notes))
    return (
        gallery(title, f"{coming.LEAD} {coming.span(told, period)}", pictures)
        + f'<p class="note">{escape(said)} All deciles of all series:'
        " <code>mercato forecast</code>.</p>\n" + "".join(data)
    )


def _typical(told: Told) -> list[Forecast]:
    """The series of which most is forecast, one in the middle, and a small one, with their past."""
    ordered = sorted(told["series"], key=lambda part: -sum(part["median"]))
    picks = dict.fromkeys(int(share * (len(ordered) - 1)) for share in (0.0, 0.5, 0.9))
    blank = [None] * len(told["past"])
    return [
        Forecast(
            title=f"{part['item']}, location {part['location']}",
            dates=[*told["past"], *part["dates"]],
            units=[*part["units"], *[None] * len(part["dates"])],
            **{end: [*blank, *part[end]] for end in ("lo", "median", "hi")},
        )
        for part in (ordered[pick] for pick in picks)
    ]


def _totals(rows: Sequence[Row], key: str, period: str) -> str:
    """Mean units a period: lately above, as forecast below; of the largest, largest on top."""
    largest = rows[:_MOST]

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        places = np.arange(len(largest))
        before: Any = {"color": FAINT, "edgecolor": GREY, "hatch": "////", "linewidth": 0.6}
        axes.barh(places - 0.19, [row["lately"] for row in largest], 0.36, label="sold lately", **before)
        axes.barh(places + 0.19, [row["coming"] for row in largest], 0.36, color=MODEL, label="forecast")
        axes.set_yticks(places, [str(row[key]) for row in largest])
        axes.set_ylim(len(largest) - 0.4, -0.6)
        some = f", the {_MOST} largest" if len(rows) > _MOST else ""
        axes.set_title(f"Forecast by {key}{some}")
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="x", color=FAINT, linewidth=0.6)
        axes.set_axisbelow(True)
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.set_xlabel(f"units per {period}")
        short(axes.xaxis)
        legend(figure)

    return drawn(1.2 + 0.3 * len(largest), draw)


def _places(rows: Sequence[Row], period: str) -> str:
    """Every location where it lies: size by its forecast, shape by whether that rises or falls."""
    largest = max(row["coming"] for row in rows) or 1.0

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        for name in coming.COURSES:
            mark, colour = _MARKS[name]
            of_kind = [row for row in rows if coming.course(row) == name]
            sizes = [20 + 230 * row["coming"] / largest for row in of_kind]
            where = [[row[end] for row in of_kind] for end in ("lon", "lat")]
            look: Any = {"s": sizes, "marker": mark, "color": colour, "edgecolors": "white", "alpha": 0.7}
            axes.scatter(*where, linewidths=0.6, **look)
            axes.plot([], [], mark, color=colour, label=f"{name} ({len(of_kind)})")
        for row in sorted(rows, key=lambda row: -row["coming"])[:_NAMED]:
            said = f"{row['location']}: {compact(row['coming'])}"
            right: Any = {"xytext": (8, 4), "textcoords": "offset points", "fontsize": 8}
            right["path_effects"] = [withStroke(linewidth=2.5, foreground="white")]
            axes.annotate(said, (row["lon"], row["lat"]), **right)
        middle = math.radians(float(np.mean([row["lat"] for row in rows])))
        axes.set_aspect(1 / max(math.cos(middle), 0.1), adjustable="datalim")
        said = f"size: units per {period}; rises, falls: by more than 5% against lately"
        axes.set(title="Forecast by location", ylabel="latitude, degrees")
        axes.set_xlabel(f"longitude, degrees\n{said}")
        axes.margins(0.12)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(MaxNLocator(5))
        axes.grid(color=FAINT, linewidth=0.6)
        axes.set_axisbelow(True)
        legend(figure)

    return drawn(4.0, draw)


def _table(rows: Sequence[Row], key: str, period: str) -> str:
    cells = [
        [escape(str(row[key])), *(number(row[end]) for end in ("lately", "coming")), coming.course(row)]
        for row in rows
    ]
    return table((key, f"lately, units per {period}", "forecast", ""), cells)


def _deciles(shown: Sequence[Forecast], period: str) -> str:
    cells = [
        [escape(part.title), day, *map(number, deciles)]
        for part in shown
        for day, *deciles in zip(part.dates, part.lo, part.median, part.hi, strict=True)
        if deciles[1] is not None
    ]
    return table(("series", period, "10% decile, units", "median", "90% decile"), cells, text=(1,))
