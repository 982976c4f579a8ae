"""``mercato data``: write a named sales table."""

from __future__ import annotations

from pathlib import Path

from ..console import stderr


def run(name: str, out: Path, seed: int) -> None:
    console = stderr()
    from ...envs.folders import sole_writer
    from ...envs.structural import FAMILIES, truth_folder
    from ...forecasters.sources import SOURCES, write_source

    with sole_writer(out, truth_folder(out)):
        if name in SOURCES:
            write_source(name, out)
            console.print(SOURCES[name].text)
            console.print(f"wrote {out}; terms and acknowledgement are beside it")
            return
        family = FAMILIES["log-linear" if name == "reference" else name]
        family.write(out, seed)
    console.print(f"wrote {out}: {family.about}; its truth is in {truth_folder(out)}")
