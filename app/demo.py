"""The whole path on a public sales table, or on one whose truth is known (``run`` has the path itself)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..agents.workers import HERE, Workers
from ..envs.economics import Economics
from ..envs.structural import FAMILIES, Size, truth_folder
from ..forecasters.panel import read_panel
from ..forecasters.progress import Progress
from ..forecasters.sources import SOURCES, SourceUnavailable, write_source
from .output import write_json
from .run import RECORD, Case, Finished, RunSettings, Say, begun, go

REFERENCE = "reference"
_CURRENCY = {"orange-juice": "$", "ta-feng": "NT$"}


@dataclass(frozen=True)
class Made:
    """A table that is made, of a market whose truth is known, and the economics of its shop."""

    family: str
    size: Size = Size()
    economics: Economics = Economics()


MADE = {
    REFERENCE: Made("log-linear"),
    "fresh-food": Made(
        "hours-out-of-stock",
        Size(locations=6, items=4, weeks=280),
        Economics(lead_time=1, shelf_life=3, initial_cover=1.0, holding_rate=0.0, shortage_rate=0.05),
    ),
}
"""Fresh food is sold for three days, so that its price has a reason to move with the stock."""


def run_demo(
    folder: Path,
    name: str,
    seed: int,
    settings: RunSettings,
    progress: Progress,
    say: Say,
    workers: Workers = HERE,
) -> Finished:
    """Fetch or make the table ``name`` and go the whole way in ``folder``.

    Raises:
        InputError: the folder holds something that is not a run.
    """
    with begun(folder, {"data": name}, seed, settings, say) as (work, record):
        case = case_of(_data(work, record, seed, say), work / "panel.parquet")
        return go(work, case, seed, settings, progress, workers)


def _data(folder: Path, record: dict[str, Any], seed: int, say: Say) -> str:
    """Write panel.parquet and return whose it is: ``reference`` where the source cannot be reached."""
    if "data" in record:
        return str(record["data"])
    name, out = record["asked"]["data"], folder / "panel.parquet"
    if name not in MADE:
        try:
            write_source(name, out)
            say(f"{name}: {_acknowledgement(name)}")
        except SourceUnavailable as error:
            say(f"{error}; going on with the reference market, whose truth is known")
            name = REFERENCE
    if name in MADE:
        made = MADE[name]
        FAMILIES[made.family].write(out, seed, made.size)
    record["data"] = name
    write_json(folder / RECORD, record)
    return str(name)


def case_of(name: str, table: Path) -> Case:
    """What a demo of ``name`` is about, whose ``table`` is there."""
    made = MADE.get(name)
    economics = Economics().counted_in(_CURRENCY.get(name)) if made is None else made.economics
    return Case(
        name,
        read_panel(table),
        economics,
        truth=None if made is None else truth_folder(table),
        acknowledgement=_acknowledgement(name),
    )


def _acknowledgement(name: str) -> str:
    known = SOURCES.get(name)
    return f"{known.acknowledgement} Terms: {known.terms}" if known else ""
