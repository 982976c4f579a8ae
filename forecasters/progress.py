"""How long work says how far it is, without knowing who listens.

Functions that take minutes accept a ``Progress``; the command line draws bars, everyone else stays silent::

    with progress.stage("fit the trunk", total=steps) as stage:
        for step in range(steps):
            ...
            stage.advance()
            stage.curve(step, {"loss": loss})
        stage.note("stopped early at 412 of 1,000 steps")
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol, SupportsFloat


class Stage(Protocol):
    """One stretch of work under way."""

    def advance(self, n: int = 1) -> None:
        """``n`` more of the stage's ``total`` are done; a stage may end before its total."""
        ...

    def note(self, text: str) -> None:
        """A short line that a reader of the run should see, such as a loss or why it stopped."""
        ...

    def curve(self, step: int, values: Mapping[str, SupportsFloat]) -> None:
        """Points of curves at ``step``, by name. Whoever draws none leaves a tensor on its device."""
        ...


class Progress(Protocol):
    """Whoever listens."""

    def stage(self, name: str, total: int) -> AbstractContextManager[Stage]:
        """Open a stretch of work of ``total`` steps, closed when the context ends."""
        ...


class Silent:
    """Listens to nothing: the default."""

    @contextmanager
    def stage(self, name: str, total: int) -> Iterator[Silent]:
        yield self

    def advance(self, n: int = 1) -> None:
        pass

    def note(self, text: str) -> None:
        pass

    def curve(self, step: int, values: Mapping[str, SupportsFloat]) -> None:
        pass


SILENT = Silent()
