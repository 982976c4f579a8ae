"""All problems by name."""

from __future__ import annotations

from collections.abc import Sequence

from ...forecasters.names import positions
from .fixed_order_cost import ZHENG_FEDERGRUEN
from .joint_replenishment import TWO_ITEMS
from .lost_sales import ZIPKIN
from .newsvendor import NEWSVENDORS
from .pricing import CLEARANCE, FEDERGRUEN_HECHING, FRESH_FOOD, GALLEGO_VAN_RYZIN, SLOW_SUPPLY
from .problem import Problem

_ALL: tuple[Sequence[Problem], ...] = (
    NEWSVENDORS,
    ZHENG_FEDERGRUEN,
    TWO_ITEMS,
    ZIPKIN,
    GALLEGO_VAN_RYZIN,
    FEDERGRUEN_HECHING,
    FRESH_FOOD,
    CLEARANCE,
    SLOW_SUPPLY,
)

CATALOGUE: dict[str, Problem] = {problem.name: problem for problems in _ALL for problem in problems}
"""Every problem by its name, ``family/cell``."""


def problem(name: str) -> Problem:
    """The problem of that name.

    Raises:
        InputError: there is none; names the nearest one.
    """
    names = list(CATALOGUE)
    return CATALOGUE[names[positions([name], names, "a problem of `mercato problem --list`")[0]]]
