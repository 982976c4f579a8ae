"""Recurrent trunks: a gated cell over time for each series, attention across items and locations.

GRU: Cho et al. 2014, arXiv 1406.1078; LSTM: Hochreiter and Schmidhuber 1997, doi:10.1162/neco.1997.9.8.1735;
with the biases that torch has. With gradients torch's fused layers scan a window; without, and in an episode,
the cell is the same function a period at a time. What it remembers is D numbers a series and layer, or 2·D.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from .attention import Across
from .trunk import Kept, Trunk, TrunkSettings

State = tuple[Tensor, ...]  # of one layer: (…, D) hidden, of an LSTM also (…, D) cell


@dataclass(frozen=True)
class Recollection:
    """State of every layer after the last token; zeros before the first."""

    layers: tuple[State, ...]  # of tensors (B, S, I, D)


class _Block(nn.Module):
    """A recurrent layer, then attention across series."""

    gates: int  # of the cell

    def __init__(self, settings: TrunkSettings):
        super().__init__()
        width = settings.width
        self.norm = nn.LayerNorm(width)
        self.asks = nn.Linear(width, self.gates * width)  # of the input
        self.recalls = nn.Linear(width, self.gates * width)  # of the hidden state
        self.dropout = nn.Dropout(settings.dropout)
        self.across = Across(width, settings.heads, settings.dropout)

    def cell(self, x: Tensor, state: State) -> State:
        """The state of a series after its next input (…, D)."""
        raise NotImplementedError

    def fused(self, x: Tensor, none: Tensor, weights: list[Tensor]) -> Tensor:
        """Hidden states of sequences (N, T, D), from zeros (1, N, D)."""
        raise NotImplementedError

    def scan(self, x: Tensor) -> Tensor:
        """Windows (B, T, S, I, D) → hidden states over time, added."""
        series = self.norm(x).permute(0, 2, 3, 1, 4)
        flat = series.reshape(-1, *series.shape[-2:])
        weights = [self.asks.weight, self.recalls.weight, self.asks.bias, self.recalls.bias]
        out = self.fused(flat, torch.zeros_like(flat[:, 0]).unsqueeze(0), weights)
        return x + self.dropout(out.view(series.shape).permute(0, 3, 1, 2, 4))

    def walk(self, x: Tensor, none: State) -> tuple[Tensor, Kept]:
        """The same a period at a time, and the state (B, T, S, I, D) after each."""
        state, states = none, []
        for now in self.norm(x).unbind(1):
            state = self.cell(now, state)
            states.append(state)
        kept = tuple(torch.stack(part, 1) for part in zip(*states, strict=True))
        return x + kept[0], kept


class _GRUBlock(_Block):
    gates = 3

    def cell(self, x: Tensor, state: State) -> State:
        (hidden,) = state
        asked, recalled = self.asks(x).chunk(3, -1), self.recalls(hidden).chunk(3, -1)
        reset, keep = ((a + b).sigmoid() for a, b in zip(asked[:2], recalled[:2], strict=True))
        new = (asked[2] + reset * recalled[2]).tanh()
        return (new + keep * (hidden - new),)

    def fused(self, x: Tensor, none: Tensor, weights: list[Tensor]) -> Tensor:
        return torch.gru(x, none, weights, True, 1, 0.0, self.training, False, True)[0]


class _LSTMBlock(_Block):
    gates = 4

    def cell(self, x: Tensor, state: State) -> State:
        hidden, cell = state
        take, keep, new, tell = (self.asks(x) + self.recalls(hidden)).chunk(4, -1)
        cell = keep.sigmoid() * cell + take.sigmoid() * new.tanh()
        return tell.sigmoid() * cell.tanh(), cell

    def fused(self, x: Tensor, none: Tensor, weights: list[Tensor]) -> Tensor:
        return torch.lstm(x, (none, none), weights, True, 1, 0.0, self.training, False, True)[0]


class Recurrent(Trunk):
    """A gated cell over time, attention over items and locations."""

    block: type[_GRUBlock] | type[_LSTMBlock]
    states: int  # tensors of a layer's state

    def __init__(self, features: int, settings: TrunkSettings):
        super().__init__()
        self.settings = settings
        self.embed = nn.Linear(features, settings.width)
        self.blocks = nn.ModuleList(self.block(settings) for _ in range(settings.blocks))
        self.norm = nn.LayerNorm(settings.width)

    @property
    def kept_numbers(self) -> int:
        return self.settings.width * self.settings.blocks * self.states

    def _layers(self) -> list[_Block]:
        return [cast(_Block, block) for block in self.blocks]

    def forward(
        self,
        tokens: Tensor,
        distance: Tensor | None = None,
        keep: list[Kept] | None = None,
        listed: Tensor | None = None,
    ) -> Tensor:
        """See ``Trunk``; kept are a layer's states (B, T, S, I, D)."""
        x = self.embed(tokens)
        for block in self._layers():
            if torch.is_grad_enabled():
                x = block.scan(x)
            else:
                x, kept = block.walk(x, (torch.zeros_like(x[:, 0]),) * self.states)
                if keep is not None:
                    keep.append(kept)
            x = block.across.in_parts(x, distance, listed)
        return self.norm(x)

    def begin(self, kept: Sequence[Kept], start: Tensor) -> Recollection:
        """States (T, S, I, D) of each layer, where they left off."""
        last, any_at_all = (start - 1).clamp(min=0), (start > 0).view(-1, 1, 1, 1)
        return Recollection(tuple(tuple(x[last] * any_at_all for x in layer) for layer in kept))

    def step(
        self,
        token: Tensor,
        memory: Recollection,
        distance: Tensor | None = None,
        listed: Tensor | None = None,
    ) -> tuple[Tensor, Recollection]:
        """See ``Trunk``."""
        x, layers = self.embed(token), []
        for block, before in zip(self._layers(), memory.layers, strict=True):
            state = block.cell(block.norm(x), before)
            layers.append(state)
            x = block.across(x + state[0], distance, listed)
        return self.norm(x), Recollection(tuple(layers))


class GRU(Recurrent):
    """One state a layer."""

    block, states = _GRUBlock, 1


class LSTM(Recurrent):
    """Two states a layer."""

    block, states = _LSTMBlock, 2
