"""The forecast of the table that a market was fitted to: made once, kept for the page and the report."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import pandas as pd

from ..forecasters.panel import SalesPanel
from ..forecasters.progress import SILENT, Progress
from ..forecasters.seal import of_values
from . import api
from .output import plain, write_file, write_text

_PAST = 52  # periods of history before a forecast
_DECILES = {"lo": "q0.1", "median": "q0.5", "hi": "q0.9"}


def keep_forecast(
    panel: SalesPanel, horizon: int, seed: int, out: Path, progress: Progress = SILENT
) -> dict[str, Any]:
    """``mercato forecast`` as CSV beside ``out``, which gets what charts need of it, as JSON.

    Returns:
        What ``out`` holds (``report.coming``).

    Raises:
        InputError: the history is too short.
    """
    rows = api.forecast(panel, horizon, seed, progress=progress)
    first = max(0, panel.periods - _PAST)
    numbers = {tuple(names): n for n, names in enumerate(panel.series.tolist())}
    series = []
    for (location, item), part in rows.groupby(["location", "item"], sort=False):
        n = numbers[panel.locations.index(location), panel.items.index(item)]
        series.append(
            {
                "location": location,
                "item": item,
                "units": panel.units[first:, n],
                "dates": [str(day.date()) for day in part["date"]],
                **{name: part[column] for name, column in _DECILES.items()},
            }
        )
    places = [] if panel.coordinates is None else panel.coordinates.astype(float).tolist()
    told: dict[str, Any] = {
        "of": _digest(panel),
        "past": [str(day) for day in panel.dates[first:]],
        "coming": [str(day.date()) for day in sorted(rows["date"].unique())],
        "seed": seed,
        "series": series,
        "places": dict(zip(panel.locations, places, strict=True)) if places else {},
    }
    told = plain(told)
    write_file(out.with_suffix(".csv"), lambda path: rows.to_csv(path, index=False))
    write_text(out, json.dumps(told))  # after the table: who finds it finds both
    return told


def kept_forecast(out: Path, panel: SalesPanel, horizon: int) -> pd.DataFrame | None:
    """The rows that ``keep_forecast`` wrote beside ``out``, if they are of this very table; else None."""
    try:
        told = json.loads(out.read_text(encoding="utf-8"))
        rows = pd.read_csv(
            out.with_suffix(".csv"), dtype={"location": str, "item": str}, keep_default_na=False
        )
    except (OSError, ValueError):
        return None
    if told.get("of") != _digest(panel) or len(told["coming"]) != horizon:
        return None
    return rows.assign(date=pd.to_datetime(rows["date"]))


def _digest(panel: SalesPanel) -> str:
    """Of all that a table holds, however it was read."""
    told = (getattr(panel, part.name) for part in fields(panel) if part.name not in ("report", "reading"))
    return of_values(*told)
