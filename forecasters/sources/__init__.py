"""Public sales tables by name: fetched from where they are published, cached, checked, never shipped."""

from __future__ import annotations

from pathlib import Path

from ..errors import InputError
from ..panel import write_panel
from . import orange_juice, ta_feng
from .fetch import SourceUnavailable, cache_folder
from .source import Source

SOURCES: dict[str, Source] = {source.name: source for source in (orange_juice.SOURCE, ta_feng.SOURCE)}


def write_source(source: str | Source, out: str | Path) -> Path:
    """Write a source's panel to ``out`` (parquet), its terms to ``out``.terms.txt; return ``out``.

    Raises:
        InputError: no such source, or nowhere to write.
        SourceUnavailable: it cannot be reached from this machine and is not in the cache.
    """
    if isinstance(source, str):
        if source not in SOURCES:
            raise InputError(f"source: expected one of {', '.join(SOURCES)}, found {source!r}")
        source = SOURCES[source]
    out = Path(out)
    write_panel(source.panel(cache_folder()), out)
    out.with_name(f"{out.name}.terms.txt").write_text(source.text, encoding="utf-8")
    return out


__all__ = ["SOURCES", "Source", "SourceUnavailable", "cache_folder", "write_source"]
