"""Effects on the calendar: a holiday or a season that comes at another time."""

from __future__ import annotations

import torch
from pydantic import Field

from ...forecasters.simulation import DemandProcess
from ..processes.moved_calendar import Dated
from ..settings_file import Fault
from .effect import LocalEffect
from .plan import Plan

_PARTS = ("process", "first", "second", "nature", "observer")  # of processes made of others


class Calendar(LocalEffect):
    """What the calendar brings to the window comes ``shift`` periods later, and what was due then, before.

    Without a window the whole calendar moves.
    """

    shift: int = Field(1, ge=-52, le=52, strict=True, description="periods later; negative: earlier")

    def apply(self, plan: Plan) -> Plan:
        if not _knows_the_date(plan.market.demand):
            kind = type(plan.market.demand).__name__
            raise Fault((), f"expected a market whose customers know the date, found {kind}")
        where = self.where(plan)
        if self.window is None:
            return plan.put("calendar", where, -self.shift)
        first, last = self.span(plan)
        if 0 < abs(self.shift) < last - first:
            raise Fault(
                ("shift",), f"expected at least the {last - first} periods of the window, found {self.shift}"
            )
        landed = torch.zeros_like(where)
        for t in range(max(first + self.shift, 0), min(last + self.shift, plan.horizon)):
            landed[t] = where[t - self.shift]
        return plan.put("calendar", where, self.shift).put("calendar", landed, -self.shift)


def _knows_the_date(process: DemandProcess) -> bool:
    """Whether the process, and all that it is made of, can be asked for another date."""
    parts = [getattr(process, name) for name in _PARTS if hasattr(process, name)]
    return isinstance(process, Dated) and all(map(_knows_the_date, parts))
