"""What is added to the regressions: tokens of what a period leaves known, a trunk, heads for the next."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ..features import History, past_features
from ..tensors import Cut
from .trunk import TRUNKS, Kept, Trunk, TrunkSettings

_ID_WIDTH = 6
_ID_DROPOUT = 0.5  # so that a new location or item, which has no id, still works from its attributes


@dataclass(frozen=True)
class Seen:
    """What one or more periods leave known.

    The calendar stays out: it tells the network which week it is, and what it learns of the weeks it has seen
    is of no use in others. What the time of year is worth is in the base (``docs/decisions/0007``).
    """

    adjusted: Tensor  # (…, S, I) price-adjusted log demand above the series' level; no raw past prices
    known: Tensor  # (…, S, I) bool, whether the period was observed
    past: Tensor  # (…, S, I, P) features of demand up to the period (``past``)
    static: Tensor  # (S, I, Q) attributes

    def tokens(self) -> Tensor:
        """(…, S, I, F)."""
        seen = self.known.float()
        columns = torch.stack([(self.adjusted * seen).clamp(-6, 6), seen], dim=-1)
        static = self.static.expand(*columns.shape[:-1], -1)
        return torch.cat([columns, self.past.clamp(-6, 6), static], dim=-1)


class DemandNetwork(nn.Module, ABC):
    """Outputs (…, S, I, O) on the next period, from what periods leave known.

    Ids of locations and items are optional extras: an index of -1 is one the network has not met.
    """

    @abstractmethod
    def select(self, cut: Cut) -> DemandNetwork:
        """The same network with the ids of a sub-market; weights are shared, ids copied."""

    @abstractmethod
    def without_ids(self, places: Tensor, goods: Tensor) -> DemandNetwork:
        """The same network, to which locations (P,) and items (G,), indices, are ones it has not met."""

    @abstractmethod
    def identity(self, places: Tensor, goods: Tensor) -> Tensor:
        """(S, I, ids) features of a sub-market, from indices (S,) and (I,)."""

    @abstractmethod
    def forward(
        self,
        tokens: Tensor,
        identity: Tensor,
        distance: Tensor | None = None,
        keep: list[Kept] | None = None,
        listed: Tensor | None = None,
    ) -> Tensor:
        """Tokens (B, T, S, I, F) → outputs (B, T, S, I, O), the one at t speaking of period t + 1."""

    @abstractmethod
    def begin(self, kept: Sequence[Kept], start: Tensor) -> Any:
        """Memory of markets that go on after ``start`` (B,) tokens of a history (``Trunk.begin``)."""

    @abstractmethod
    def step(
        self,
        seen: Seen,
        identity: Tensor,
        memory: Any,
        distance: Tensor | None = None,
        listed: Tensor | None = None,
    ) -> tuple[Tensor, Any]:
        """Outputs (B, S, I, O), or all that are the same (O,), and the memory after one more period."""

    @property
    @abstractmethod
    def kept_numbers(self) -> int:
        """How many numbers a history takes for each series and period."""


class TrunkNetwork(DemandNetwork):
    """A trunk between tokens and heads."""

    trunk: Trunk
    head: nn.Linear

    def __init__(self, features: int, outputs: int, locations: int, items: int, settings: TrunkSettings):
        super().__init__()
        self.places = nn.Embedding(locations + 1, _ID_WIDTH)
        self.goods = nn.Embedding(items + 1, _ID_WIDTH)
        nn.init.normal_(self.places.weight, std=0.1)
        nn.init.normal_(self.goods.weight, std=0.1)
        self.trunk = TRUNKS[settings.kind](features + 2 * _ID_WIDTH, settings)
        self.head = nn.Linear(settings.width, outputs)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def select(self, cut: Cut) -> TrunkNetwork:
        part = copy.copy(self)
        part._modules = dict(self._modules)
        for name, kept in (("places", cut.places), ("goods", cut.goods)):
            unknown_too = torch.cat([kept.new_zeros(1), kept + 1])
            part._modules[name] = nn.Embedding.from_pretrained(getattr(self, name).weight[unknown_too])
        return part

    def without_ids(self, places: Tensor, goods: Tensor) -> TrunkNetwork:
        part = copy.copy(self)
        part._modules = dict(self._modules)
        for name, strange in (("places", places), ("goods", goods)):
            weight = getattr(self, name).weight.detach().clone()
            weight[strange + 1] = weight[0].clone()
            part._modules[name] = nn.Embedding.from_pretrained(weight)
        return part

    def identity(self, places: Tensor, goods: Tensor) -> Tensor:
        if self.training:
            drop = torch.rand(places.shape, device=places.device) < _ID_DROPOUT
            places = torch.where(drop, -1, places)
            goods = torch.where(torch.rand(goods.shape, device=goods.device) < _ID_DROPOUT, -1, goods)
        place, good = self.places(places + 1), self.goods(goods + 1)
        shape = (len(places), len(goods), _ID_WIDTH)
        return torch.cat([place.unsqueeze(1).expand(shape), good.unsqueeze(0).expand(shape)], dim=-1)

    def forward(
        self,
        tokens: Tensor,
        identity: Tensor,
        distance: Tensor | None = None,
        keep: list[Kept] | None = None,
        listed: Tensor | None = None,
    ) -> Tensor:
        full = torch.cat([tokens, identity.expand(*tokens.shape[:-1], -1)], dim=-1)
        return self.head(self.trunk(full, distance, keep, listed))

    def begin(self, kept: Sequence[Kept], start: Tensor) -> Any:
        return self.trunk.begin(kept, start)

    def step(
        self,
        seen: Seen,
        identity: Tensor,
        memory: Any,
        distance: Tensor | None = None,
        listed: Tensor | None = None,
    ) -> tuple[Tensor, Any]:
        token = seen.tokens()
        full = torch.cat([token, identity.expand(*token.shape[:-1], -1)], dim=-1)
        hidden, memory = self.trunk.step(full, memory, distance, listed)
        return self.head(hidden), memory

    @property
    def kept_numbers(self) -> int:
        return self.trunk.kept_numbers


class NoNetwork(DemandNetwork):
    """The regressions alone: nothing is read, kept or added."""

    nothing: Tensor  # (O,) zeros

    def __init__(self, outputs: int):
        super().__init__()
        self.register_buffer("nothing", torch.zeros(outputs), persistent=False)

    def select(self, cut: Cut) -> NoNetwork:
        return self

    def without_ids(self, places: Tensor, goods: Tensor) -> NoNetwork:
        return self

    def identity(self, places: Tensor, goods: Tensor) -> Tensor:
        return self.nothing.new_zeros(len(places), len(goods), 0)

    def forward(
        self,
        tokens: Tensor,
        identity: Tensor,
        distance: Tensor | None = None,
        keep: list[Kept] | None = None,
        listed: Tensor | None = None,
    ) -> Tensor:
        return self.nothing.expand(*tokens.shape[:-1], -1)

    def begin(self, kept: Sequence[Kept], start: Tensor) -> None:
        return None

    def step(
        self,
        seen: Seen,
        identity: Tensor,
        memory: None,
        distance: Tensor | None = None,
        listed: Tensor | None = None,
    ) -> tuple[Tensor, None]:
        return self.nothing, None

    @property
    def kept_numbers(self) -> int:
        return 0


def demand_network(
    features: int, outputs: int, locations: int, items: int, settings: TrunkSettings
) -> DemandNetwork:
    """The network that the settings ask for, with weights drawn at random."""
    if settings.kind not in TRUNKS:
        return NoNetwork(outputs)
    return TrunkNetwork(features, outputs, locations, items, settings)


def loaded_network(
    weights: Mapping[str, Tensor], outputs: int, locations: int, items: int, settings: TrunkSettings
) -> DemandNetwork:
    """The network whose ``state_dict`` a file holds."""
    embed = weights.get("trunk.embed.weight")
    features = 0 if embed is None else embed.shape[1] - 2 * _ID_WIDTH
    network = demand_network(features, outputs, locations, items, settings)
    network.load_state_dict(dict(weights))
    return network


def history_tokens(history: History, adjusted: Tensor) -> Tensor:
    """(T, S, I, F) demand tokens of a whole panel of price-adjusted demand (T, S, I)."""
    past = past_features(adjusted, history.known, history.assortment)[1:]
    return Seen(adjusted, history.known, past, history.static).tokens()
