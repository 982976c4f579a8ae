"""Visits to CDNOW in the 39 weeks after the first 39: BG/NBD, and the customer model above it."""

from __future__ import annotations

import numpy as np

from mercato.forecasters.customers.model import CustomerModel, fit_customers
from mercato.forecasters.customers.purchases import Purchases, Queries, purchases
from mercato.forecasters.customers.training import TrainingSettings
from mercato.forecasters.customers.visits import fit_visits
from mercato.forecasters.events import Events

from ..tables.fetched import events_of
from ..tables.piece import Figure, Found, Plan
from .part import area, area_gain, better, paired

WEEKS = 39
_HORIZON = 91  # days that the model is asked about; who comes by then is likelier to come later, too
_AUC, _RMSE, _R = 0.7725, 1.608, 0.626


def weeks_ahead(plan: Plan) -> Found:
    """Of the tenth of customers that papers use; the model learns from all, BG/NBD from these."""
    events = events_of("cdnow")
    log, stop = purchases(events), 7 * WEEKS
    chosen = np.flatnonzero(np.asarray(events.attributes["sample"]) == "1/10")
    queries = Queries(chosen, np.full(len(chosen), stop))
    counts, came = log.counts(queries), _visits(log, stop, 2 * stop)[chosen]
    known = fit_visits(counts).expected(counts, stop)
    model = _fit(events, log.origin + np.timedelta64(stop, "D"), plan.quick)
    visit = np.concatenate([answer.visit for answer in model.answers(queries)])
    expected = model.ground.visits.expected(counts, stop)  # nothing that was tried above BG/NBD counts better
    gain, error = area_gain(visit, known, came > 0)
    loss, loss_error = paired((known - came) ** 2, (expected - came) ** 2)
    figures = [
        Figure("AUC, BG/NBD", f"{area(known, came > 0):.4f}"),
        better("AUC, customer model", area(visit, came > 0), _AUC, gain, error),
        Figure("RMSE, BG/NBD", f"{_rmse(known, came):.4f}"),
        better("RMSE, BG/NBD of all customers", _rmse(expected, came), _RMSE, loss, loss_error, least=False),
        Figure("correlation, BG/NBD", f"{_r(known, came):.4f}"),
        Figure("correlation, BG/NBD of all customers", f"{_r(expected, came):.4f}", f"> {_R}"),
    ]
    return Found(figures, {"customers": len(chosen), "heads": model.summary()})


def _fit(events: Events, stop: np.datetime64, quick: bool) -> CustomerModel:
    settings = TrainingSettings(epochs=1) if quick else TrainingSettings()
    most = 500 if quick else 4000
    return fit_customers(events.between(None, stop), horizon=_HORIZON, settings=settings, most=most)


def _visits(log: Purchases, first: int, end: int) -> np.ndarray:
    """(C,) days on which each customer bought."""
    inside = (log.day >= first) & (log.day < end)
    visits = np.unique(log.customer[inside] * np.int64(end) + log.day[inside]) // end
    return np.bincount(visits, minlength=log.customers)


def _rmse(said: np.ndarray, came: np.ndarray) -> float:
    return float(np.sqrt(((said - came) ** 2).mean()))


def _r(said: np.ndarray, came: np.ndarray) -> float:
    return float(np.corrcoef(said, came)[0, 1])
