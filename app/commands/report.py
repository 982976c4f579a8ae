"""``mercato report``: a run's page again, from what the run kept."""

from __future__ import annotations

from pathlib import Path

from ..console import stderr


def run(folder: Path) -> None:
    write_report(folder)
    stderr().print(f"wrote {folder / 'report.html'}")


def write_report(folder: Path) -> None:
    """Render ``report.html`` from the folder's ``report.json``."""
    from ..output import write_text
    from ..report.contents import read_contents
    from ..report.page import render

    write_text(folder / "report.html", render(read_contents(folder / "report.json")))
