"""What the page's view of decisions asks of the service, in the process that has the market open."""

from __future__ import annotations

from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

from ...forecasters.progress import SILENT, Progress
from ..service.service import Service

ACTOR = "page"
_ENTRIES = 25  # of the trail


@lru_cache(maxsize=1)
def _service(run: Path) -> Service:
    return Service(run)


def standing(run: Path, progress: Progress = SILENT) -> dict[str, Any]:
    """Where decisions stand: the latest sheet, what became of all, the kill switch, the trail's end."""
    service = _service(run)
    trail, sheets = service.trail_end(_ENTRIES), service.sheets(1)
    return {
        "sheet": sheets[0] if sheets else None,
        "counts": service.counts(),
        "killed": service.killed(),
        "trail": trail,
        "verified": asdict(service.verify()),
    }


def propose(run: Path, progress: Progress = SILENT) -> dict[str, Any]:
    """``mercato service propose``."""
    with progress.stage("propose prices and orders", 1) as stage:
        sheet = _service(run).propose(ACTOR)
        stage.advance()
    return sheet | {"decisions": []}  # which are asked for by location


def decisions(run: Path, sheet: int, location: str, progress: Progress = SILENT) -> list[dict[str, Any]]:
    """The decisions of a sheet at one location."""
    return _service(run).decisions(sheet=sheet, location=location)


def approve(run: Path, number: int, reason: str, progress: Progress = SILENT) -> int:
    return _service(run).approve(ACTOR, [number], reason)


def approve_sheet(run: Path, sheet: int, reason: str, progress: Progress = SILENT) -> int:
    return _service(run).approve_sheet(ACTOR, sheet, reason)


def change(
    run: Path,
    number: int,
    price: float | None,
    order: int | None,
    reason: str,
    progress: Progress = SILENT,
) -> dict[str, Any]:
    return _service(run).change(ACTOR, number, price, order, reason)


def reject(run: Path, number: int, reason: str, progress: Progress = SILENT) -> int:
    return _service(run).reject(ACTOR, [number], reason)


def kill(run: Path, reason: str, progress: Progress = SILENT) -> dict[str, Any]:
    return _service(run).kill(ACTOR, reason)


def resume(run: Path, reason: str, progress: Progress = SILENT) -> None:
    _service(run).resume(ACTOR, reason)
