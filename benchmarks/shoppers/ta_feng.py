"""Ta Feng: the first basket of February, who comes in February, and the usual leave-last protocol."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from mercato.forecasters.customers.baskets import best, catalogue
from mercato.forecasters.customers.mixture import Answers, Asked, answers, asked, fit_mixture
from mercato.forecasters.customers.model import (
    Answer,
    CustomerModel,
    categories,
    fit_customers,
)
from mercato.forecasters.customers.purchases import Purchases, Queries, purchases
from mercato.forecasters.customers.training import TrainingSettings
from mercato.forecasters.customers.visits import fit_visits
from mercato.forecasters.events import Events, Items

from ..tables.fetched import events_of, items_of
from ..tables.piece import Figure, Found, Plan
from .part import area, area_gain, better, paired, recalled

FEBRUARY, DAYS = np.datetime64("2001-02-01"), 28
TOP = 10
_RECALL, _AUC, _LEAVE_LAST = 0.1049, 0.7411, 0.1642
_LEAST_VISITS, _LEAST_LINES = 5, 10  # of a customer and of an item, in the leave-last protocol
_FIRST = 8  # day from which a basket is asked about there


def by_time(plan: Plan) -> Found:
    """From history to 31 January: recall of the first basket of February, AUC of who comes at all."""
    events, items = _tables(plan.quick)
    settings, most = (TrainingSettings(epochs=1), 300) if plan.quick else (TrainingSettings(), 2000)
    model = fit_customers(events.between(None, FEBRUARY), items, DAYS, settings, most=most)
    log = purchases(events)
    queries = log.known(int((FEBRUARY - log.origin) // np.timedelta64(1, "D")))
    until = log.until(queries)
    came = (until >= 0) & (until < DAYS)
    recall = _recall(model, log, queries)
    counts = log.counts(queries)
    visits = {
        "visit count": counts.repeats,
        "BG/NBD": fit_visits(counts).expected(counts, DAYS),
        "customer model": np.concatenate([answer.visit for answer in model.answers(queries)]),
    }
    return Found(
        [
            *(_figure(f"recall@{TOP} of {name}", recall[name][came]) for name in list(recall)[:-1]),
            better(
                f"recall@{TOP} of the customer model",
                float(recall["customer model"][came].mean()),
                _RECALL,
                *paired(recall["customer model"][came], recall["frequency with recency"][came]),
            ),
            *(Figure(f"AUC of {name}", f"{area(visits[name], came):.4f}") for name in list(visits)[:-1]),
            better(
                "AUC of the customer model",
                area(visits["customer model"], came),
                _AUC,
                *area_gain(visits["customer model"], visits["visit count"], came),
            ),
        ],
        {"customers": len(queries), "came": int(came.sum()), "heads": model.summary()},
    )


def _figure(name: str, values: np.ndarray) -> Figure:
    return Figure(name, f"{values.mean():.4f}")


def _recall(model: CustomerModel, log: Purchases, queries: Queries) -> dict[str, np.ndarray]:
    """(Q,) by way of ranking."""
    popular = catalogue(log, int(queries.stop[0])).popular
    found: dict[str, list[np.ndarray]] = {}
    for answer in model.answers(queries):
        row, line = log.first_basket(answer.queries, DAYS)
        for name, score in _rankings(answer, log, popular):
            top = best(score, popular, TOP)
            found.setdefault(name, []).append(recalled(top, row, log.item[line], log.items))
    return {name: np.concatenate(parts) for name, parts in found.items()}


def _rankings(answer: Answer, log: Purchases, popular: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """(Q, I) scores by name."""
    row, line = log.before(answer.queries)
    place, shape = (row, log.item[line]), (len(answer.queries), log.items)
    visits, recent = np.zeros(shape), np.zeros(shape)
    np.add.at(visits, place, 1.0)
    np.add.at(recent, place, (answer.queries.stop[row] - log.day[line]) ** -0.5)
    yield "what is popular", np.tile(popular, (shape[0], 1))
    yield "personal frequency", visits
    yield "frequency with recency", recent
    yield "customer model", answer.line


def leave_last(plan: Plan) -> Found:
    """Each customer's last basket from those before it, the weights of the sources learned from the baskets
    before the last (Romanov et al. 2023, RecSys, for customers, items and split).

    Popularity is read up to the day before a basket; other customers' last baskets are never read. There is
    no draw in it: five seeds would be one.
    """
    events, items = _tables(plan.quick)
    log = _usual(purchases(events))
    category = categories(events, items)
    rank = _from_the_end(log)
    lessons = list(_leaving(log, rank, 1, category))
    mixture = fit_mixture([(of, told) for of, told, _ in lessons])
    recall: list[np.ndarray] = []
    simple: list[np.ndarray] = []
    for of, told, popular in _leaving(log, rank, 0, category):
        frequency = of.own.table((len(of), log.items)).toarray()
        for scores, into in ((mixture.chances(of), recall), (frequency, simple)):
            into.append(recalled(best(scores, popular, TOP), told.row.numpy(), told.item.numpy(), log.items))
    values, others = np.concatenate(recall), np.concatenate(simple)
    name = f"recall@{TOP} of the mixture of sources"
    mixed = better(name, float(values.mean()), _LEAVE_LAST, *paired(values, others))
    detail = {
        "customers": len(np.unique(log.customer)),
        "items": len(np.unique(log.item)),
        "asked": len(values),
    }
    return Found([_figure(f"recall@{TOP} of frequency with recency", others), mixed], detail)


def _usual(log: Purchases) -> Purchases:
    """Customers of five visits or more but for the most frequent buyers, items of ten lines or more."""
    days = np.unique(log.customer * np.int64(log.stop) + log.day) // log.stop
    visits, lines = np.bincount(days, minlength=log.customers), np.bincount(log.item, minlength=log.items)
    log = log.rows((visits[log.customer] >= _LEAST_VISITS) & (lines[log.item] >= _LEAST_LINES))
    first, last = np.full(log.customers, log.stop), np.full(log.customers, -1)
    np.minimum.at(first, log.customer, log.day)
    np.maximum.at(last, log.customer, log.day)
    there, lines = last >= 0, np.bincount(log.customer, minlength=log.customers)
    often = lines / np.ceil(1e-10 + np.maximum(last - first, 0))
    kept = there & (first < last) & (often < often[there].mean() + 2 * often[there].std())
    return log.rows(kept[log.customer])


def _from_the_end(log: Purchases) -> np.ndarray:
    """(L,) how many baskets of its customer come after a line's; -1 of those with fewer than three."""
    visit, place = np.unique(log.customer * np.int64(log.stop) + log.day, return_inverse=True)
    count = np.bincount(visit // log.stop, minlength=log.customers)
    after = np.cumsum(count)[visit // log.stop] - 1 - np.arange(len(visit))
    return np.where(count[visit // log.stop] >= 3, after, -1)[place]


def _leaving(
    log: Purchases, rank: np.ndarray, left_out: int, category: np.ndarray | None
) -> Iterator[tuple[Asked, Answers, np.ndarray]]:
    """Baskets with so many after them, day by day, each asked of what came before."""
    read = log.rows((rank > left_out) | (rank < 0))
    whole = log.rows((rank >= left_out) | (rank < 0))
    wanted = np.unique(np.stack([log.day, log.customer])[:, rank == left_out], axis=1)
    for day in np.unique(wanted[0][wanted[0] >= _FIRST]):
        who = wanted[1][wanted[0] == day]
        queries = Queries(who, np.full(len(who), day))
        items = catalogue(read, int(day), category)
        of = asked(whole, queries, replace(items, stop=0))  # one day is like another: few baskets teach each
        yield of, answers(whole, queries, 1, of), items.popular


def _tables(quick: bool) -> tuple[Events, Items]:
    events, items = events_of("ta-feng"), items_of("ta-feng")
    return (events.rows(events.customer % 10 == 0) if quick else events), items
