"""What a named source is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..events import Events, Items
from ..panel import SalesPanel


@dataclass(frozen=True)
class Source:
    """A sales table that can be had by name, of some shops with what its customers did."""

    name: str
    description: str  # what a row is, over which places, goods and dates
    terms: str  # under which terms it may be used, and where those are stated
    acknowledgement: str  # what its publishers ask to be said
    panel: Callable[[Path], SalesPanel]  # cache folder -> panel; raises SourceUnavailable
    events: Callable[[Path], Events] | None = None  # likewise; None where no customer is told from another
    items: Callable[[Path], Items] | None = None  # likewise; None where nothing more is known of items

    @property
    def text(self) -> str:
        """Description, terms and acknowledgement, to print and to keep beside the file."""
        return (
            f"{self.name}\n\n{self.description}\n\n"
            f"Terms: {self.terms}\n\nAcknowledgement: {self.acknowledgement}\n"
        )
