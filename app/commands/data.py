"""``mercato data``: write a named sales table."""

from __future__ import annotations

from pathlib import Path

from ..console import stderr


def run(name: str, out: Path, seed: int) -> None:
    console = stderr()
    from ...forecasters.sources import SOURCES, write_source

    if name in SOURCES:
        write_source(name, out)
        console.print(SOURCES[name].text)
        console.print(f"wrote {out}; terms and acknowledgement beside it")
        return
    from ...envs.structural import FAMILIES, truth_folder

    family = FAMILIES["log-linear" if name == "reference" else name]
    family.write(out, seed)
    console.print(f"wrote {out}: {family.about}; its truth lies in {truth_folder(out)}")
