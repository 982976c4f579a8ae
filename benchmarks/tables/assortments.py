"""A partial assortment beside the full one: nothing may be learned worse than panels differ anyway."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from mercato.agents.learner import Validation
from mercato.agents.train import PPOSettings
from mercato.envs.structural import FAMILIES, Size

from ..price.changes import price_changes
from ..price.elasticities import Row, own_and_cross
from ..price.market import study
from ..price.sales import stock_out_bias
from ..price_response import one_panel
from ..record import resumed
from ..transfer import FITTED, Effort
from ..transfer import one_panel as play_panel
from .piece import Figure, Found, Plan, Skip

FAMILY, FULL = "partial-assortment", "log-linear"
ERRORS = (  # of benchmarks.price_response, all better the nearer to 0
    "item_mae",
    "item_bias",
    "series_over_oracle_shrunk",
    "cross_mae",
    "change_error",
    "sustained_total",
    "sustained_answer_total",
    "pit_distance",
    "stock_out_bias",
)
_SIZE, _SEEDS = Size(20, 10, 150), (9101, 9102, 9103)
_QUICK, _ONE = Size(4, 3, 90), (9101,)


def learned(plan: Plan) -> Found:
    """Elasticities and calibration."""
    _there()
    size, seeds = (_QUICK, _ONE) if plan.quick else (_SIZE, _SEEDS)
    measure = _glance if plan.quick else partial(one_panel, quick=True)
    rows = {name: [measure((name, seed), size=size) for seed in seeds] for name in (FAMILY, FULL)}
    measured = [figure for figure in ERRORS if figure in rows[FULL][0]]
    values = {
        figure: {name: [abs(float(row[figure] or 0)) for row in rows[name]] for name in rows}
        for figure in measured
    }
    return Found([compared(figure, both) for figure, both in values.items()], {"panels": rows})


def _glance(task: tuple[str, int], size: Size) -> Row:
    """What takes no simulation of half a year, nor a second fit."""
    market = study(*task, size)
    return own_and_cross(market) | price_changes(market) | stock_out_bias(market)


def transfer(plan: Plan) -> Found:
    """What a policy trained in the fitted market earns in the true one, of what one trained there does."""
    _there()
    size, seeds = (_QUICK, _ONE) if plan.quick else (Size(12, 6, 130), _SEEDS[:2])
    glance = PPOSettings(steps=5_000, markets=1, validation=Validation(times=1, episodes=1, horizon=8))
    settings = glance if plan.quick else PPOSettings()
    tasks = [(name, seed) for name in (FAMILY, FULL) for seed in seeds]

    def played(missing: list[tuple[str, int]]) -> Iterator[dict[str, Any]]:
        return (play_panel(*task, "default", Effort(size, settings)) for task in missing)

    rows: dict[str, list[dict[str, Any]]] = {FAMILY: [], FULL: []}
    for (name, _), row in resumed(f"transfer-{size.weeks}", tasks, played):
        rows[name].append(row)
    short = {
        name: [1 - float(row["share_of_true"][FITTED][0]) for row in panels] for name, panels in rows.items()
    }
    return Found([compared("profit that falls short of the true market's", short)], {"panels": rows})


def compared(name: str, errors: Mapping[str, Sequence[float]]) -> Figure:
    """Mean error of the partial assortment beside the full one's mean and spread over panels."""
    part, full = np.array(errors[FAMILY]), np.array(errors[FULL])
    spread = max(float(np.ptp(full)), float(np.ptp(part)))
    most = float(full.mean()) + spread
    return Figure(
        name,
        f"{part.mean():.3f}, full {full.mean():.3f}",
        f"≤ {most:.3f} (full and the spread {spread:.3f})",
        bool(part.mean() <= most) if len(full) > 1 else None,
    )


def _there() -> None:
    if FAMILY not in FAMILIES:
        raise Skip(f"there is no family {FAMILY}")
