"""Many small independent fits, side by side.

Each runs on one thread of its own: what is summed in it is summed in one order whatever the machine has, and
a product of a few thousand numbers takes thirty times as long on two threads that wait for each other. Small
ones run one after the other: their steps are over before another thread has got the interpreter.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

R = TypeVar("R")

_SMALL = 12_000  # rows of a fit, up to which threads cost more than they save


def side_by_side(do: Callable[[int], R], count: int, rows: int) -> list[R]:
    """``do(0)`` … ``do(count - 1)``, as many at once as torch has threads where each is of many ``rows``."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        if threads == 1 or rows <= _SMALL:
            return [do(number) for number in range(count)]
        pool = ThreadPoolExecutor(threads)
        try:
            return list(pool.map(do, range(count)))
        finally:
            pool.shutdown(cancel_futures=True)
    finally:
        torch.set_num_threads(threads)
