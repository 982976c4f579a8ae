"""What the machine allows: the bare matrix products of one step of a Transformer, and nothing else.

Those over the cache read every key and value that is kept, those over many items or locations the landmarks'
alone. No norm, no softmax, no mean, no rotation, no write, no memory asked for; the price response, the
noise, the stock and the books cost nothing here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch

from mercato.envs.market import Market
from mercato.forecasters.network.demand_network import TrunkNetwork
from mercato.forecasters.network.trunk import Transformer, TrunkSettings
from mercato.forecasters.network.trunk.attention import KEYS
from mercato.forecasters.simulation.learned import LearnedDemand

from .timing import Case

Product = Callable[[], object]


@dataclass(frozen=True)
class Shape:
    """Of one step."""

    trunk: TrunkSettings
    features: int  # F of a token, ids included
    outputs: int  # of the head
    markets: int
    places: int
    goods: int

    @classmethod
    def of(cls, market: Market, markets: int) -> Shape:
        """The shape of a learned market's step."""
        demand = market.demand
        assert isinstance(demand, LearnedDemand)
        network = demand.model.network
        assert isinstance(network, TrunkNetwork)
        assert isinstance(network.trunk, Transformer)
        features, outputs = network.trunk.embed.in_features, network.head.out_features
        return cls(demand.model.settings.trunk, features, outputs, markets, *market.shape)

    @property
    def series(self) -> int:
        return self.markets * self.places * self.goods

    @property
    def cache_bytes(self) -> int:
        """Keys and values of all layers, four bytes a number."""
        return 2 * 4 * self.series * self.trunk.blocks * self.trunk.window * self.trunk.width

    @property
    def operations(self) -> int:
        """Multiplications and additions of all products."""
        trunk, width, series = self.trunk, self.trunk.width, self.series
        block = series * (12 * width * width + 2 * width * trunk.window)
        for axis in (self.places, self.goods):
            if axis > 1:
                block += self._across(axis)
        return 2 * (series * (self.features + self.outputs) * width + trunk.blocks * block)

    def _across(self, axis: int) -> int:
        """Multiplications of attention across ``axis`` items or locations, as many queries and fewer keys."""
        width, kept = self.trunk.width, min(axis, KEYS)
        keys = self.series // axis * kept
        return 2 * width * width * (self.series + keys) + 2 * width * kept * self.series


def bound(shape: Shape, name: str, threads: int, device: torch.device | str = "cpu") -> Case:
    """All products of one step a call, in the order of the step."""
    with torch.random.fork_rng():
        products = list(_products(shape, torch.device(device)))

    def run() -> None:
        for product in products:
            product()

    return Case(name, run, shape.series, threads=threads)


def _products(shape: Shape, device: torch.device) -> Iterator[Product]:
    width, heads, series = shape.trunk.width, shape.trunk.heads, shape.series

    def plain(inner: int, columns: int, rows: int = series) -> Product:
        a, b = torch.randn(rows, inner, device=device), torch.randn(inner, columns, device=device)
        out = torch.empty(rows, columns, device=device)
        return lambda: torch.mm(a, b, out=out)

    def attention(groups: int, queries: int, kept: int) -> Iterator[Product]:
        """Scores and their use of ``groups`` · heads sequences, keys and values as the cache keeps them."""
        batch, part = groups * heads, width // heads
        q = torch.randn(batch, queries, part, device=device)
        k, v = (torch.randn(batch, kept, part, device=device) for _ in range(2))
        score = torch.empty(batch, queries, kept, device=device)
        out = torch.empty(batch, queries, part, device=device)
        yield lambda: torch.bmm(q, k.transpose(1, 2), out=score)
        yield lambda: torch.bmm(score, v, out=out)

    def layer(groups: int, queries: int, kept: int, landmarks: bool = False) -> Iterator[Product]:
        if landmarks:
            yield plain(width, width)
            yield plain(width, 2 * width, groups * kept)
        else:
            yield plain(width, 3 * width)
        yield from attention(groups, queries, kept)
        yield plain(width, width)

    yield plain(shape.features, width)
    for _ in range(shape.trunk.blocks):
        yield from layer(series, 1, shape.trunk.window)
        for axis in (shape.goods, shape.places):
            if axis > 1:
                yield from layer(series // axis, axis, min(axis, KEYS), axis > KEYS)
        yield plain(width, 4 * width)
        yield plain(4 * width, width)
    yield plain(width, shape.outputs)
