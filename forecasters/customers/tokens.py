"""Events as a sequence model reads them: one token an event, and the windows that questions look back on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
import torch
from scipy.sparse.linalg import svds
from torch import Tensor

from ..events import KINDS, Events
from .purchases import Purchases, Queries, ranges
from .text import encoder

_FEW = 20.0  # days and units are read by their logarithm; prices as multiples of their item's mean


@dataclass(frozen=True)
class Tokens:
    """N events in the order of customer and time; an item is read by its vector, which is kept once."""

    first: np.ndarray  # (C + 1,) int64 where each customer's begin
    day: np.ndarray  # (N,) int64, from the origin of the purchases
    item: Tensor  # (N,) int64 row of ``vectors``, the last one for no item
    known: Tensor  # (N, F) kind, channel, log units, log price to the item's, log days since, text
    vectors: Tensor  # (I + 1, R)

    @property
    def width(self) -> int:
        """Numbers a token."""
        return self.known.shape[1] + self.vectors.shape[1]

    def events_before(self, queries: Queries) -> np.ndarray:
        """(Q,) how many events each customer had before the stop."""
        return self._end(queries) - self.first[queries.customer]

    def _end(self, queries: Queries) -> np.ndarray:
        customer = np.repeat(np.arange(len(self.first) - 1), np.diff(self.first))
        return np.searchsorted(_key(customer, self.day), _key(queries.customer, queries.stop))

    def read(self, queries: Queries, window: int) -> tuple[Tensor, Tensor]:
        """(Q, T, width) the last events before each stop, at most ``window``, and (Q,) how many they are."""
        customer = queries.customer
        end = self._end(queries)
        begin = np.maximum(self.first[customer], end - window)
        row, place = ranges(begin, end)
        column = place - begin[row]
        longest = max(1, int((end - begin).max(initial=0)))
        out = torch.zeros(len(queries), longest, self.width)
        index = torch.from_numpy(place)
        out[torch.from_numpy(row), torch.from_numpy(column)] = torch.cat(
            [self.known[index], self.vectors[self.item[index]]], 1
        )
        return out, torch.from_numpy(end - begin)


def _key(customer: np.ndarray, day: np.ndarray) -> np.ndarray:
    return customer.astype(np.int64) * np.int64(2**24) + day


def tokens(events: Events, origin: np.datetime64, vectors: Tensor, text: Tensor | None = None) -> Tokens:
    """Of all events of known customers; ``text`` (events, E) vectors of what was written, 0 where nothing."""
    order = np.lexsort((events.time, events.customer))
    order = order[events.customer[order] >= 0]
    customer, kind, channel, item = (
        getattr(events, name)[order].astype(np.int64) for name in ("customer", "kind", "channel", "item")
    )
    day = ((events.day[order] - origin) // np.timedelta64(1, "D")).astype(np.int64)
    since = np.where(np.diff(customer, prepend=-1) == 0, np.diff(day, prepend=0), 0)
    columns = [
        np.eye(len(KINDS), dtype=np.float32)[kind],
        np.eye(len(events.channels) + 1, dtype=np.float32)[channel][:, :-1],  # −1 is the last, which is cut
        np.log(np.clip(np.nan_to_num(events.units[order], nan=1.0), 1e-2, None))[:, None],
        _relative(np.log(np.clip(events.price[order], 1e-6, None)), item, len(events.items))[:, None],
        (np.log1p(since) / np.log(_FEW))[:, None],
    ]
    known = torch.from_numpy(np.concatenate(columns, 1).astype(np.float32))
    if text is not None:
        known = torch.cat([known, text[torch.from_numpy(order)]], 1)
    first = np.searchsorted(customer, np.arange(len(events.customers) + 1))
    nothing = torch.zeros(1, vectors.shape[1])
    place = torch.from_numpy(np.where(item < 0, len(vectors), item))
    return Tokens(first, day, place, known, torch.cat([vectors, nothing]))


def _relative(value: np.ndarray, item: np.ndarray, items: int) -> np.ndarray:
    """(N,) less the item's mean, 0 where it is not known: what an item costs is no news."""
    there = np.isfinite(value) & (item >= 0)
    total = np.bincount(item[there], value[there], items)
    mean = total / np.maximum(np.bincount(item[there], minlength=items), 1)
    return np.where(there, value - mean[np.maximum(item, 0)], 0.0)


def text_vectors(events: Events, size: int, seed: int = 0) -> Tensor | None:
    """(N, size) what was written, by ``text.encoder``, projected at random (Johnson, Lindenstrauss 1984); 0
    where nothing was, None where no event has any."""
    if events.text is None:
        return None
    told = np.array([bool(text) for text in events.text])
    texts = [str(text) for text in events.text[told]]
    vectors = encoder(texts)(texts)
    onto = np.random.default_rng(seed).normal(size=(vectors.shape[1], size)) / size**0.5
    out = torch.zeros(len(events), size)
    out[torch.from_numpy(told)] = torch.from_numpy(vectors @ onto).float()
    return out


def item_vectors(known: Purchases, size: int, seed: int = 0) -> Tensor:
    """(I, R) of who buys an item: singular vectors of customers × items, each count by its logarithm, an item
    the less the commoner it is; with the log of its popularity."""
    pair, visits = np.unique(known.customer * known.items + known.item, return_counts=True)
    customer, item = pair // known.items, pair % known.items
    buyers = np.bincount(item, minlength=known.items)
    weight = (1 + np.log(visits)) / np.sqrt(np.maximum(buyers, 1))[item]
    weight = weight / np.sqrt(np.bincount(customer, weight**2, known.customers))[customer]
    table = sp.csr_array((weight, (customer, item)), (known.customers, known.items))
    most = min(size, min(table.shape) - 1)
    if most < 1:  # of a single item there is nothing to tell
        return torch.zeros(known.items, 1)
    start = np.random.default_rng(seed).normal(size=min(table.shape))
    _, value, right = svds(table, k=most, v0=start)
    right = right[np.argsort(-value)]
    right = right * np.sign(right[np.arange(most), np.abs(right).argmax(1)])[:, None]
    vectors = right.T * np.sqrt(np.maximum(buyers, 1))[:, None]
    popular = np.log1p(buyers) - np.log1p(buyers).mean()
    table = np.concatenate([_standard(vectors), popular[:, None] / max(popular.std(), 1e-6)], 1)
    return torch.from_numpy(np.clip(table, -3, 3) / table.shape[1] ** 0.5).float()


def _standard(table: np.ndarray) -> np.ndarray:
    return table / np.maximum(np.sqrt((table**2).mean(0)), 1e-6)
