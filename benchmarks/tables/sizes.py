"""How large a panel may be: time and memory of a fit, how both grow, and the commands that follow it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from .generator import Shape, draw
from .piece import Figure, Found, Measure, Plan, within
from .running import Ran, available, glance, mercato
from .stock_outs import step

SIZES: dict[str, tuple[Shape, Shape, float, float]] = {  # in full, quick; seconds and GB at most
    "8 × 286 × 120 days": (Shape(8, 286, 120), Shape(4, 16, 60), 120, 3),
    "200 × 100 × 104 weeks": (Shape(200, 100, 104, "W"), Shape(10, 6, 52, "W"), 480, 6),
    "300 × 170 × 90 days": (Shape(300, 170, 90), Shape(12, 8, 45), 1200, 10),
}
WIDE = "200 × 100 × 104 weeks"  # the one that is played, too
EXPONENT = 1.15
_COMMAND = 600  # seconds at most
_GROWTH = {
    "locations": [Shape(places, 25, 104, "W") for places in (40, 80, 160)],
    "items": [Shape(25, goods, 104, "W") for goods in (40, 80, 160)],
}
_QUICK = {
    "locations": [Shape(places, 4, 52, "W") for places in (4, 12)],
    "items": [Shape(4, goods, 52, "W") for goods in (4, 12)],
}
_SPARE = 0.9  # of the memory that is free, a process may take


def fit_of(name: str) -> Measure:
    """``mercato fit`` on a panel of one size, and what follows it on the wide one."""

    def measure(plan: Plan) -> Found:
        full, quick, seconds, memory = SIZES[name]
        with TemporaryDirectory() as place:
            folder = Path(place)
            table = draw(quick if plan.quick else full).write(folder / "sales.parquet")
            ran = _fit(table, folder / "market", plan)
            figures = [step("fit", ran, seconds)]
            if ran.well:
                figures.append(within("fit, memory", ran.peak, memory, " GB"))
                if name == WIDE:
                    figures += _played(folder, table, plan)
        return Found(figures)

    return measure


def _fit(table: Path, market: Path, plan: Plan) -> Ran:
    if plan.quick:
        return glance("fit", table, market)
    return mercato("fit", table, "--out", market, memory=_SPARE * available())


def _played(folder: Path, table: Path, plan: Plan) -> list[Figure]:
    """The commands after a fit; each gets ten minutes and is then seen through to twice that."""
    market, policy = folder / "market", folder / "ppo.safetensors"
    often = ("--episodes", "4", "--horizon", "8") if plan.quick else ()

    def go(*words: str | Path) -> Ran:
        return mercato(*words, limit=2 * _COMMAND, memory=_SPARE * available())

    if plan.quick:
        ran = glance("train", market, policy, "20000")
    else:
        ran = go("train", market, "--algo", "ppo", "--out", policy)
    figures = [step("train", ran, _COMMAND)]
    policies = [policy] if policy.is_file() else []
    figures.append(step("benchmark", go("benchmark", market, *policies, *often), _COMMAND))
    if policies:
        ran = go("decide", market, policy, "--panel", table, "--out", folder / "decisions.csv")
        figures.append(step("decide", ran, _COMMAND))
    return figures


def growth(way: str) -> Measure:
    """How the time of a fit grows with locations or with items."""

    def measure(plan: Plan) -> Found:
        shapes = (_QUICK if plan.quick else _GROWTH)[way]
        ran = []
        with TemporaryDirectory() as place:
            for shape in shapes:
                table = draw(shape).write(Path(place) / "sales.parquet")
                ran.append(_fit(table, Path(place) / "market", plan))
                if not ran[-1].well:
                    return Found([step(f"fit of {shape}", ran[-1])])
        series = [shape.locations * shape.items for shape in shapes]
        seconds, memory = [r.seconds for r in ran], [r.peak for r in ran]
        name = f"exponent of a fit's {{}} in {way}"
        figures = [
            within(name.format("time"), exponent(series, seconds), EXPONENT),
            Figure(name.format("memory"), f"{exponent(series, memory):.3g}"),
            *(
                Figure(f"fit of {shape}", f"{r.seconds:.0f} s, {r.peak:.1f} GB")
                for shape, r in zip(shapes, ran, strict=True)
            ),
        ]
        return Found(figures, {"series": series, "seconds": seconds, "gb": memory})

    return measure


def exponent(sizes: Sequence[float], costs: Sequence[float]) -> float:
    """Least-squares slope of log cost in log size: 1 where cost is proportional."""
    return float(np.polyfit(np.log(sizes), np.log(costs), 1)[0])
