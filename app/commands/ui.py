"""``mercato ui``: the local page."""

from __future__ import annotations

from pathlib import Path

from ..console import stderr


def run(folder: Path | None, host: str, port: int, token: str | None) -> None:
    from ..page.server import serve

    console = stderr()
    serve(folder, host, port, token, lambda address: console.print(f"{address}\nCtrl-C ends it"))
