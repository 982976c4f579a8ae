"""``mercato why``: what moves the expected demand of one series."""

from __future__ import annotations

from pathlib import Path

from ..console import print_table, stdout
from ..output import to_json
from ..report.words import number


def run(market: Path, location: str, item: str, date: str | None, json: bool) -> None:
    from ..api import why

    steps = why(market, location, item, date)
    if json:
        print(to_json(steps.to_dict("records")))
        return
    rows = [
        (step, "" if times != times else f"× {times:.3f}", number(units))
        for step, times, units in steps.itertuples(index=False)
    ]
    print_table(stdout(), f"{item}, location {location}", ("from an ordinary period", "", "units"), rows)
