"""What a person sees while a command runs: lines, bars and tables on standard error.

Standard output is for results alone, so that ``--json`` can be piped.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

_WIDE = 140  # columns of a table in a log or a pipe


def stderr() -> Console:
    """For everything but results."""
    return Console(stderr=True, highlight=False, markup=False, soft_wrap=True)


def stdout() -> Console:
    """For results that people read."""
    console = Console(highlight=False, markup=False)
    return console if console.is_terminal else Console(highlight=False, markup=False, width=_WIDE)


@dataclass(frozen=True)
class _Bar:
    bars: Progress
    task: TaskID

    def advance(self, n: int = 1) -> None:
        self.bars.advance(self.task, n)

    def note(self, text: str) -> None:
        self.bars.console.print(f"  {text}", style="dim", markup=False)


class Bars:
    """A ``Progress`` drawn as bars on a terminal, as one line a finished stage elsewhere (a log, a pipe)."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or stderr()
        self._bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=28),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self.console,
            disable=not self.console.is_terminal,
        )

    def __enter__(self) -> Bars:
        self._bars.start()
        return self

    def __exit__(self, *failure: object) -> None:
        self._bars.stop()

    @contextmanager
    def stage(self, name: str, total: int) -> Iterator[_Bar]:
        started = time.monotonic()
        task = self._bars.add_task(name, total=total)
        yield _Bar(self._bars, task)
        self._bars.update(task, total=self._bars.tasks[task].completed)  # it may have ended early
        if self._bars.disable:
            self.console.print(f"{name}: {time.monotonic() - started:.0f} s", markup=False)


def print_table(console: Console, title: str, columns: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    """A table whose first column is names and whose others are numbers."""
    out = Table(box=None, pad_edge=False)
    for index, column in enumerate(columns):
        out.add_column(column, justify="left" if index == 0 else "right", overflow="fold")
    for row in rows:
        out.add_row(*row)
    console.print(f"\n{title}", style="bold")
    console.print(out)
