"""A network that is not asked again what it has said: episodes that go the same way take its steps once.

With and without a change that leaves prices alone, the same customers come and want the same. Then the
network would read the same periods a second time, which is most of what simulating them costs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from .around import Around
from .demand_network import DemandNetwork, Seen
from .trunk import Kept


@dataclass
class _Course:
    """What the network read and said in the episodes that it was led through first."""

    start: Tensor  # (B,) int64, how much of the history precedes them
    read: list[tuple[Seen, Tensor | None]] = field(default_factory=list)  # one a period, with what was listed
    said: list[Tensor] = field(default_factory=list)  # (B, S, I, O) after each of them


@dataclass(frozen=True)
class Trail:
    """How far markets have come: along the known course, or on their own, with a memory."""

    start: Tensor  # (B,)
    periods: int
    memory: Any  # of the network; None as long as it need not be asked
    begin: Callable[[Tensor], Any]  # what the network's memory was at a start


class Recalled(Around):
    """Another network, whose steps along the first episodes are kept and recalled bit by bit.

    Where later episodes of the same starts read something else, it is led once more through what precedes.
    For one episode after the other, never for several side by side.
    """

    def __init__(self, network: DemandNetwork) -> None:
        super().__init__(network)
        self._course: _Course | None = None

    def begin(self, kept: Sequence[Kept], start: Tensor) -> Trail:
        begin = partial(self.network.begin, kept)
        known = self._course is not None and torch.equal(self._course.start, start)
        return Trail(start, 0, None if known else begin(start), begin)

    def step(
        self,
        seen: Seen,
        identity: Tensor,
        memory: Trail,
        distance: Tensor | None = None,
        listed: Tensor | None = None,
    ) -> tuple[Tensor, Trail]:
        if self._course is None:
            self._course = _Course(memory.start)
        course, period = self._course, memory.periods
        if memory.memory is None:
            if period < len(course.said) and _same(seen, course.read[period][0]):
                return course.said[period], replace(memory, periods=period + 1)
            memory = replace(memory, memory=self._led(memory, course, identity, distance))
        out, after = self.network.step(seen, identity, memory.memory, distance, listed)
        if memory.start is course.start and period == len(course.said):
            course.read.append((seen, listed))
            course.said.append(out)
        return out, replace(memory, periods=period + 1, memory=after)

    def _led(self, trail: Trail, course: _Course, identity: Tensor, distance: Tensor | None) -> Any:
        """The network's memory after as many periods of the course as the trail has come along it."""
        memory = trail.begin(trail.start)
        for seen, listed in course.read[: trail.periods]:
            _, memory = self.network.step(seen, identity, memory, distance, listed)
        return memory


def _same(one: Seen, other: Seen) -> bool:
    """Whether two periods are read alike; what is listed follows from the date, and so from the start."""
    names = ("adjusted", "known", "past")
    return all(torch.equal(getattr(one, name), getattr(other, name)) for name in names)
