"""Returns and lengths of finished episodes, counted where they are played."""

from __future__ import annotations

import torch
from torch import Tensor

from .env import Ended


class Episodes:
    """The last ``window`` finished episodes of all slots, in a ring on the device.

    Episodes that end together count in the order of their slots, as ``VecMonitor`` counts them.
    """

    def __init__(self, slots: int, window: int, device: torch.device) -> None:
        self.window = window
        self._running = torch.zeros(2, slots, device=device)  # return and length so far
        self._finished = torch.zeros(2, window + 1, device=device)  # the last column takes what is not kept
        self._count = torch.zeros((), dtype=torch.int64, device=device)  # finished since the start
        self._fetched = 0  # of which ``fetch`` has told

    def add(self, rewards: Tensor, ended: Ended | None) -> None:
        """Count a step with ``rewards`` (N,) and what it ended."""
        self._running[0] += rewards
        self._running[1] += 1
        if ended is None:
            return
        rank = ended.done.cumsum(0)  # 1 for the first that is done
        kept = ended.done & (rank > rank[-1] - self.window)
        place = torch.where(kept, (self._count + rank - 1) % self.window, self.window)
        self._finished[:, place] = self._running
        self._count += rank[-1]
        self._running.masked_fill_(ended.done, 0)

    def fetch(self) -> tuple[int, list[dict[str, float]]]:
        """How many episodes finished since the last call, and the newest of them as SB3 keeps them.

        The only question to the device.
        """
        *figures, count = torch.cat([self._finished.double().flatten(), self._count.view(1)]).tolist()
        new, self._fetched = int(count) - self._fetched, int(count)
        places = [number % self.window for number in range(int(count) - min(new, self.window), int(count))]
        return new, [{"r": figures[k], "l": int(figures[self.window + 1 + k])} for k in places]
