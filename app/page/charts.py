"""The page's charts as ECharts options, each with the rows that it draws.

Series differ in dash, marker or hatching, not in colour alone, and every axis says its unit.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from ..report.palette import ALARM, FAINT, GREY, INK, LEARNED, MODEL

Row = Mapping[str, Any]
_HATCH = {"symbol": "rect", "dashArrayX": [1, 0], "dashArrayY": [2, 3], "rotation": -0.8, "color": "#ffffff"}


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
        series.append(_bar(lo, hi, item, MODEL))
    dots = [[_short(row["mean"]), row["item"]] for row in own]
    middles = [[_short(median(r["mean"] for r in own if r["item"] == item)), item] for item in items]
    series.append(_points("a series", dots, "circle", 5, {"color": "transparent", "borderColor": GREY}))
    series.append(_points("median location", middles, "diamond", 12, {"color": MODEL}))
    series[-1]["markLine"] = _line_at("x", -1, "−1")
    options = _frame(
        {"type": "value", "name": "own elasticity (% of demand per % of price)", **_MIDDLE},
        _names(items),
        series,
        legend=["a series", "median location"],
    )
    about = (
        "Left of −1 demand is elastic: a higher price loses revenue. Bars: 90% interval of the median"
        " location."
    )
    return Chart("Own elasticity by item", about, options, own, 130 + 34 * len(items))


def calibration(told: Row) -> Chart:
    """Where outcomes fell in their forecast distributions."""
    shares = told["histogram"]
    names = [f"{10 * n}–{10 * n + 10}%" for n in range(len(shares))]
    bars = {
        "name": "outcomes",
        "type": "bar",
        "barWidth": "90%",
        "data": [_short(100 * share) for share in shares],
        "itemStyle": {"color": MODEL},
    }
    bars["markLine"] = _line_at("y", 10, "calibrated")
    options = _frame(
        {"type": "category", "data": names, "name": "part of the forecast distribution", **_MIDDLE},
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
        *_band("80% of simulations", [row["lo"] for row in rows], [row["hi"] for row in rows]),
        _line("simulated", [row["simulated"] for row in rows], MODEL, "dashed"),
        _line("real", [row["real"] for row in rows], INK),
    ]
    options = _frame(_dates(dates), _units(f"units per {period}, all series"), series, legend=True)
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
        *_band("elasticity's 90%", *([[row["price"], row[end]] for row in rows] for end in ("lo", "hi"))),
        _line("never tried", [[row["price"], row["units"]] for row in rows], GREY, "dotted"),
        _line("expected units", inside, MODEL, width=3),
        _points(
            "prices charged", [[price, 0] for price in told["observed"]], "rect", [1, 12], {"color": INK}
        ),
    ]
    series[3]["markArea"] = {
        "silent": True,
        "itemStyle": {"color": FAINT, "opacity": 0.35},
        "data": [[{"xAxis": low, "name": "tried"}, {"xAxis": high}]],
    }
    series[3]["markLine"] = _line_at("x", told["reference"], "reference price")
    axis = {"type": "value", "name": f"price, {currency} per unit", "scale": True, **_MIDDLE}
    axis |= {"min": _short(rows[0]["price"]), "max": _short(rows[-1]["price"])}
    axis["axisLabel"] = {"showMinLabel": False, "showMaxLabel": False}
    options = _frame(axis, _units(f"units per {period}") | {"max": _above(top)}, series, legend=True)
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
        *_band("80% of outcomes", *([*blank, *part[end]] for end in ("lo", "hi"))),
        _line("median forecast", [*blank, *part["median"]], MODEL, "dashed"),
        _line("sold", [*part["units"], *[None] * len(part["dates"])], INK, symbol="circle"),
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
        _frame(_dates(dates), _units(f"units per {period}"), series, legend=True),
        rows,
    )


def places(rows: Sequence[Row], period: str) -> Chart:
    """The forecast of each location where it lies; the marker says whether it rises or falls."""
    largest = max((row["coming"] for row in rows), default=1.0) or 1.0
    kinds = {"rises": "triangle", "stays": "circle", "falls": "path://M0,0 L10,0 L5,9 Z"}
    colours = {"rises": MODEL, "stays": GREY, "falls": LEARNED}
    series = []
    for kind, symbol in kinds.items():
        of_kind = [row for row in rows if _course(row) == kind]
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
    options = _frame(
        {"type": "value", "scale": True, "name": "longitude, degrees", **_MIDDLE},
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
            "data": [_short(row["lately"]) for row in ordered],
            "itemStyle": {"color": GREY, "decal": _HATCH},
        },
        {
            "name": "forecast",
            "type": "bar",
            "data": [_short(row["coming"]) for row in ordered],
            "itemStyle": {"color": MODEL},
        },
    ]
    axis = {"type": "value", "name": f"units per {period}", **_MIDDLE}
    options = _frame(axis, _names([row[key] for row in ordered]), series, legend=True)
    about = f"Units per {period}: sold in as many last {period}s, and the sum of the median forecasts."
    return Chart(title, about, options, ordered, 110 + 40 * len(ordered))


def intervals(
    title: str, about: str, unit: str, rows: Sequence[Row], *, zero: bool = False, marked: Iterable[str] = ()
) -> Chart:
    """Means with 95% intervals, one row a ``name``; the marked ones differ in shape."""
    ours = set(marked)
    names = [row["name"] for row in rows]
    series: list[dict[str, Any]] = [
        _bar(row["lo"], row["hi"], row["name"], LEARNED if row["name"] in ours else INK) for row in rows
    ]
    for label, symbol, colour, held in (
        ("learned", "diamond", LEARNED, [row for row in rows if row["name"] in ours]),
        ("rule" if ours else "mean", "circle", INK, [row for row in rows if row["name"] not in ours]),
    ):
        if held:
            data = [[_short(row["mean"]), row["name"]] for row in held]
            series.append(_points(label, data, symbol, 11, {"color": colour}))
    if zero:
        series[-1]["markLine"] = _line_at("x", 0, "")
    axis = {"type": "value", "scale": not zero, "name": unit, **_MIDDLE}
    legend = ["learned", "rule"] if ours else None
    options = _frame(axis, _names(names), series, legend=legend)
    return Chart(title, about, options, rows, 130 + 34 * len(rows))


def course(policy: str, rows: Sequence[Row], period: str, currency: str, tops: tuple[float, float]) -> Chart:
    """Price above; stock, sales and lost sales below; one series, one policy. ``tops`` end the two axes."""
    periods = [row["period"] for row in rows]

    def step(name: str, key: str, colour: str, dash: str, grid: int, **more: Any) -> dict[str, Any]:
        line = _line(name, [row[key] for row in rows], colour, dash)
        return {**line, "step": "middle", "xAxisIndex": grid, "yAxisIndex": grid, **more}

    lost = {
        "name": "lost sales",
        "type": "bar",
        "xAxisIndex": 1,
        "yAxisIndex": 1,
        "barWidth": "60%",
        "data": [_short(row["unmet"]) for row in rows],
        "itemStyle": {"color": ALARM, "decal": _HATCH},
    }
    series = [
        step("price", "price", LEARNED, "solid", 0),
        step("stock", "on_hand", GREY, "dotted", 1, areaStyle={"color": FAINT, "opacity": 0.6}),
        lost,
        step("demand", "demand", INK, "dashed", 1),
        step("sales", "sales", MODEL, "solid", 1),
    ]
    options = _frame({}, {}, series, legend=["price", "stock", "demand", "sales", "lost sales"])
    options["grid"] = [
        {"left": 60, "right": 16, "top": 36, "height": 90},
        {"left": 60, "right": 16, "top": 168, "bottom": 84},
    ]
    x = {"type": "category", "data": periods, "axisTick": {"alignWithLabel": True}}
    options["xAxis"] = [
        {**x, "gridIndex": 0, "axisLabel": {"show": False}},
        {**x, "gridIndex": 1, "name": f"{period} of the episode", **_MIDDLE},
    ]
    y = {"type": "value", "nameTextStyle": {"align": "left", "color": INK}}
    options["yAxis"] = [
        {**y, "gridIndex": 0, "name": f"price, {currency} per unit", "scale": True, "max": _above(tops[0])},
        {**y, "gridIndex": 1, "name": f"units per {period}", "min": 0, "max": _above(tops[1])},
    ]
    return Chart(policy, "", options, rows, 430)


def _course(row: Row) -> str:
    """Whether a forecast lies above or below what was sold lately."""
    change = row["coming"] / max(row["lately"], 1e-9) - 1
    return "rises" if change > 0.05 else "falls" if change < -0.05 else "stays"


_MIDDLE = {"nameLocation": "middle", "nameGap": 30}


def _frame(
    x: dict[str, Any],
    y: dict[str, Any],
    series: list[dict[str, Any]],
    legend: Sequence[str] | bool | None = None,
) -> dict[str, Any]:
    """What all charts share."""
    names = [one["name"] for one in series if one.get("name")] if legend is True else legend or ()
    areas = {one["name"] for one in series if "areaStyle" in one}
    x["nameTextStyle"] = {"color": INK}
    y["nameTextStyle"] = {"color": INK, "align": "left"}
    shown = [{"name": name, **({"icon": "roundRect"} if name in areas else {})} for name in names]
    below = 34 if not names else 66 if len(names) < 3 else 88  # on a phone the legend takes two lines
    return {
        "animation": False,
        "textStyle": {"color": INK, "fontSize": 12},
        "aria": {"enabled": True},
        "tooltip": {"trigger": "axis", "confine": True},
        "grid": {"left": 8, "right": 22, "top": 34, "bottom": below, "containLabel": True},
        "legend": {"data": shown, "bottom": 0, "left": "center"} if names else {"show": False},
        "xAxis": x,
        "yAxis": y,
        "series": series,
    }


def _line(
    name: str, values: Sequence[Any], colour: str, dash: str = "solid", symbol: str = "none", width: float = 2
) -> dict[str, Any]:
    style = {"color": colour, "type": dash, "width": width}
    data = [
        [_short(part) for part in value] if isinstance(value, list) else _short(value) for value in values
    ]
    return {
        "name": name,
        "type": "line",
        "data": data,
        "symbol": symbol,
        "symbolSize": 4,
        "lineStyle": style,
        "itemStyle": {"color": colour},
    }


def _band(name: str, lo: Sequence[Any], hi: Sequence[Any]) -> list[dict[str, Any]]:
    """The area between two lines: the lower one, unseen, and what the upper one has more."""
    if lo and isinstance(lo[0], list):
        more = [[a[0], b[1] - a[1]] for a, b in zip(lo, hi, strict=True)]
    else:
        more = [None if a is None else b - a for a, b in zip(lo, hi, strict=True)]
    unseen = {"stack": name, "lineStyle": {"opacity": 0}, "tooltip": {"show": False}, "silent": True}
    lower = {**_line("", lo, MODEL), **unseen}
    upper = {**_line(name, more, MODEL), **unseen, "areaStyle": {"color": MODEL, "opacity": 0.2}}
    return [lower, upper]


def _bar(lo: float, hi: float, name: str, colour: str) -> dict[str, Any]:
    """An interval beside its name."""
    return {
        "type": "line",
        "data": [[_short(lo), name], [_short(hi), name]],
        "symbol": "none",
        "lineStyle": {"color": colour, "width": 4},
        "tooltip": {"show": False},
        "silent": True,
    }


def _points(name: str, data: list[Any], symbol: str, size: Any, style: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "type": "scatter",
        "data": data,
        "symbol": symbol,
        "symbolSize": size,
        "itemStyle": style,
    }


def _names(names: Sequence[str]) -> dict[str, Any]:
    """An axis of names, the first on top."""
    label = {"width": 118, "overflow": "break", "lineHeight": 14, "color": INK, "interval": 0}
    return {
        "type": "category",
        "data": list(names),
        "inverse": True,
        "axisLabel": label,
        "axisTick": {"show": False},
    }


def _dates(dates: Sequence[str]) -> dict[str, Any]:
    return {"type": "category", "data": list(dates), "boundaryGap": False, "axisLabel": {"hideOverlap": True}}


def _units(name: str) -> dict[str, Any]:
    return {"type": "value", "name": name, "min": 0}


def _line_at(axis: str, value: float, label: str) -> dict[str, Any]:
    return {
        "silent": True,
        "symbol": "none",
        "data": [{f"{axis}Axis": value}],
        "label": {"formatter": label, "position": "insideEndTop", "color": INK},
        "lineStyle": {"color": INK, "type": "dashed", "width": 1},
    }


def _short(value: Any) -> Any:
    """A number as a chart shows it: four digits."""
    return float(f"{value:.4g}") if isinstance(value, float) else value


def _above(value: float) -> float:
    """The next number of two digits: where an axis ends."""
    size = 10.0 ** (math.floor(math.log10(value)) - 1) if value > 0 else 1.0
    return _short(math.ceil(value / size) * size) if value > 0 else 1.0


def _cell(value: Any) -> Any:
    """Text that a spreadsheet would take for a formula is shown as text."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value
