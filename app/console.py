"""What a person sees while a command runs: lines, bars and tables on standard error.

Standard output is for results alone, so that ``--json`` can be piped.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import SupportsFloat

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

_WIDE = 140  # columns of a table in a log or a pipe
_QUIET = 20.0  # seconds after which a log hears how far a stage is


def stderr() -> Console:
    """For everything but results."""
    return Console(stderr=True, highlight=False, markup=False, soft_wrap=True)


def stdout() -> Console:
    """For results that people read."""
    console = Console(highlight=False, markup=False)
    return console if console.is_terminal else Console(highlight=False, markup=False, width=_WIDE)


@dataclass
class _Bar:
    bars: Progress
    task: TaskID
    started: float
    told: float  # when a log last heard of it

    def advance(self, n: int = 1) -> None:
        self.bars.advance(self.task, n)
        now = time.monotonic()
        if self.bars.disable and now - self.told > _QUIET:
            self.told = now
            self.bars.console.print(_so_far(self.bars.tasks[self.task], now - self.started), markup=False)

    def note(self, text: str) -> None:
        self.bars.console.print(f"  {text}", style="dim", markup=False)

    def curve(self, step: int, values: Mapping[str, SupportsFloat]) -> None:
        pass  # a terminal has no room for them


class Bars:
    """A ``Progress`` drawn as bars on a terminal; elsewhere (a log, a pipe) as lines.

    There a stage has a line when it has ended, and one every twenty seconds before.
    """

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or stderr()
        self._bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=28),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
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
        yield _Bar(self._bars, task, started, started)
        self._bars.update(task, total=self._bars.tasks[task].completed)  # it may have ended early
        if self._bars.disable:
            self.console.print(f"{name}: {time.monotonic() - started:.0f} s", markup=False)


def _so_far(task: Task, elapsed: float) -> str:
    done, total = task.completed, task.total or 0
    left = f", about {elapsed * (total - done) / done:.0f} s left" if 0 < done < total else ""
    return f"{task.description}: {done:,.0f} of {total:,.0f}, {elapsed:.0f} s{left}"


def print_table(console: Console, title: str, columns: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    """A table whose first column is names and whose others are numbers."""
    out = Table(box=None, pad_edge=False)
    for index, column in enumerate(columns):
        out.add_column(column, justify="left" if index == 0 else "right", overflow="fold")
    for row in rows:
        out.add_row(*row)
    console.print(f"\n{title}", style="bold")
    console.print(out)
