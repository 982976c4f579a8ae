"""Effects on the calendar: a holiday or a season that comes at another time."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

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
            return _after(plan, -self.shift * where)
        first, last = self.span(plan)
        if 0 < abs(self.shift) < last - first:
            raise Fault(
                ("shift",), f"expected at least the {last - first} periods of the window, found {self.shift}"
            )
        moved = self.shift * where
        for t in range(max(first + self.shift, 0), min(last + self.shift, plan.horizon)):
            moved[t] = -self.shift * where[t - self.shift]
        return _after(plan, moved)


def _after(plan: Plan, moved: Tensor) -> Plan:
    """The plan whose calendar, as it is, is moved once more: each period brings what was due ``moved``
    (H, S, I) later."""
    last = plan.horizon - 1
    at = torch.arange(plan.horizon, device=moved.device).view(-1, 1, 1) + moved
    before = plan.calendar.gather(0, at.clamp(0, last))
    return plan.put("calendar", moved != 0, moved + before)


def _knows_the_date(process: DemandProcess) -> bool:
    """Whether the process, and all that it is made of, can be asked for another date."""
    parts = [getattr(process, name) for name in _PARTS if hasattr(process, name)]
    return isinstance(process, Dated) and all(map(_knows_the_date, parts))
