"""What a basket is drawn from: sources mixed by what is known of the customer, learned from past baskets.

The chance that a line of the next basket is item i is Σ_k g_k(customer) p_k(i), with p_k the sources of
``baskets``. The weights g are a softmax that is linear in the customer's context; the source of repeats is a
softmax over what the customer bought, linear in how often and how long ago, with personal frequency with
recency where it starts. Training needs the sources at what was bought alone, yet the loss is over the full
catalogue, since each source sums to 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor, nn

from .baskets import POPULAR, Catalogue, Own, own_items, related
from .context import CONTEXT, context
from .purchases import Purchases, Queries

SOURCES = ("repeats", *(f"popular in {days} days" for days in POPULAR), "category", "bought together")
PAIR = ("log repeat rate", "log visits", "log days since", "log days since the first", "late for it")
_PENALTY = 1e-4  # of each squared weight, beside a mean over questions
_NONE = 1e-12  # least chance of what no source knows


@dataclass(frozen=True)
class Asked:
    """Q questions as a basket's sources see them, of which M pairs are items that a customer had bought."""

    items: Catalogue
    context: Tensor  # (Q, C) of CONTEXT
    own: Own  # M pairs
    row: Tensor  # (M,) int64 question of each pair, rising
    frequency: Tensor  # (M,) log frequency with recency
    pair: Tensor  # (M, G) of PAIR
    sparse: tuple[sp.csr_array, ...]  # (Q, I) the sources after the popular ones

    def __len__(self) -> int:
        return len(self.context)


@dataclass(frozen=True)
class Answers:
    """N lines of the first baskets after Q questions."""

    row: Tensor  # (N,) int64 question, rising
    item: Tensor  # (N,) int64
    weight: Tensor  # (N,) 1 / lines of its basket
    fixed: Tensor  # (N, K - 1) every source but the first, at this item
    place: Tensor  # (N,) int64 which pair of ``Asked`` it is, -1 for an item that is new to the customer
    units: Tensor  # (N,)


def asked(known: Purchases, queries: Queries, items: Catalogue) -> Asked:
    """What the log says before each question; every customer must have bought by then."""
    own = own_items(known, queries)
    return Asked(
        items=items,
        context=context(known, queries),
        own=own,
        row=torch.from_numpy(own.row),
        frequency=torch.from_numpy(np.log(own.weight)).float(),
        pair=torch.from_numpy(_pair(own, items)).float(),
        sparse=related(own, items, len(queries)),
    )


def answers(log: Purchases, queries: Queries, horizon: int, of: Asked) -> Answers:
    """The first baskets within ``horizon`` days."""
    row, line = log.first_basket(queries, horizon)
    item = log.item[line]
    key, wanted = of.own.row * log.items + of.own.item, row * log.items + item
    place = np.minimum(np.searchsorted(key, wanted), len(key) - 1)
    fixed = [*of.items.popular[:, item], *(np.asarray(table[row, item]).ravel() for table in of.sparse)]
    lines = np.bincount(row, minlength=len(queries))
    return Answers(
        row=torch.from_numpy(row),
        item=torch.from_numpy(item),
        weight=torch.from_numpy(1 / lines[row]).float(),
        fixed=torch.from_numpy(np.stack(fixed, 1)).float(),
        place=torch.from_numpy(np.where(key[place] == wanted, place, -1)),
        units=torch.from_numpy(log.units[line]).float(),
    )


def _pair(own: Own, items: Catalogue) -> np.ndarray:
    """(M, G)"""
    between = (own.first - own.last) / np.maximum(own.visits - 1, 1)
    late = np.where(own.visits > 1, np.log(own.last / np.maximum(between, 1)), 0.0)
    columns = [
        np.log(items.again[own.item]),
        np.log(own.visits),
        np.log(own.last),
        np.log(own.first),
        np.tanh(late),
    ]
    return np.stack(columns, 1)


@dataclass(frozen=True)
class Tilt:
    """What is added to a mixture by who has read the whole history; all 0 leaves it as it is."""

    gates: Tensor  # (Q, K) to the logits of the sources
    pair: Tensor  # (M,) to the logits of the repeats
    common: Tensor  # (Q, R) of the popular items: the product with their vectors, to the log of their shares
    vectors: Tensor  # (I, R)


