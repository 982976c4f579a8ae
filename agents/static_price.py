"""The prices that earn most if they are held: by the model's expectation, then by simulated profit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ..envs.market import Market
from .baselines.myopic import best_price
from .policy import within
from .recorded import RecordedStates, untouched

_STEP, _FINEST = 0.06, 0.01  # log prices: a move at first, and at last
_DATES = 13  # periods of each recorded episode over which expected profit is taken

Worth = Callable[[Tensor], Tensor]  # simulated profit (S, I) at prices (S, I)


def expected_optimum(market: Market, cost: Tensor, starts: list[Tensor]) -> Tensor:
    """(S, I) prices that earn most over the recorded periods as the model expects, at ``cost`` (S, I) a unit.

    Args:
        market: recorded (``record``).
        cost: of a unit sold, with whatever else it costs on average.
        starts: (S, I) prices to begin from.
    """
    recording = untouched(market)
    assert isinstance(recording, RecordedStates)
    states = recording.states[:: max(1, len(recording.states) // _DATES)]

    def profit(price: Tensor) -> Tensor:
        held = price.expand(recording.episodes, -1, -1)
        sold = torch.stack([recording.process.expected(state, held).mean(0) for state in states]).mean(0)
        return (price - cost) * sold

    return best_price(profit, market, [start.unsqueeze(0) for start in starts], iterations=15)[0]


@dataclass(frozen=True)
class _Tried:
    """Prices, and what they earned in simulation."""

    price: Tensor  # (S, I)
    profit: Tensor  # (C,) by category

    @property
    def total(self) -> float:
        return float(self.profit.sum())


class HeldPrices:
    """A search for the best of prices (S, I), each trial a simulation.

    Common moves of all items of a category and of single ones, the same in all price groups and tried in all
    categories at once, whose customers are taken not to mind each other's prices.
    """

    def __init__(self, market: Market, worth: Worth, trials: int) -> None:
        self.market, self.worth, self.left = market, worth, trials

    def best(self, starts: list[Tensor]) -> Tensor:
        """The best prices met; the starts are the first trials."""
        now = max((self._tried(within(start, self.market)) for start in starts), key=lambda one: one.total)
        step = _STEP
        while step >= _FINEST and self.left > 0:
            before = now.total
            for direction in self._directions():
                now = self._moved(now, direction, step)
            if now.total <= before:
                step /= 2
        return now.price

    def _tried(self, price: Tensor) -> _Tried:
        self.left -= 1
        return _Tried(price, self.market.by_category.total(self.worth(price).sum(0), -1))

    def _directions(self) -> list[Tensor]:
        """(I,) 0 or 1: all items; the first of each category; the second, and so on."""
        categories = self.market.by_category
        alike = torch.ones_like(categories.index, dtype=torch.float32)
        rank = torch.stack([(categories.index[:n] == c).sum() for n, c in enumerate(categories.index)])
        single = [(rank == n).float() for n in range(int(rank.max()) + 1)]
        return [alike, *single] if len(single) > 1 else [alike]

    def _moved(self, now: _Tried, direction: Tensor, step: float) -> _Tried:
        """The better of both ways, category by category; as it was where neither is."""
        for size in (step, -step):
            if self.left <= 0:
                break
            moved = self._tried(within(now.price * (size * direction).exp(), self.market))
            better = moved.profit > now.profit
            if bool(better.any()) and not bool(better.all()):
                chosen = self.market.by_category.spread(better, -1)
                moved = self._tried(torch.where(chosen, moved.price, now.price))
            if moved.total > now.total:
                return moved
        return now
