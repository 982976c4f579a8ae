"""A table of words with what is said of it: the same in a file and on the local page."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Sheet:
    """A table with what is said of it."""

    title: str
    header: tuple[str, ...]
    rows: list[list[str]]  # plain text, a cell a column
    said: tuple[str, ...] = ()  # paragraphs above it
    note: str = ""  # below it
    text: tuple[int, ...] = ()  # columns of words, set flush left, beside the first
