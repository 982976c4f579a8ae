"""The page's charts as ECharts options, each with the rows that it draws.

Series differ in dash, marker or hatching, not in colour alone, and every axis says its unit.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from ..report import coming
from ..report.palette import ALARM, FAINT, GREY, INK, LEARNED, MODEL
from .echarts import (
    HATCH,
    MIDDLE,
    above,
    band,
    dates_on,
    frame,
    interval,
    line,
    line_at,
    names_on,
    points,
    short,
    tall,
    units_on,
)

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Chart:
    """What is drawn, and what it is drawn from."""

    title: str
    about: str  # one sentence for who cannot see it, and below the title for who can
    options: dict[str, Any]
    rows: Sequence[Row]
    height: int = 300  # pixels

    def csv(self) -> str:
        """The rows as a table that any spreadsheet reads."""
        out = io.StringIO()
        columns = list(dict.fromkeys(name for row in self.rows for name in row))
        writer = csv.DictWriter(out, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: _cell(value) for name, value in row.items()} for row in self.rows)
        return out.getvalue()


def elasticities(card: Row) -> Chart:
    """Own elasticities: a dot a series, a bar for the 90% interval of an item's median location."""
    own = card["elasticity"]["own"]
    items = list(dict.fromkeys(row["item"] for row in own))
    series: list[dict[str, Any]] = []
    for item in items:
        of_item = [row for row in own if row["item"] == item]
        lo, hi = (median(row[end] for row in of_item) for end in ("lo", "hi"))
        series.append(interval(lo, hi, item, MODEL))
    dots = [[short(row["mean"]), row["item"]] for row in own]
    middles = [[short(median(r["mean"] for r in own if r["item"] == item)), item] for item in items]
    series.append(points("a series", dots, "circle", 5, {"color": FAINT, "borderColor": GREY}))
    series.append(points("median location", middles, "diamond", 12, {"color": MODEL}))
    series[-1]["markLine"] = line_at("x", -1, "")
    options = frame(
        {"type": "value", "name": "own elasticity (% of demand per % of price)", **MIDDLE},
        names_on(items),
        series,
        legend=["a series", "median location"],
    )
    about = (
        "Left of −1 (dashed) demand is elastic: a higher price loses revenue. Bars: 90% interval of the"
        " median location."
    )
    return Chart("Own elasticity by item", about, options, own, tall(items))


def calibration(told: Row) -> Chart:
    """Where outcomes fell in their forecast distributions."""
    shares = told["histogram"]
    names = [f"{10 * n}–{10 * n + 10}%" for n in range(len(shares))]
    bars = {
        "name": "outcomes",
        "type": "bar",
        "barWidth": "90%",
        "data": [short(100 * share) for share in shares],
        "itemStyle": {"color": MODEL},
    }
    bars["markLine"] = line_at("y", 10, "calibrated")
    options = frame(
        {"type": "category", "data": names, "name": "part of the forecast distribution", **MIDDLE},
        {"type": "value", "name": "% of outcomes", "min": 0},
        [bars],
    )
    rows = [{"part": name, "share": share} for name, share in zip(names, shares, strict=True)]
    return Chart("Where outcomes fell", "A calibrated forecast has a tenth in each part.", options, rows, 260)


def totals(card: Row, period: str) -> Chart:
    """Units of all series by period, real and simulated."""
    rows = card["simulated"]["totals"]
    dates = [row["date"] for row in rows]
    series = [
        *band("80% of simulations", [row["lo"] for row in rows], [row["hi"] for row in rows]),
        line("simulated", [row["simulated"] for row in rows], MODEL, "dashed"),
        line("real", [row["real"] for row in rows], INK),
    ]
    options = frame(dates_on(dates), units_on(f"units per {period}, all series"), series, legend=True)
    return Chart("Simulated against real sales", "At the prices that were charged.", options, rows, 300)


