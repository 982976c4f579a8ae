"""``mercato serve``, ``mercato service`` and ``mercato audit``: decisions that are approved and recorded."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import Json, StockFile
from .verbs import app, verb

service = typer.Typer(
    help="Sales in, proposals out, decisions: what `mercato serve` offers, for a cron job.",
    no_args_is_help=True,
)
audit = typer.Typer(help="The trail of who decided what.", no_args_is_help=True)
app.add_typer(service, name="service")
app.add_typer(audit, name="audit")

RunFolder = Annotated[Path, typer.Argument(help="Folder of a run.", metavar="RUN")]
Database = Annotated[
    str | None,
    typer.Option(
        help="Where its records are: postgresql://user@host/name (default: SQLite in the run's folder).",
        envvar="MERCATO_DATABASE",
    ),
]
Actor = Annotated[str, typer.Option("--as", help="Who does it, for the audit trail.")]
Reason = Annotated[str, typer.Option(help="Why, for the audit trail.")]
Numbers = Annotated[list[int], typer.Argument(help="Numbers of decisions.", metavar="DECISION…")]
After = Annotated[int, typer.Option(min=0, help="Number of the last row that is known.")]
Limit = Annotated[int, typer.Option(min=1, max=10_000, help="Rows at most.")]
Date = Annotated[str | None, typer.Option(help="First day of a period.")]


@verb
def serve(
    run: RunFolder,
    host: Annotated[
        str, typer.Option(help="Address to listen at; one that other machines reach asks for tokens.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port; 0: any free one.")] = 8000,
    database: Database = None,
    watch: Annotated[Path | None, typer.Option(help="Take in sales tables put into this folder.")] = None,
    stream: Annotated[str | None, typer.Option(help="Take in sales of a stream: redis://host.")] = None,
) -> None:
    """Serve decisions over HTTP: sales in, proposals, approvals, releases, the audit trail."""
    from .commands.service import serve as go

    go(run, host, port, database, watch, stream)


def sales(
    run: RunFolder,
    table: Annotated[Path, typer.Argument(help="Sales table, with the columns of the fitted one.")],
    key: Annotated[str | None, typer.Option(help="Taken once a key (default: its content).")] = None,
    actor: Actor = "command line",
    database: Database = None,
    json: Json = False,
) -> None:
    """Take a table of sales in, whole or not at all."""
    from .commands.service import sales as go

    go(run, database, actor, table, key, json)


def propose(
    run: RunFolder,
    date: Date = None,
    location: Annotated[list[str] | None, typer.Option(help="Of one location; repeatable.")] = None,
    stock: StockFile = None,
    explain: Annotated[bool, typer.Option("--explain", help="Say what made each change of a price.")] = False,
    actor: Actor = "command line",
    database: Database = None,
    json: Json = False,
) -> None:
    """Propose prices and orders for the period after the latest sales."""
    from .commands.service import propose as go

    go(run, database, actor, date, location, stock, explain, json)


def why(
    run: RunFolder,
    number: Annotated[int, typer.Argument(help="Number of a decision.", metavar="DECISION")],
    database: Database = None,
    json: Json = False,
) -> None:
    """Say what made a price, and what would change it."""
    from .commands.service import why as go

    go(run, database, number, json)


def decisions(
    run: RunFolder,
    status: Annotated[
        str | None, typer.Option(help="proposed, held, released, rejected, superseded or withdrawn.")
    ] = None,
    date: Date = None,
    sheet: Annotated[int | None, typer.Option(min=1, help="Of one round of proposals.")] = None,
    after: After = 0,
    limit: Limit = 1000,
    database: Database = None,
    json: Json = False,
) -> None:
    """Show what was proposed, and what became of it."""
    from .commands.service import decisions as go

    go(run, database, status, date, sheet, after, limit, json)


def approve(
    run: RunFolder,
    numbers: Annotated[list[int] | None, typer.Argument(metavar="[DECISION]…")] = None,
    sheet: Annotated[int | None, typer.Option(min=1, help="All of a sheet that is not held back.")] = None,
    reason: Reason = "",
    actor: Actor = "command line",
    database: Database = None,
) -> None:
    """Release decisions as they were proposed."""
    from .commands.service import approve as go

    go(run, database, actor, numbers or [], sheet, reason)


def change(
    run: RunFolder,
    number: Annotated[int, typer.Argument(help="Number of a decision.", metavar="DECISION")],
    reason: Reason,
    price: Annotated[float | None, typer.Option(help="Instead of the proposed one.")] = None,
    order: Annotated[int | None, typer.Option(help="Units, instead of the proposed ones.")] = None,
    actor: Actor = "command line",
    database: Database = None,
) -> None:
    """Release another price or order than was proposed."""
    from .commands.service import change as go

    go(run, database, actor, number, price, order, reason)


def reject(
    run: RunFolder, numbers: Numbers, reason: Reason, actor: Actor = "command line", database: Database = None
) -> None:
    """Release nothing: the current prices stay."""
    from .commands.service import reject as go

    go(run, database, actor, numbers, reason)


def released(
    run: RunFolder,
    date: Date = None,
    after: After = 0,
    limit: Limit = 10_000,
    database: Database = None,
    json: Json = False,
) -> None:
    """Print what is released: CSV, or JSON."""
    from .commands.service import released as go

    go(run, database, date, after, limit, json)


def kill(run: RunFolder, reason: Reason, actor: Actor = "command line", database: Database = None) -> None:
    """Withdraw what is open, and release the last approved prices until `resume`."""
    from .commands.service import kill as go

    go(run, database, actor, reason)


def resume(run: RunFolder, reason: Reason, actor: Actor = "command line", database: Database = None) -> None:
    """Switch the kill switch off."""
    from .commands.service import resume as go

    go(run, database, actor, reason)


def token(
    run: RunFolder,
    name: Annotated[str, typer.Argument(help="Whose token.")],
    role: Annotated[str, typer.Option(help="viewer, approver or admin.")] = "viewer",
    revoke: Annotated[bool, typer.Option("--revoke", help="End the token of that name.")] = False,
    actor: Actor = "command line",
    database: Database = None,
) -> None:
    """Make a token, which is printed this once, or end one."""
    from .commands.service import token as go

    go(run, database, actor, name, role, revoke)


for _of_service in (
    *(sales, propose, why, decisions, approve, change, reject, released, kill, resume, token),
):
    verb(_of_service, service)


def verify(run: RunFolder, database: Database = None, json: Json = False) -> None:
    """Check that the trail is whole, and that the records are as it tells."""
    from .commands.service import verify as go

    go(run, database, json)


def show(run: RunFolder, after: After = 0, limit: Limit = 1000, database: Database = None) -> None:
    """Print entries of the trail, one JSON object a line."""
    from .commands.service import show as go

    go(run, database, after, limit)


for _of_audit in (verify, show):
    verb(_of_audit, audit)
