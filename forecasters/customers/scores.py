"""What a shop asks of each customer: the chance of a visit, of each item and of none, and how true it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..events import Events, Items
from ..progress import SILENT, Progress
from .baskets import best
from .model import HORIZON, Answer, CustomerModel, fit_customers
from .purchases import Purchases, Queries
from .returns import elapsed
from .training import TrainingSettings

_BINS = 10
_CHECKED = 4000  # customers whose chances are checked
ITEMS = 10  # that are told of each customer


def score(
    model: CustomerModel,
    names: Sequence[str],
    items: Sequence[str],
    top: int = ITEMS,
    progress: Progress = SILENT,
) -> pd.DataFrame:
    """One row a customer who ever bought, by what the log says up to its end; the likeliest visitors first.

    Columns: ``customer``; ``visit``, the chance of a visit within the model's horizon; ``churn``, of none;
    ``left``, of having left for good, which is the model's and can not be checked; where the log has
    returns, ``return``, of what is bought next to be brought back, over the lines of the next basket; and,
    for n from 1 to ``top``, ``item_n`` and ``chance_n``: the items likeliest in the next basket, each with
    the chance that it comes within the horizon and has the item.
    """
    log = model.ground.log
    everyone = log.known(log.stop)
    popular = model.ground.catalogue(log.stop).popular
    rows: list[pd.DataFrame] = []
    with progress.stage("score customers", len(everyone)) as stage:
        for answer in model.answers(everyone):
            rows.append(_rows(answer, names, items, popular, top))
            stage.advance(len(answer.queries))
    return pd.concat(rows).sort_values("visit", ascending=False, kind="stable").reset_index(drop=True)


def _rows(
    answer: Answer, names: Sequence[str], items: Sequence[str], popular: np.ndarray, top: int
) -> pd.DataFrame:
    basket = answer.basket
    found = best(basket, popular, top)
    chance = np.take_along_axis(basket, found, 1) * answer.visit[:, None]
    columns: dict[str, object] = {
        "customer": [names[c] for c in answer.queries.customer],
        "visit": answer.visit,
        "churn": 1 - answer.visit,
        "left": answer.left,
    }
    if answer.returned is not None:
        columns["return"] = answer.returned
    for n in range(found.shape[1]):
        columns[f"item_{n + 1}"] = [items[i] for i in found[:, n]]
        columns[f"chance_{n + 1}"] = chance[:, n]
    return pd.DataFrame(columns)


@dataclass(frozen=True)
class Bin:
    """Chances that were said, and how often it came so."""

    count: int
    said: float
    came: float


@dataclass(frozen=True)
class Calibration:
    """Chances said on a past day against what came within the horizon, in bins of about equal weight."""

    visit: tuple[Bin, ...]
    item: tuple[Bin, ...]  # of each customer's likeliest items, bought in the first basket
    returns: tuple[Bin, ...]  # of its lines, brought back by the end of the log; none where nothing is

    @staticmethod
    def of(model: CustomerModel, queries: Queries, after: Purchases, top: int = ITEMS) -> Calibration:
        """Of questions with one stop; ``after`` is a log that goes on for the model's horizon at least."""
        popular = model.ground.catalogue(int(queries.stop[0])).popular
        horizon = model.ground.horizon
        visit: list[np.ndarray] = []
        item: list[np.ndarray] = []
        returns = [np.zeros((2, 0))]
        for answer in model.answers(queries):
            until = after.until(answer.queries)
            visit.append(np.stack([answer.visit, (until >= 0) & (until < horizon)]))
            basket = answer.basket
            found = best(basket, popular, top)
            bought = np.zeros(basket.shape, dtype=bool)
            row, line = after.first_basket(answer.queries, horizon)
            bought[row, after.item[line]] = True
            said = np.take_along_axis(basket, found, 1) * answer.visit[:, None]
            item.append(np.stack([said.ravel(), np.take_along_axis(bought, found, 1).ravel()]))
            if answer.back is not None:
                by_now = answer.back[row, after.item[line]] * elapsed(after, after.stop, after.day[line])
                returns.append(np.stack([by_now, after.returned[line] >= 0]))
        return Calibration(*(_bins(np.concatenate(pairs, 1)) for pairs in (visit, item, returns)))


def _bins(pairs: np.ndarray) -> tuple[Bin, ...]:
    """Of (2, N) chances and outcomes: bins that hold as much of what was said each."""
    order = np.argsort(pairs[0], kind="stable")
    said, came = pairs[:, order]
    share = np.cumsum(said) / said.sum()
    place = np.minimum((share * _BINS).astype(int), _BINS - 1)
    return tuple(
        Bin(int((place == b).sum()), float(said[place == b].mean()), float(came[place == b].mean()))
        for b in np.unique(place)
    )


@dataclass(frozen=True)
class Scored:
    """Scores of everybody, and how far to trust them."""

    table: pd.DataFrame
    heads: tuple[str, ...]  # a line each: what answers
    calibration: Calibration  # on the last days of the log, which were held back


def scored(
    events: Events,
    items: Items | None = None,
    horizon: int = HORIZON,
    top: int = ITEMS,
    quick: bool = False,
    seed: int = 0,
    progress: Progress = SILENT,
) -> Scored:
    """Learn customers from a log of events and score them at its end; ``quick`` leaves the network out.

    Raises:
        InputError: as ``fit_customers``.
    """
    settings = TrainingSettings(epochs=0) if quick else TrainingSettings()
    model = fit_customers(events, items, horizon, settings, seed, progress)
    table = score(model, events.customers, events.items, top, progress)
    return Scored(table, model.summary(), _checked(model, seed))


def calibration(
    events: Events, items: Items | None = None, seed: int = 0, progress: Progress = SILENT
) -> Calibration:
    """How true the classical chances, which are learned in seconds, are on the last days of a log.

    Raises:
        InputError: as ``fit_customers``.
    """
    return _checked(fit_customers(events, items, HORIZON, TrainingSettings(epochs=0), seed, progress), seed)


def _checked(model: CustomerModel, seed: int) -> Calibration:
    """Of what was learned before the last days of the log, on these."""
    log, rehearsal = model.ground.log, model.rehearsal or model
    asked = log.known(log.stop - model.ground.horizon)
    chosen = np.sort(np.random.default_rng(seed).permutation(len(asked))[:_CHECKED])
    return Calibration.of(rehearsal, Queries(asked.customer[chosen], asked.stop[chosen]), log)
