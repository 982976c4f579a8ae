"""What a customer is like at a moment, in a few numbers: what every linear part of the model reads."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from .purchases import Purchases, Queries

CONTEXT = (
    "constant",
    "log visits",
    "came once",
    "log days since",
    "share of the log since the first",
    "log days since to days between",
    "share of visits in the last half",
    "log lines a visit",
    "share of repeats",
    "log units a visit",
    "log value a visit",
)


def context(known: Purchases, queries: Queries) -> Tensor:
    """(Q, C) of CONTEXT, from what came before each stop; of about mean 0 and size 1.

    Raises:
        InputError: a customer had not bought by then.
    """
    counts = known.counts(queries)
    visits, since = counts.repeats + 1, counts.age - counts.last
    row, line = known.before(queries)
    questions = len(queries)
    lines = np.bincount(row, minlength=questions)
    pair = np.unique(row * np.int64(known.items) + known.item[line])
    distinct = np.bincount(pair // known.items, minlength=questions)
    late = 2 * (queries.stop[row] - known.day[line]) <= counts.age[row] + 1
    between = np.where(counts.repeats > 0, (counts.last + 7) / (counts.repeats + 0.5), counts.age + 7)
    columns = [
        np.ones(questions),
        np.log(visits) - 1,
        counts.repeats == 0,
        np.log1p(since) - 2.5,
        counts.age / np.maximum(queries.stop, 1) - 0.5,
        np.clip(np.log((since + 1) / between), -3, 3),
        np.bincount(row, late, questions) / lines - 0.5,
        np.log(lines / visits) - 1.5,
        1 - distinct / lines,
        np.log(np.bincount(row, known.units[line], questions) / visits + 1e-2) - 2,
        np.log(np.bincount(row, known.value[line], questions) / visits / _usual(known) + 0.1),
    ]
    return torch.from_numpy(np.stack([np.asarray(c, dtype=np.float32) for c in columns], 1))


def _usual(known: Purchases) -> float:
    """Value of a line, as money has any unit; 1 where no price is known."""
    return float(known.value.mean()) or 1.0
