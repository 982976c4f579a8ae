"""What is fetched by name, or a piece that is skipped where it cannot be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from mercato.forecasters.events import Events, Items
from mercato.forecasters.sources import SOURCES, SourceUnavailable, cache_folder

from .piece import Skip

T = TypeVar("T")


def fetched(load: Callable[[Path], T]) -> T:
    """What ``load`` finds in the cache or fetches to it.

    Raises:
        Skip: it cannot be reached.
    """
    try:
        return load(cache_folder())
    except SourceUnavailable as error:
        raise Skip(str(error)) from None


def events_of(name: str) -> Events:
    """The events of a source that has some.

    Raises:
        Skip: they cannot be reached.
    """
    events = SOURCES[name].events
    assert events is not None
    return fetched(events)


def items_of(name: str) -> Items:
    """The items of a source that tells of them, likewise."""
    items = SOURCES[name].items
    assert items is not None
    return fetched(items)
