"""A competitor with a shop of its own, which a policy runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
from torch import Tensor

from ...forecasters.simulation import DemandProcess
from ...forecasters.tensors import NoiseKey, stable_id
from ..engine.rules import enforce
from ..engine.types import Decision, State
from ..engine.view import View
from ..market import Market
from ..simulator import Simulator
from .rivalled import RivalledDemand

_SEEDS = 2**20  # by how much the seed of its customers may differ


class Decides(Protocol):
    """Whoever can run a shop: a policy."""

    @property
    def name(self) -> str: ...

    def decide(self, view: View) -> Decision: ...


@dataclass(frozen=True)
class ShopkeeperState:
    """The competitor's shop, and what it is about to do."""

    shop: State
    decision: Decision  # for the coming period, within the rules of its shop


@dataclass(frozen=True)
class Known:
    """The shop's price as the competitor's customers know it: it is told, not foreseen."""

    before: Tensor | None  # (T, S, I) the shop's prices before an episode, multiples; None: the usual ones
    shape: tuple[int, int]

    def reset(self, start: Tensor, key: NoiseKey) -> Tensor:
        if self.before is None:
            return torch.ones(len(start), *self.shape, device=start.device)
        return self.before[(start - 1).clamp(0, len(self.before) - 1)]

    def price(self, state: Tensor) -> Tensor:
        return state

    def answer(self, state: Tensor, shop: Tensor) -> Tensor:
        return state

    def advance(self, state: Tensor, shop: Tensor, key: NoiseKey) -> Tensor:
        return state

    def around(self, process: DemandProcess, tensor: Callable[[Tensor], Tensor]) -> Known:
        before = None if self.before is None else tensor(self.before)
        return Known(before, (len(process.locations), len(process.items)))


class Shopkeeper:
    """A competitor that ``policy`` prices for, in a shop like this one.

    The shop has the terms, the rules and the costs of ``market``, which no scenario changes, and customers of
    its own by the same law, who compare with this shop's prices as this shop's customers do with its own.
    It decides by this shop's price of the period before.

    Args:
        market: the shop.
        policy: who runs it.
        cross: (S, I) cross elasticity of its demand to this shop's prices.
    """

    def __init__(self, market: Market, policy: Decides, cross: Tensor) -> None:
        self.market, self.policy, self.cross = market, policy, cross
        self.reference = market.terms.reference_price
        before = market.charged_before
        known = Known(None if before is None else before / self.reference, market.shape)
        self.shop = market.with_demand(RivalledDemand(market.demand, known, self.reference, cross))
        self._simulator = Simulator(self.shop, 1, 1, 0, evaluation=True)

    def reset(self, start: Tensor, key: NoiseKey) -> ShopkeeperState:
        seed = int(torch.as_tensor(key.seed).flatten()[0]) + 1 + stable_id(self.policy.name) % _SEEDS
        simulator = Simulator(self.shop, len(start), 1, seed, evaluation=True)
        return self._decided(simulator.initial_state(start, episodes=key.episode))

    def price(self, state: ShopkeeperState) -> Tensor:
        return state.decision.price / self.reference

    def answer(self, state: ShopkeeperState, shop: Tensor) -> Tensor:
        return self.price(state)

    def advance(self, state: ShopkeeperState, shop: Tensor, key: NoiseKey) -> ShopkeeperState:
        faced = replace(state.shop, demand=replace(state.shop.demand, rival=shop))
        after, _ = self._simulator.step(faced, state.decision)
        return self._decided(after)

    def around(self, process: DemandProcess, tensor: Callable[[Tensor], Tensor]) -> Shopkeeper:
        cross = tensor(self.cross)
        market = self.market.select(process.locations, process.items).to(cross.device)
        return Shopkeeper(market, self.policy, cross)

    def _decided(self, shop: Any) -> ShopkeeperState:
        view = self._simulator.view(shop)
        return ShopkeeperState(shop, enforce(self.policy.decide(view), shop, self.shop))
