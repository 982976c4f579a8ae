"""Pieces of ECharts options: a frame, axes, lines, bands and marks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..report.palette import INK, MODEL

_LONG, _MANY = 16, 20  # letters of a name that is broken; names that stand closer
HATCH = {"symbol": "rect", "dashArrayX": [1, 0], "dashArrayY": [2, 3], "rotation": -0.8, "color": "#ffffff"}

MIDDLE = {"nameLocation": "middle", "nameGap": 30}


def frame(
    x: dict[str, Any],
    y: dict[str, Any],
    series: list[dict[str, Any]],
    legend: Sequence[str] | bool | None = None,
) -> dict[str, Any]:
    """What all charts share."""
    names = [one["name"] for one in series if one.get("name")] if legend is True else legend or ()
    areas = {one["name"] for one in series if "areaStyle" in one}
    x["nameTextStyle"] = {"color": INK}
    x.setdefault("axisLabel", {})["hideOverlap"] = True
    x.setdefault("splitNumber", 4)
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


def line(
    name: str, values: Sequence[Any], colour: str, dash: str = "solid", symbol: str = "none", width: float = 2
) -> dict[str, Any]:
    style = {"color": colour, "type": dash, "width": width}
    data: list[Any] = [
        [short(part) for part in value] if isinstance(value, list) else short(value) for value in values
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


def band(name: str, lo: Sequence[Any], hi: Sequence[Any]) -> list[dict[str, Any]]:
    """The area between two lines: the lower one, unseen, and what the upper one has more."""
    more: list[Any]
    if lo and isinstance(lo[0], list):
        more = [[a[0], b[1] - a[1]] for a, b in zip(lo, hi, strict=True)]
    else:
        more = [None if a is None else b - a for a, b in zip(lo, hi, strict=True)]
    unseen = {"stack": name, "lineStyle": {"opacity": 0}, "tooltip": {"show": False}, "silent": True}
    lower = {**line("", lo, MODEL), **unseen}
    upper = {**line(name, more, MODEL), **unseen, "areaStyle": {"color": MODEL, "opacity": 0.2}}
    return [lower, upper]


def interval(lo: float, hi: float, name: str, colour: str) -> dict[str, Any]:
    """An interval beside its name."""
    return {
        "type": "line",
        "data": [[short(lo), name], [short(hi), name]],
        "symbol": "none",
        "lineStyle": {"color": colour, "width": 4},
        "tooltip": {"show": False},
        "silent": True,
    }


def points(name: str, data: list[Any], symbol: str, size: Any, style: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "type": "scatter",
        "data": data,
        "symbol": symbol,
        "symbolSize": size,
        "itemStyle": style,
    }


def names_on(names: Sequence[str]) -> dict[str, Any]:
    """An axis of names, the first on top."""
    label: dict[str, Any] = {"color": INK, "interval": 0}
    if max(map(len, names), default=0) > _LONG:
        label |= {"width": 118, "overflow": "break", "lineHeight": 13}
    return {
        "type": "category",
        "data": list(names),
        "inverse": True,
        "axisLabel": label,
        "axisTick": {"show": False},
    }


def tall(names: Sequence[str], bars: int = 1) -> int:
    """Pixels of a chart with a line for each name."""
    line, more = (34, 8) if len(names) <= _MANY else (20, 4) if len(names) <= 3 * _MANY else (14, 4)
    return 130 + (line + more * (bars - 1)) * len(names)


def dates_on(dates: Sequence[str]) -> dict[str, Any]:
    return {"type": "category", "data": list(dates), "boundaryGap": False, "axisLabel": {"hideOverlap": True}}


def units_on(name: str) -> dict[str, Any]:
    return {"type": "value", "name": name, "min": 0}


def line_at(axis: str, value: float, label: str) -> dict[str, Any]:
    return {
        "silent": True,
        "symbol": "none",
        "data": [{f"{axis}Axis": value}],
        "label": {"formatter": label, "position": "insideEndTop", "color": INK},
        "lineStyle": {"color": INK, "type": "dashed", "width": 1},
    }


def short(value: Any) -> Any:
    """A number as a chart shows it: four digits."""
    return float(f"{value:.4g}") if isinstance(value, float) else value


def above(value: float) -> float:
    """Where an axis ends that has to hold a value: the next half of its power of ten."""
    if value <= 0:
        return 1.0
    step = 10.0 ** math.floor(math.log10(value)) / 2
    return float(short(math.ceil(value / step) * step))
