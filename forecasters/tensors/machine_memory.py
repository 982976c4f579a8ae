"""How much memory is left, asked before much of it is taken."""

from __future__ import annotations

import os
from pathlib import Path

import torch

from ..errors import InputError

_LEFT = 0.05  # share of what is free that is left to others


def room_for(count: int, each: int, what: str, device: torch.device) -> None:
    """Refuse what cannot fit.

    Args:
        count: how many there are to be.
        each: bytes that one takes.
        what: what they are, for the message.
        device: where they are to be.

    Raises:
        InputError: less is free than is needed; says how many would fit.
    """
    free = available(device)
    if free is None:
        return
    fit = max(0, int(free * (1 - _LEFT)) // each)
    if count > fit:
        raise InputError(
            f"memory: {count:,} {what} need about {count * each / 2**30:.1f} GiB, {free / 2**30:.1f} GiB are"
            f" free on {device.type}: at most {fit:,} fit"
        )


def available(device: torch.device) -> int | None:
    """Bytes that can still be taken on a device; None where the machine does not say."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return free + unused
    if device.type != "cpu":
        return None
    found = [limit for limit in (_free_of_machine(), _free_of_group()) if limit is not None]
    return min(found, default=None)


def _free_of_machine() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration, ValueError):
        pass
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None


def _free_of_group() -> int | None:
    """What a container still has of what it was given."""
    try:
        folder = Path("/sys/fs/cgroup")
        return int((folder / "memory.max").read_text()) - int((folder / "memory.current").read_text())
    except (OSError, ValueError):  # no such limit
        return None
