"""Public tables by name: fetched from where they are published, cached, checked, never shipped."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from ..errors import InputError
from ..events import write_events, write_items
from ..panel import write_panel
from . import cdnow, complete_journey, orange_juice, ta_feng
from .fetch import SourceUnavailable, cache_folder
from .source import Source

Part = Literal["panel", "events", "items"]
_WRITERS: dict[Part, Callable[[Any, Path], None]] = {
    "panel": write_panel,
    "events": write_events,
    "items": write_items,
}
SOURCES: dict[str, Source] = {
    source.name: source
    for source in (orange_juice.SOURCE, ta_feng.SOURCE, complete_journey.SOURCE, cdnow.SOURCE)
}


def write_source(source: str | Source, out: str | Path, part: Part = "panel") -> Path:
    """Write a part of a source to ``out`` (parquet), its terms to ``out``.terms.txt; return ``out``.

    Raises:
        InputError: no such source, it has no such part, or nowhere to write.
        SourceUnavailable: it cannot be reached from this machine and is not in the cache.
    """
    if isinstance(source, str):
        if source not in SOURCES:
            raise InputError(f"source: expected one of {', '.join(SOURCES)}, found {source!r}")
        source = SOURCES[source]
    load, write = getattr(source, part), _WRITERS[part]
    if load is None:
        having = ", ".join(name for name, one in SOURCES.items() if getattr(one, part))
        raise InputError(f"{source.name}: expected a source with {part}: {having}, found none")
    out = Path(out)
    write(load(cache_folder()), out)
    out.with_name(f"{out.name}.terms.txt").write_text(source.text, encoding="utf-8")
    return out


__all__ = ["SOURCES", "Part", "Source", "SourceUnavailable", "cache_folder", "write_source"]
