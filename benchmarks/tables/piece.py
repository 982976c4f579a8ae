"""What a piece of the benchmark is given and what it has to say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

DONE, SKIPPED, FAILED = "done", "skipped", "failed"


@dataclass(frozen=True)
class Plan:
    """How much to do, and where what the project does not fetch itself is found."""

    quick: bool
    shared: Path = Path("../shared")  # a folder whose ``data`` holds tables that are not the project's


@dataclass(frozen=True)
class Figure:
    """One line of the table: what was measured beside what must be reached."""

    name: str
    value: str
    must_reach: str = ""
    reached: bool | None = None  # None where nothing must be reached


@dataclass(frozen=True)
class Found:
    """The figures of a piece, and what they were made of."""

    figures: Sequence[Figure]
    detail: dict[str, Any] = field(default_factory=dict)


class Skip(Exception):
    """A piece cannot be measured here; the message says why."""


Measure = Callable[[Plan], Found]


def outcome_of(measure: Measure, plan: Plan) -> dict[str, Any]:
    """Outcome, figures and detail of a piece, as JSON keeps them."""
    try:
        found = measure(plan)
    except Skip as reason:
        return {"outcome": SKIPPED, "why": str(reason), "figures": [], "detail": {}}
    return {"outcome": DONE, "why": "", "figures": [vars(f) for f in found.figures], "detail": found.detail}


def within(name: str, value: float, most: float, unit: str = "") -> Figure:
    """A figure that must not be above ``most``."""
    return Figure(name, f"{value:.3g}{unit}", f"≤ {most:g}{unit}", value <= most)
