"""What a basket is drawn from: sources mixed by what is known of the customer, learned from past baskets.

The chance that a line of the next basket is item i is Σ_k g_k(customer) p_k(i), with p_k the sources of
``baskets``. The weights g are a softmax that is linear in the customer's context; the source of repeats is a
softmax over what the customer bought, linear in how often and how long ago, with personal frequency with
recency where it starts. Popular is half by sales so far and half by the signs of demand to come (recent
sales, price): a softmax over the catalogue for each past day that was learned from, each with weights of its
own, of which the mean is taken for a day to come. What sold differs from week to week as promotions do; the
next week is taken to be like one of them. The loss is over the full catalogue.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor, nn

from .baskets import SIGNS, Catalogue, Own, of_categories, own_items
from .context import CONTEXT, context
from .purchases import Purchases, Queries

SOURCES = ("repeats", "popular", "category")
PAIR = ("log repeat rate", "log visits", "log days since", "log days since the first", "late for it")
_PENALTY, _TREND = 1e-4, 3e-3  # of each squared weight, beside a mean over questions; few days teach trends
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
    signs: Tensor  # (I, F) of SIGNS
    category: sp.csr_array  # (Q, I) the source of categories

    def __len__(self) -> int:
        return len(self.context)


@dataclass(frozen=True)
class Answers:
    """N lines of the first baskets after Q questions."""

    row: Tensor  # (N,) int64 question, rising
    item: Tensor  # (N,) int64
    weight: Tensor  # (N,) 1 / lines of its basket
    category: Tensor  # (N,) the source of categories, at this item
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
        signs=torch.from_numpy(items.signs).float(),
        category=of_categories(own, items, len(queries)),
    )


def answers(log: Purchases, queries: Queries, horizon: int, of: Asked) -> Answers:
    """The first baskets within ``horizon`` days."""
    row, line = log.first_basket(queries, horizon)
    item = log.item[line]
    key, wanted = of.own.row * log.items + of.own.item, row * log.items + item
    place = np.minimum(np.searchsorted(key, wanted), len(key) - 1)
    lines = np.bincount(row, minlength=len(queries))
    return Answers(
        row=torch.from_numpy(row),
        item=torch.from_numpy(item),
        weight=torch.from_numpy(1 / lines[row]).float(),
        category=torch.from_numpy(_at(of.category, row, item)).float(),
        place=torch.from_numpy(np.where(key[place] == wanted, place, -1)),
        units=torch.from_numpy(log.units[line]).float(),
    )


def _at(table: sp.csr_array, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """(N,) cells of a table; none are cells, too, which scipy gives in another form."""
    return np.asarray(table[row, column]).ravel() if len(row) else np.zeros(0)


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
    """Weights of the sources, of what makes a repeat likely and of what makes an item popular."""

    def __init__(self, days: Sequence[int] = ()) -> None:
        super().__init__()
        self.gates = nn.Parameter(torch.zeros(len(CONTEXT), len(SOURCES)))
        self.again = nn.Parameter(torch.zeros(len(PAIR)))
        self.days = tuple(days)
        self.trend = nn.Parameter(torch.zeros(max(1, len(days)), len(SIGNS)))  # beyond sales so far, by day

    def forward(self, of: Asked, tilt: Tilt | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """(Q, K) chances of the sources, (M,) of repeats among a customer's own, (I,) of popular items."""
        gates = of.context @ self.gates
        repeats = of.frequency + of.pair @ self.again
        trends: Tensor = self.trend
        if self.training and of.items.stop in self.days:
            trends = trends[[self.days.index(of.items.stop)]]
        ahead = (of.signs[:, 0] + trends @ of.signs.T).softmax(1).mean(0)
        popular = (of.signs[:, 0].softmax(0) + ahead) / 2
        if tilt is not None:
            gates, repeats = gates + tilt.gates, repeats + tilt.pair
        return gates.softmax(1), log_share(repeats, of.row, len(of)).exp(), popular

    def likelihood(self, of: Asked, told: Answers, tilt: Tilt | None = None) -> Tensor:
        """(N,) log chance of each line bought."""
        weight, own, shares = self(of, tilt)
        repeat = torch.where(told.place >= 0, own[told.place.clamp(min=0)], 0.0)
        popular = shares[told.item]
        if tilt is not None:
            popular = popular * _tilted(told, tilt, shares)
        sources = torch.stack([repeat, popular, told.category], 1)
        return (weight[told.row] * sources).sum(1).clamp(min=_NONE).log()

    @torch.no_grad()
    def chances(self, of: Asked, tilt: Tilt | None = None) -> np.ndarray:
        """(Q, I) chance that a line of the next basket is each item."""
        weight, own, shares = (part.numpy() for part in self(of, tilt))
        if tilt is None:
            total = weight[:, 1:2] * shares
        else:
            total = shares * (tilt.common @ tilt.vectors.T).exp().numpy()
            total *= weight[:, 1:2] / total.sum(1, keepdims=True)
        row = np.repeat(np.arange(len(of)), np.diff(of.category.indptr))
        total[row, of.category.indices] += weight[row, 2] * of.category.data
        total[of.own.row, of.own.item] += weight[of.own.row, 0] * own
        return total

    def loss(self, lessons: Sequence[tuple[Asked, Answers]]) -> Tensor:
        """Mean over questions of the mean over their lines, with a small penalty."""
        total = torch.stack([-(told.weight * self.likelihood(of, told)).sum() for of, told in lessons]).sum()
        questions = sum(float(told.weight.sum()) for _, told in lessons)
        small = (
            _PENALTY * ((self.gates**2).sum() + (self.again**2).sum())
            + _TREND * (self.trend**2).sum(1).mean()
        )
        return total / questions + small


def _tilted(told: Answers, tilt: Tilt, shares: Tensor) -> Tensor:
    """(N,) what the shares (I,) of popular items are multiplied by; all together still sum to 1."""
    rows, place = told.row.unique(return_inverse=True)
    total = (tilt.common[rows] @ tilt.vectors.T).exp() @ shares
    return (tilt.common[told.row] * tilt.vectors[told.item]).sum(1).exp() / total[place]


def log_share(logits: Tensor, row: Tensor, rows: int) -> Tensor:
    """(M,) log softmax over the entries of each row."""
    most = logits.new_full((rows,), -torch.inf).scatter_reduce(0, row, logits.detach(), "amax")
    shifted = logits - most[row]
    return shifted - logits.new_zeros(rows).index_add(0, row, shifted.exp()).log()[row]


def fit_mixture(lessons: Sequence[tuple[Asked, Answers]], steps: int = 60) -> Mixture:
    """By maximum likelihood of past baskets."""
    model = Mixture(sorted({of.items.stop for of, _ in lessons})).train()
    search = torch.optim.LBFGS(model.parameters(), max_iter=steps, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        search.zero_grad()
        loss = model.loss(lessons)
        loss.backward()
        return loss

    search.step(closure)
    return model.eval()
