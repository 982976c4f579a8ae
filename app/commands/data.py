"""``mercato data``: write a named sales table."""

from __future__ import annotations

from pathlib import Path

from ..console import stderr


def run(name: str, out: Path, events: bool, items: bool, seed: int) -> None:
    console = stderr()
    from ...envs.folders import sole_writer
    from ...envs.structural import FAMILIES, events_file, truth_folder
    from ...forecasters.errors import InputError
    from ...forecasters.sources import SOURCES, Part, write_source

    part: Part = "events" if events else "items" if items else "panel"
    if events and items:
        raise InputError("--events, --items: expected one of them, found both")
    if part != "panel" and name not in SOURCES:
        raise InputError(f"--{part}: expected a public table, one of {', '.join(SOURCES)}, found {name}")
    with sole_writer(out, truth_folder(out), events_file(out)):
        if name in SOURCES:
            write_source(name, out, part)
            console.print(SOURCES[name].text)
            console.print(f"wrote {out}; terms and acknowledgement are beside it")
            return
        family = FAMILIES["log-linear" if name == "reference" else name]
        family.write(out, seed)
    beside = "" if family.events is None else f", what customers did in {events_file(out)}"
    console.print(f"wrote {out}: {family.about}; its truth is in {truth_folder(out)}{beside}")
