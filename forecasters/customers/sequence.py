"""The customer model: a causal Transformer over events, above classical answers that it may only improve.

Each head adds to what stands beneath it and begins at nothing: the next visit and leaving to BG/NBD with the
context (``hazard``), the basket to the mixture of sources (``mixture``), units to the usual ones
(``quantity``), what is brought back to the rates of the item and the customer (``returns``). So the network
begins as the classical answer.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils import skip_init

from ..network import RingCache, Transformer, TrunkSettings
from . import returns
from .context import CONTEXT
from .hazard import Hazard, log_likelihood
from .lesson import Lesson
from .mixture import PAIR, SOURCES, Asked, Mixture, Tilt
from .purchases import Queries
from .tokens import Tokens

HEADS = ("visit", "basket", "units", "return")
TRUNK = TrunkSettings(width=32, blocks=2, heads=2, window=64, dropout=0.1)


@dataclass(frozen=True)
class Said:
    """What the network adds for Q questions."""

    leaves: Tensor  # (Q,) to the log odds to have left
    comes: Tensor  # (Q, K) to the log increments of the hazard
    tilt: Tilt
    units: Tensor  # (Q, R + 1) product with an item's vector and 1: to the log of units
    returns: Tensor  # (Q, R + 1) likewise: to the log odds that a line is brought back


class CustomerNetwork(nn.Module):
    """Reads a customer's events and tilts the classical answers."""

    vectors: Tensor  # (I, R)

    def __init__(self, token: int, vectors: Tensor, spells: int, settings: TrunkSettings = TRUNK) -> None:
        super().__init__()
        self.settings = settings
        self.trunk = Transformer(token, settings)
        size, item = settings.width, vectors.shape[1]
        self.mind = nn.Sequential(
            nn.Linear(size + len(CONTEXT), size), nn.GELU(), nn.Dropout(settings.dropout)
        )
        self._sizes = (1, spells, len(SOURCES), len(PAIR), item, item, item + 1)
        self.heads = nn.Linear(size, sum(self._sizes))
        self.returns = skip_init(nn.Linear, size, item + 1)  # draws no number that others would have had
        for head in (self.heads, self.returns):
            nn.init.zeros_(head.weight)
            nn.init.zeros_(head.bias)
        self.register_buffer("vectors", vectors)

    def read(self, events: Tensor, length: Tensor) -> Tensor:
        """Events (Q, T, F), of which the first (Q,) count → (Q, D) what the last of them leaves known."""
        hidden = self.trunk(events.unsqueeze(2).unsqueeze(2))[:, :, 0, 0]
        last = hidden[torch.arange(len(hidden)), (length - 1).clamp(min=0)]
        return last * (length > 0).unsqueeze(1)

    def begin(self, customers: int) -> RingCache:
        """Memory of customers of whom nothing is known yet."""
        width, heads = self.settings.width, self.settings.heads
        empty = torch.zeros(1, 1, heads, 1, width // heads)
        return self.trunk.begin(
            [(empty, empty)] * self.settings.blocks, torch.zeros(customers, dtype=torch.long)
        )

    def step(self, event: Tensor, memory: RingCache) -> tuple[Tensor, RingCache]:
        """One more event (Q, F) of each customer → the same (Q, D) as ``read``, and the memory after it."""
        hidden, memory = self.trunk.step(event.unsqueeze(1).unsqueeze(1), memory)
        return hidden[:, 0, 0], memory

    def forward(self, hidden: Tensor, of: Asked) -> Said:
        """What is said of questions, from the events (Q, D) of their customers and their context."""
        mind = self.mind(torch.cat([hidden, of.context], 1))
        leaves, comes, gates, pair, own, common, units = self.heads(mind).split(self._sizes, 1)
        item = self.vectors[torch.from_numpy(of.own.item)]
        pairs = (pair[of.row] * of.pair).sum(1) + (own[of.row] * item).sum(1)
        return Said(leaves[:, 0], comes, Tilt(gates, pairs, common, self.vectors), units, self.returns(mind))


@dataclass(frozen=True)
class Beneath:
    """The classical answers, learned before the network, which leaves them as they are."""

    hazard: Hazard
    mixture: Mixture


def losses(lesson: Lesson, beneath: Beneath, said: Said | None) -> tuple[Tensor, Tensor]:
    """Per head (H,) the sum of losses and how many there are: negative log likelihoods a question."""
    leaves, comes = beneath.hazard(lesson.asked.context, lesson.visits)
    usual, back, tilt = lesson.usual, lesson.returns.usual, None
    if said is not None:
        leaves, comes, tilt = leaves + said.leaves, comes + said.comes, said.tilt
        item = nn.functional.pad(tilt.vectors[lesson.told.item], (0, 1), value=1.0)
        usual = usual + (said.units[lesson.told.row] * item).sum(1)
        back = back + (said.returns[lesson.told.row] * item).sum(1)
    visit = -log_likelihood(leaves, comes, lesson.visits)
    weight = lesson.told.weight
    basket = -weight * beneath.mixture.likelihood(lesson.asked, lesson.told, tilt)
    units = weight * (usual + lesson.told.units * (-usual).exp())  # exponential: the mean is what it finds
    asked = weight * lesson.returns.recorded
    returned = -asked * returns.log_likelihood(back, lesson.returns)
    sums = torch.stack([visit.sum(), basket.sum(), units.sum(), returned.sum()])
    baskets = weight.sum()
    return sums, torch.stack([torch.tensor(float(len(lesson))), baskets, baskets, asked.sum()])


def heard(network: CustomerNetwork, events: Tokens, queries: Queries, of: Asked) -> Said:
    """What a network says of questions."""
    window, length = events.read(queries, network.settings.window)
    return network(network.read(window, length), of)
