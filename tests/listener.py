"""Somebody who hears of a training's progress, and may interrupt it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class Listener:
    """Hears a training; interrupts it at the given validation."""

    def __init__(self, interrupt_at: int | None = None) -> None:
        self.notes: list[str] = []
        self.done = 0
        self.interrupt_at = interrupt_at

    @contextmanager
    def stage(self, name: str, total: int) -> Iterator[Listener]:
        yield self

    def advance(self, n: int = 1) -> None:
        self.done += n

    def curve(self, *_: object) -> None:
        pass

    def note(self, text: str) -> None:
        self.notes.append(text)
        if len(self.notes) == self.interrupt_at:
            raise KeyboardInterrupt
