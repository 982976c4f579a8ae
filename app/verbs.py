"""What all verbs of the command line share: one line for whatever goes wrong, and an exit status.

Results go to standard output, everything else to standard error. Exit status: 0; 1 for a run that failed;
2 for wrong use; 130 when interrupted.
"""

from __future__ import annotations

import functools
import importlib.metadata
import os
from collections.abc import Callable
from typing import Annotated, Any, NoReturn

import typer

from ..forecasters.errors import InputError, UnplayableError

app = typer.Typer(
    name="mercato",
    help="Learn a market from sales, train pricing and ordering policies in it, see how far to trust them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _fail(message: str, status: int) -> NoReturn:
    typer.echo("error: " + " ".join(message.split()), err=True)
    raise typer.Exit(status)


def told(error: Exception) -> tuple[str, int]:
    """What a person hears of an error, and the exit status."""
    if isinstance(error, InputError):
        return str(error), 2
    if isinstance(error, (OSError, UnplayableError)):
        return str(error), 1
    return (
        f"a bug in mercato, not in your input: {type(error).__name__}: {error}; please report it"
        " with the command and what --verbose shows",
        1,
    )


def verb(function: Callable[..., None], among: typer.Typer = app) -> Callable[..., None]:
    """Register a command among others; whatever goes wrong in it becomes one line and an exit status."""

    @functools.wraps(function)
    def run(*args: Any, **options: Any) -> None:
        try:
            function(*args, **options)
        except KeyboardInterrupt:
            _fail(
                "interrupted; fit, pretrain, train, run and demo go on where they were if started again", 130
            )
        except (typer.Exit, BrokenPipeError):
            raise
        except Exception as error:
            if os.environ.get("MERCATO_DEBUG"):
                raise
            _fail(*told(error))

    return among.command()(run)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"mercato {importlib.metadata.version('mercato')}")
        raise typer.Exit


@app.callback()
def options(
    verbose: Annotated[bool, typer.Option("--verbose", help="Show where an error came from.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    if verbose:
        os.environ["MERCATO_DEBUG"] = "1"