class Mixture(nn.Module):
    """Weights of the sources and of what makes a repeat likely; begins as frequency with recency, mixed."""

    def __init__(self, sources: int = len(SOURCES)) -> None:
        super().__init__()
        self.gates = nn.Parameter(torch.zeros(len(CONTEXT), sources))
        self.again = nn.Parameter(torch.zeros(len(PAIR)))

    def forward(self, of: Asked, tilt: Tilt | None = None) -> tuple[Tensor, Tensor]:
        """(Q, K) chances of the sources, and (M,) of the repeats among a customer's own."""
        gates = of.context @ self.gates
        repeats = of.frequency + of.pair @ self.again
        if tilt is not None:
            gates, repeats = gates + tilt.gates, repeats + tilt.pair
        return gates.softmax(1), log_share(repeats, of.row, len(of)).exp()

    def likelihood(self, of: Asked, told: Answers, tilt: Tilt | None = None) -> Tensor:
        """(N,) log chance of each line bought."""
        weight, own = self(of, tilt)
        common = len(of.items.popular)
        popular, rest = told.fixed[:, :common], told.fixed[:, common:]
        if tilt is not None:
            popular = popular * self._tilted(of, told, tilt)
        repeat = torch.where(told.place >= 0, own[told.place.clamp(min=0)], 0.0)
        sources = torch.cat([repeat.unsqueeze(1), popular, rest], 1)
        return (weight[told.row] * sources).sum(1).clamp(min=_NONE).log()

    @staticmethod
    def _tilted(of: Asked, told: Answers, tilt: Tilt) -> Tensor:
        """(N, P) what the shares of popular items are multiplied by: over the full catalogue they sum to 1."""
        rows, place = told.row.unique(return_inverse=True)
        moved = (tilt.common[rows] @ tilt.vectors.T).exp()
        total = moved @ torch.from_numpy(of.items.popular).float().T
        here = (tilt.common[told.row] * tilt.vectors[told.item]).sum(1).exp()
        return here.unsqueeze(1) / total[place]

    @torch.no_grad()
    def chances(self, of: Asked, tilt: Tilt | None = None) -> np.ndarray:
        """(Q, I) chance that a line of the next basket is each item."""
        weight, own = (part.numpy() for part in self(of, tilt))
        common = len(of.items.popular)
        total = self._popular(weight[:, 1 : 1 + common], of, tilt)
        for k, table in enumerate(of.sparse, 1 + common):
            row = np.repeat(np.arange(len(of)), np.diff(table.indptr))
            total[row, table.indices] += weight[row, k] * table.data
        total[of.own.row, of.own.item] += weight[of.own.row, 0] * own
        return total

    @staticmethod
    def _popular(weight: np.ndarray, of: Asked, tilt: Tilt | None) -> np.ndarray:
        """(Q, I) of the popular sources, weighted (Q, P)."""
        if tilt is None:
            return weight @ of.items.popular
        moved = (tilt.common @ tilt.vectors.T).exp().numpy()
        return moved * ((weight / (moved @ of.items.popular.T)) @ of.items.popular)

    def loss(self, lessons: Sequence[tuple[Asked, Answers]]) -> Tensor:
        """Mean over questions of the mean over their lines, with a small penalty."""
        total = torch.stack([-(told.weight * self.likelihood(of, told)).sum() for of, told in lessons]).sum()
        questions = sum(float(told.weight.sum()) for _, told in lessons)
        return total / questions + _PENALTY * ((self.gates**2).sum() + (self.again**2).sum())


def log_share(logits: Tensor, row: Tensor, rows: int) -> Tensor:
    """(M,) log softmax over the entries of each row."""
    most = logits.new_full((rows,), -torch.inf).scatter_reduce(0, row, logits.detach(), "amax")
    shifted = logits - most[row]
    return shifted - logits.new_zeros(rows).index_add(0, row, shifted.exp()).log()[row]


def fit_mixture(lessons: Sequence[tuple[Asked, Answers]], steps: int = 60) -> Mixture:
    """By maximum likelihood of past baskets."""
    model = Mixture(lessons[0][1].fixed.shape[1] + 1)
    search = torch.optim.LBFGS(model.parameters(), max_iter=steps, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        search.zero_grad()
        loss = model.loss(lessons)
        loss.backward()
        return loss

    search.step(closure)  # type: ignore[arg-type]
    return model
