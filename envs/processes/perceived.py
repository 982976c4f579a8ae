"""Customers who feel prices otherwise than the process they are made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ...forecasters.customers import CustomerAction
from ...forecasters.simulation import DemandProcess, Outlook, Period
from ...forecasters.tensors import NoiseKey
from .wrapped import Wrapped


class PerceivedPrice(Wrapped):
    """``process`` whose customers answer to p̄·(p / (u·p̄))^k instead of p; states are shared.

    p̄ is the reference price, u the multiple of it that customers hold to be usual, and k multiplies every
    elasticity to the item's price: its own, and that of others' demand to it.
    """

    def __init__(self, process: DemandProcess, reference: Tensor, usual: Tensor, response: Tensor) -> None:
        super().__init__(process)
        self.reference, self.usual, self.response = reference, usual, response  # (S, I) each

    def felt(self, price: Tensor) -> Tensor:
        """(B, S, I) the price at which the process has the customers that come at ``price``."""
        as_it_is = (self.usual == 1) & (self.response == 1)
        moved = self.reference * (price / (self.usual * self.reference)) ** self.response
        return price.where(as_it_is, moved)

    def outlook(self, state: Any) -> Outlook:
        outlook = self.process.outlook(state)
        moved = self.expected(state, self.reference.expand_as(outlook.mean))
        return replace(
            outlook,
            mean=torch.where((self.usual == 1).all(), outlook.mean, moved),
            elasticity=outlook.elasticity * self.response,
        )

    def expected(self, state: Any, price: Tensor) -> Tensor:
        return self.process.expected(state, self.felt(price))

    def later(self, state: Any, price: Tensor, periods: int) -> Tensor:
        return self.process.later(state, self.felt(price), periods)

    def disagreement(self, state: Any, price: Tensor) -> Tensor:
        return self.process.disagreement(state, self.felt(price))

    def sample(self, state: Any, price: Tensor, key: NoiseKey) -> Tensor:
        return self.process.sample(state, self.felt(price), key)

    def advance(self, state: Any, period: Period, key: NoiseKey) -> Any:
        return self.process.advance(state, replace(period, price=self.felt(period.price)), key)

    def addressed(self, state: Any, action: CustomerAction, price: Tensor) -> tuple[Any, Tensor]:
        return super().addressed(state, action, self.felt(price))

    def _around(self, process: DemandProcess, tensor: Callable[[Tensor], Tensor]) -> PerceivedPrice:
        return PerceivedPrice(process, tensor(self.reference), tensor(self.usual), tensor(self.response))
