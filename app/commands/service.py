"""``mercato serve``, ``mercato service`` and ``mercato audit``: the service on the command line."""

from __future__ import annotations

import json as encoder
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from ...forecasters.errors import InputError
from ..console import print_table, stderr, stdout
from ..output import plain, to_json

if TYPE_CHECKING:
    from ..service.service import Service

_SHOWN = ("id", "location", "item", "status", "current_price", "price", "order", "expected_gain", "flags")


def serve(
    run: Path, host: str, port: int, database: str | None, watch: Path | None, stream: str | None
) -> None:
    from ..service.server import serve as go

    console = stderr()
    go(run, host, port, database, console.print, watch, stream)


def sales(run: Path, database: str | None, actor: str, table: Path, key: str | None, json: bool) -> None:
    from dataclasses import asdict

    from ...forecasters.panel.tables import load_table
    from ..service.sales import digest_of

    with _opened(run, database) as service:
        frame = (
            load_table(table, {}).frame
            if table.suffix != ".csv"
            else service.table(_bytes(table), "text/csv")
        )
        taken = service.take_sales(actor, key or digest_of(frame), frame)
    if json:
        print(to_json(asdict(taken)))
        return
    said = f"batch {taken.number}: {taken.rows:,} rows taken in, {taken.replaced:,} in place of earlier ones"
    stderr().print("these rows had been taken in before" if taken.repeated else said)
    for note in taken.notes:
        stderr().print(note)


def propose(
    run: Path,
    database: str | None,
    actor: str,
    date: str | None,
    locations: Sequence[str] | None,
    stock: Path | None,
    explain: bool,
    json: bool,
) -> None:
    from ...forecasters.panel.tables import load_table
    from ..report.words import signed

    with _opened(run, database) as service:
        at_hand = None if stock is None else load_table(stock, {}).frame
        sheet = service.propose(actor, date, locations or None, at_hand, explain)
    if json:
        print(to_json(sheet))
        return
    console = stderr()
    for note in sheet["notes"]:
        console.print(note)
    if sheet["sheet"] is None:
        console.print(f"{sheet['date']}: {sheet['released']} last approved prices released")
        return
    gain, lo, hi = (signed(sheet[name]) for name in ("gain", "gain_lo", "gain_hi"))
    console.print(
        f"sheet {sheet['sheet']}, {sheet['date']}: {sheet['series']} series proposed, expected gain over"
        f" keeping all prices {gain} [{lo}, {hi}] {sheet['currency']}"
    )
    for name, count in sheet["steps"].items():
        if count:
            console.print(f"  {name}: {count}")


def why(run: Path, database: str | None, number: int, json: bool) -> None:
    with _opened(run, database) as service:
        told = service.why(number)
    if json:
        print(to_json(told))
        return
    print(f"{told['current_price']:g} → {told['price']:g}: {told['why']}")
    for name, amount in told["drivers"].items():
        print(f"  {name} {amount:+g}")
    if told["would_change"]:
        print(told["would_change"])


def decisions(
    run: Path,
    database: str | None,
    status: str | None,
    date: str | None,
    sheet: int | None,
    after: int,
    limit: int,
    json: bool,
) -> None:
    with _opened(run, database) as service:
        rows = service.decisions(status, date, sheet, after, limit)
    if json:
        print(to_json(rows))
        return
    shown = [[format(row[name]) for name in _SHOWN] for row in rows]
    print_table(stdout(), f"{len(rows)} decisions", _SHOWN, shown)


def approve(
    run: Path, database: str | None, actor: str, numbers: Sequence[int], sheet: int | None, reason: str
) -> None:
    if (sheet is None) == (not numbers):
        raise InputError("approve: expected numbers of decisions, or --sheet, found both or neither")
    with _opened(run, database) as service:
        if sheet is None:
            count = service.approve(actor, numbers, reason)
        else:
            count = service.approve_sheet(actor, sheet, reason)
    stderr().print(f"{count} released")


def change(
    run: Path,
    database: str | None,
    actor: str,
    number: int,
    price: float | None,
    order: int | None,
    reason: str,
) -> None:
    with _opened(run, database) as service:
        told = service.change(actor, number, price, order, reason)
    stderr().print(f"decision {number} released as changed: {told['price']:g}, order {told['order']}")
    for note in told["notes"]:
        stderr().print(note)


def reject(run: Path, database: str | None, actor: str, numbers: Sequence[int], reason: str) -> None:
    with _opened(run, database) as service:
        count = service.reject(actor, numbers, reason)
    stderr().print(f"{count} rejected")


def released(run: Path, database: str | None, date: str | None, after: int, limit: int, json: bool) -> None:
    import pandas as pd

    with _opened(run, database) as service:
        rows = service.released(date, after, limit)
    if json:
        print(to_json(rows))
    else:
        columns = ("id", "date", "location", "item", "price", "order", "source", "released_at")
        frame = pd.DataFrame(rows, columns=list(columns)).astype({"order": "Int64"})
        frame.to_csv(sys.stdout, index=False)


def kill(run: Path, database: str | None, actor: str, reason: str) -> None:
    with _opened(run, database) as service:
        done = service.kill(actor, reason)
    stderr().print(
        f"{done['withdrawn']} proposals withdrawn; {done['released']} last approved prices released for"
        f" {done['date']}"
    )


def resume(run: Path, database: str | None, actor: str, reason: str) -> None:
    with _opened(run, database) as service:
        service.resume(actor, reason)
    stderr().print("the kill switch is off")


def token(run: Path, database: str | None, actor: str, name: str, role: str, revoke: bool) -> None:
    from ..service import access

    with _opened(run, database) as service, service.database.write() as connection:
        if revoke:
            access.revoke_token(connection, actor, name)
            stderr().print(f"the token of {name} has ended")
        else:
            print(access.add_token(connection, actor, name, role))


def verify(run: Path, database: str | None, json: bool) -> None:
    with _opened(run, database) as service:
        found = service.verify()
    if json:
        print(to_json({"entries": found.entries, "last": found.last, "fault": found.fault}))
    elif not found.fault:
        stdout().print(f"{found.entries} entries hold; the last one's hash is {found.last}", soft_wrap=True)
    if found.fault:
        stderr().print(f"error: {found.fault}; {found.entries} entries before it hold")
        raise typer.Exit(1)


def show(run: Path, database: str | None, after: int, limit: int) -> None:
    with _opened(run, database) as service:
        for entry in service.trail(after, limit):
            print(encoder.dumps(plain(entry), ensure_ascii=False))


@contextmanager
def _opened(run: Path, database: str | None) -> Iterator[Service]:
    from ..service.service import Service

    service = Service(run, database)
    try:
        yield service
    finally:
        service.close()


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: expected a CSV or parquet file, found none ({error.strerror})") from None
