"""Commands that go the whole way: `run` and `demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import (
    Absent,
    Busy,
    Currency,
    Drop,
    EconomicsFile,
    EventsFile,
    EventsMap,
    Freq,
    Holidays,
    ItemsFile,
    Map,
    OptionalPanel,
    Pathwise,
    Quick,
    Ray,
    RelationsFile,
    Roles,
    Seed,
    StockFile,
    Table,
    Workers,
)
from .reading import parse_beside, parse_reading


def run(
    out: Annotated[Path, typer.Option(help="Folder of the run.")],
    panel: OptionalPanel = None,
    economics: EconomicsFile = None,
    stock: StockFile = None,
    currency: Currency = None,
    map: Map = [],  # noqa: B006 (typer never mutates it)
    freq: Freq = None,
    absent: Absent = "unknown",
    role: Roles = [],  # noqa: B006
    holidays: Holidays = None,
    drop: Drop = [],  # noqa: B006
    events: EventsFile = None,
    map_events: EventsMap = [],  # noqa: B006
    busy: Busy = None,
    items: ItemsFile = None,
    relations: RelationsFile = None,
    seed: Seed = 0,
    quick: Quick = False,
    pathwise: Pathwise = False,
    workers: Workers = None,
    ray: Ray = None,
) -> None:
    """Do all steps on your own table or receipts: fit, card, train, benchmark, decide, report."""
    from .commands.run import run

    reading = parse_reading(map, freq, absent, role, holidays, drop)
    beside = parse_beside(events, items, relations, map_events, busy)
    run(panel, out, economics, stock, currency, reading, beside, seed, quick, pathwise, workers, ray)


def demo(
    out: Annotated[Path, typer.Option(help="Folder of the run.")] = Path("runs/demo"),
    data: Annotated[Table, typer.Option(help="Which table.")] = Table.orange_juice,
    seed: Seed = 0,
    quick: Quick = False,
    pathwise: Pathwise = False,
    workers: Workers = None,
    ray: Ray = None,
) -> None:
    """Do all steps on a public table."""
    from .commands.demo import run

    run(out, data.value, seed, quick, pathwise, workers, ray)