def response(told: Row, period: str, currency: str) -> Chart:
    """Expected units over price, with the supported range."""
    low, high = told["support"]
    keys = ("price", "units", "lo", "hi")
    rows = [dict(zip(keys, cells, strict=True)) for cells in zip(*(told[key] for key in keys), strict=True)]
    rows = [{**row, "supported": low <= row["price"] <= high} for row in rows]
    top = 1.25 * max((row["hi"] for row in rows if row["supported"]), default=1.0)
    inside = [[row["price"], row["units"] if row["supported"] else None] for row in rows]
    series = [
        *band("elasticity's 90%", *([[row["price"], row[end]] for row in rows] for end in ("lo", "hi"))),
        line("never tried", [[row["price"], row["units"]] for row in rows], GREY, "dotted"),
        line("expected units", inside, MODEL, width=3),
        points("prices charged", [[price, 0] for price in told["observed"]], "rect", [1, 12], {"color": INK}),
    ]
    series[3]["markArea"] = {
        "silent": True,
        "itemStyle": {"color": FAINT, "opacity": 0.35},
        "data": [[{"xAxis": low, "name": "tried"}, {"xAxis": high}]],
    }
    series[3]["markLine"] = line_at("x", told["reference"], "reference price")
    axis = {"type": "value", "name": f"price, {currency} per unit", "scale": True, **MIDDLE}
    axis |= {"min": short(rows[0]["price"]), "max": short(rows[-1]["price"])}
    axis["axisLabel"] = {"showMinLabel": False, "showMaxLabel": False}
    options = frame(axis, units_on(f"units per {period}") | {"max": above(top)}, series, legend=True)
    about = (
        f"Supported prices: {low:.2f} to {high:.2f} {currency}; outside them the curve is an extrapolation."
    )
    return Chart(f"Price response: {told['title']}", about, options, rows, 380)


def future(told: Row, part: Row, period: str) -> Chart:
    """One series: what was sold, and the deciles of what will be wanted."""
    blank: list[None] = [None] * len(told["past"])
    dates = [*told["past"], *part["dates"]]
    keys = ("lo", "median", "hi")
    series = [
        *band("80% of outcomes", *([*blank, *part[end]] for end in ("lo", "hi"))),
        line("median forecast", [*blank, *part["median"]], MODEL, "dashed"),
        line("sold", [*part["units"], *[None] * len(part["dates"])], INK, symbol="circle"),
    ]
    rows: list[Row] = [
        {"date": day, "sold": units} for day, units in zip(told["past"], part["units"], strict=True)
    ]
    rows += [
        {"date": day, **dict(zip(keys, cells, strict=True))}
        for day, *cells in zip(part["dates"], *(part[key] for key in keys), strict=True)
    ]
    title = f"{part['item']}, location {part['location']}"
    return Chart(
        title,
        "Forecast at the last prices, without promotions, whatever the stock.",
        frame(dates_on(dates), units_on(f"units per {period}"), series, legend=True),
        rows,
    )


def places(rows: Sequence[Row], period: str) -> Chart:
    """The forecast of each location where it lies; the marker says whether it rises or falls."""
    largest = max((row["coming"] for row in rows), default=1.0) or 1.0
    kinds = {"rises": "triangle", "stays": "circle", "falls": "path://M0,0 L10,0 L5,9 Z"}
    colours = {"rises": MODEL, "stays": GREY, "falls": LEARNED}
    series = []
    for kind, symbol in kinds.items():
        of_kind = [row for row in rows if coming.course(row) == kind]
        data = [
            {
                "name": f"{row['location']}: {row['coming']:,.0f} units per {period}",
                "value": [row["lon"], row["lat"]],
                "symbolSize": 9 + 25 * (row["coming"] / largest) ** 0.5,
            }
            for row in of_kind
        ]
        style = {"color": colours[kind], "opacity": 0.75, "borderColor": "#ffffff"}
        series.append({"name": kind, "type": "scatter", "symbol": symbol, "data": data, "itemStyle": style})
    options = frame(
        {"type": "value", "scale": True, "name": "longitude, degrees", **MIDDLE},
        {"type": "value", "scale": True, "name": "latitude, degrees"},
        series,
        legend=True,
    )
    options["tooltip"] = {"trigger": "item", "confine": True, "formatter": "{b}"}
    about = (
        f"Size: units per {period} that are forecast. Up, down or round: 5% more or less than lately, or"
        " neither."
    )
    return Chart("Forecast by location", about, options, rows, 420)


