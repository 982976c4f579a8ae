"""``mercato data``: write a named sales table."""

from __future__ import annotations

from pathlib import Path

from ..console import stderr


def run(name: str, out: Path, seed: int) -> None:
    console = stderr()
    if name == "reference":
        from ...envs.structural import truth_folder, write_reference

        write_reference(out, seed)
        console.print(f"wrote {out}; its truth lies in {truth_folder(out)}")
        return
    from ...forecasters.sources import SOURCES, write_source

    write_source(name, out)
    console.print(SOURCES[name].text)
    console.print(f"wrote {out}; terms and acknowledgement beside it")
