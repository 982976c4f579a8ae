"""``mercato drift``: whether a market is still as it was learned."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from ..console import print_table, stderr, stdout
from ..output import to_json

if TYPE_CHECKING:
    from ..updating.watching import Drift


def run(market: Path, panel: Path, json: bool) -> None:
    from ..updating.api import drift

    found = drift(market, panel)
    if json:
        print(to_json(told(found)))
    else:
        for note in found.notes:
            stderr().print(note)
        show(found, stdout())


def told(found: Drift) -> dict[str, Any]:
    """What ``--json`` prints; the evidence is null where no chance is left."""
    return {
        "periods": found.periods,
        "since": found.since,
        "until": found.until,
        "false_alarms_a_year": found.rate,
        "alarms": [asdict(alarm) for alarm in found.alarms],
        "notes": found.notes,
    }


def show(found: Drift, console: Console) -> None:
    """The alarms as a table, and what to do about each kind."""
    if found.periods == 0:
        console.print(f"nothing to test: the market was learned from all periods up to {found.until}")
        return
    span = f"{found.since} to {found.until}, at most {found.rate:g} false alarms a year in all"
    if not found.alarms:
        console.print(f"no alarm, {span}")
        return
    rows = [
        (f"{one.test} of {one.where}" if one.test != "column" else one.where, one.since, one.date, one.said)
        for one in found.alarms
    ]
    print_table(console, f"alarms, {span}", ("what", "since", "raised", "how much"), rows)
    for advice in dict.fromkeys(one.advice for one in found.alarms):
        console.print(advice)