def before_and_after(title: str, key: str, rows: Sequence[Row], period: str) -> Chart:
    """Mean units a period of each location or item: lately, and as forecast."""
    ordered = sorted(rows, key=lambda row: -row["coming"])
    series = [
        {
            "name": "lately",
            "type": "bar",
            "data": [short(row["lately"]) for row in ordered],
            "itemStyle": {"color": GREY, "decal": HATCH},
        },
        {
            "name": "forecast",
            "type": "bar",
            "data": [short(row["coming"]) for row in ordered],
            "itemStyle": {"color": MODEL},
        },
    ]
    axis = {"type": "value", "name": f"units per {period}", **MIDDLE}
    names = [row[key] for row in ordered]
    options = frame(axis, names_on(names), series, legend=True)
    about = f"Units per {period}: sold in as many last {period}s, and the sum of the median forecasts."
    return Chart(title, about, options, ordered, tall(names, 2))


def intervals(
    title: str, about: str, unit: str, rows: Sequence[Row], *, zero: bool = False, marked: Iterable[str] = ()
) -> Chart:
    """Means with 95% intervals, one row a ``name``; the marked ones differ in shape."""
    ours = set(marked)
    names = [row["name"] for row in rows]
    series: list[dict[str, Any]] = [
        interval(row["lo"], row["hi"], row["name"], LEARNED if row["name"] in ours else INK) for row in rows
    ]
    for label, symbol, colour, held in (
        ("learned", "diamond", LEARNED, [row for row in rows if row["name"] in ours]),
        ("rule" if ours else "mean", "circle", INK, [row for row in rows if row["name"] not in ours]),
    ):
        if held:
            data = [[short(row["mean"]), row["name"]] for row in held]
            series.append(points(label, data, symbol, 11, {"color": colour}))
    if zero:
        series[-1]["markLine"] = line_at("x", 0, "")
    axis = {"type": "value", "scale": not zero, "name": unit, **MIDDLE}
    legend = ["learned", "rule"] if ours else None
    options = frame(axis, names_on(names), series, legend=legend)
    return Chart(title, about, options, rows, tall(names))


def course(policy: str, rows: Sequence[Row], period: str, currency: str, tops: tuple[float, float]) -> Chart:
    """Price above; stock, sales and lost sales below; one series, one policy. ``tops`` end the two axes."""
    periods = [row["period"] for row in rows]

    def step(name: str, key: str, colour: str, dash: str, grid: int, **more: Any) -> dict[str, Any]:
        drawn = line(name, [row[key] for row in rows], colour, dash)
        return {**drawn, "step": "middle", "xAxisIndex": grid, "yAxisIndex": grid, **more}

    lost = {
        "name": "lost sales",
        "type": "bar",
        "xAxisIndex": 1,
        "yAxisIndex": 1,
        "barWidth": "60%",
        "data": [short(row["unmet"]) for row in rows],
        "itemStyle": {"color": ALARM, "decal": HATCH},
    }
    series = [
        step("price", "price", LEARNED, "solid", 0),
        step("stock", "on_hand", GREY, "dotted", 1, areaStyle={"color": FAINT, "opacity": 0.6}),
        lost,
        step("demand", "demand", INK, "dashed", 1),
        step("sales", "sales", MODEL, "solid", 1),
    ]
    options = frame({}, {}, series, legend=["price", "stock", "demand", "sales", "lost sales"])
    options["grid"] = [
        {"left": 60, "right": 16, "top": 36, "height": 90},
        {"left": 60, "right": 16, "top": 168, "bottom": 84},
    ]
    x = {"type": "category", "data": periods, "axisTick": {"alignWithLabel": True}}
    options["xAxis"] = [
        {**x, "gridIndex": 0, "axisLabel": {"show": False}},
        {**x, "gridIndex": 1, "name": f"{period} of the episode", **MIDDLE},
    ]
    y = {"type": "value", "nameTextStyle": {"align": "left", "color": INK}}
    options["yAxis"] = [
        {**y, "gridIndex": 0, "name": f"price, {currency} per unit", "scale": True, "max": above(tops[0])},
        {**y, "gridIndex": 1, "name": f"units per {period}", "min": 0, "max": above(tops[1])},
    ]
    return Chart(policy, "", options, rows, 430)


def _cell(value: Any) -> Any:
    """Text that a spreadsheet would take for a formula is shown as text."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value
