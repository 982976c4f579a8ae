"""``mercato forecast``: the coming periods of a table."""

from __future__ import annotations

from pathlib import Path

from ...forecasters.errors import InputError
from ...forecasters.reading import Reading
from ..console import Bars, stderr
from ..output import write_file
from ..reading import account
from ..report.words import count


def run(
    panel: Path, horizon: int, out: Path, model: Path | None, explain: bool, reading: Reading, seed: int
) -> None:
    from ..api import forecast

    if out.suffix not in (".csv", ".parquet"):
        raise InputError(f"--out: expected a file ending in .csv or .parquet, found {out}")
    console, table = stderr(), reading.read(panel)
    for line in account(panel, table):
        console.print(line)
    with Bars(console) as bars:
        rows = forecast(table, horizon, seed, model=model, explain=explain, progress=bars)
    write = rows.to_csv if out.suffix == ".csv" else rows.to_parquet
    write_file(out, lambda path: write(path, index=False))
    first, last = (str(day.date()) for day in (rows["date"].min(), rows["date"].max()))
    console.print(f"{count(len(rows), 'forecast')} from {first} to {last}; wrote {out}")
