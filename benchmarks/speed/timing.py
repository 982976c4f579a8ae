"""Rates of things that do the same work, measured in turns: the machine is shared, and its moods are too."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median

import torch

MOST_CALLS = 100_000
_WARM_UP = 2  # calls: what follows a reset may differ from what follows a step


@dataclass(frozen=True)
class Effort:
    """How long to measure."""

    rounds: int = 5  # turns that every case gets
    seconds: float = 0.4  # a turn lasts, at least one call


@dataclass(frozen=True)
class Case:
    """Work to be timed."""

    name: str
    run: Callable[[], object]
    count: float  # series-steps (or another unit of work) that one call does
    prepare: Callable[[], object] = lambda: None  # before every turn, not timed
    threads: int = 1


@dataclass(frozen=True)
class Rate:
    """Work done in a second, a figure for each turn."""

    turns: tuple[float, ...]
    threads: int
    share: (
        float  # of the threads' time that the machine gave: below 1 it was wanted elsewhere, or they waited
    )

    @property
    def value(self) -> float:
        return median(self.turns)

    def over(self, other: Rate) -> float:
        """Median ratio of turns taken side by side."""
        return median(mine / theirs for mine, theirs in zip(self.turns, other.turns, strict=True))

    def record(self) -> dict[str, float]:
        """As the result has it."""
        return {
            "rate": self.value,
            "lowest": min(self.turns),
            "highest": max(self.turns),
            "threads": self.threads,
            "share": self.share,
        }


def rates(cases: Sequence[Case], effort: Effort, device: torch.device | str = "cpu") -> dict[str, Rate]:
    """Rates by name; every round gives each case its turn."""
    calls = {case.name: _calls(case, effort.seconds, device) for case in cases}
    turns: dict[str, list[float]] = {case.name: [] for case in cases}
    shares: dict[str, list[float]] = {case.name: [] for case in cases}
    for _ in range(effort.rounds):
        for case in cases:
            wall, busy = _timed(case, calls[case.name], device)
            turns[case.name].append(case.count * calls[case.name] / wall)
            shares[case.name].append(busy / (wall * case.threads))
    return {c.name: Rate(tuple(turns[c.name]), c.threads, median(shares[c.name])) for c in cases}


def _calls(case: Case, seconds: float, device: torch.device | str) -> int:
    """Calls that fill a turn; what is done once and for all, in a first call or a next one, is done here."""
    _timed(case, _WARM_UP, device)
    wall, _ = _timed(case, _WARM_UP, device)
    return min(max(1, round(seconds * _WARM_UP / wall)), MOST_CALLS)


def _timed(case: Case, calls: int, device: torch.device | str) -> tuple[float, float]:
    """Seconds on the clock and of the processor that ``calls`` calls take."""
    with threads(case.threads):
        case.prepare()
        finish(device)
        wall, busy = time.perf_counter(), time.process_time()
        for _ in range(calls):
            case.run()
        finish(device)
        return time.perf_counter() - wall, time.process_time() - busy


def finish(device: torch.device | str) -> None:
    """Wait until the device has done what it was given."""
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize(device)


@contextmanager
def threads(number: int) -> Iterator[None]:
    """Torch on ``number`` threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
