"""The customer model as a whole: fitted on a log of events, checked on its last weeks, asked of anybody."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.special import expit

from ..errors import InputError
from ..events import Events, Items
from ..progress import SILENT, Progress
from .hazard import Awaited, awaited, staying
from .lesson import Ground, parts
from .mixture import Asked, asked
from .purchases import Purchases, Queries, purchases
from .returns import Rates, return_rates
from .sequence import HEADS, Beneath, CustomerNetwork, Said, heard
from .tokens import item_vectors, text_vectors, tokens
from .training import Trained, TrainingSettings, fit_beneath, train
from .visits import fit_visits

HORIZON = 28  # days
_VECTOR, _TEXT = 24, 16  # numbers of an item, of what was written
_MOST = 2000  # customers asked at each stop of the training
_STEP = 7  # days that stops lie apart by multiples of, so that all fall on one day of the week
_STOPS = 7  # past days asked about, at most: what sells differs from week to week
_LINES = 3.0  # visits that a customer's lines a visit are shrunk by


@dataclass(frozen=True)
class Answer:
    """What is said of Q customers."""

    queries: Queries
    left: np.ndarray  # (Q,) chance to have left for good: the model's, which no log can check
    away: np.ndarray  # (Q, K + 1) chance of no visit by the stop, then by the end of each spell
    lines: np.ndarray  # (Q,) lines of a basket, expected
    line: np.ndarray  # (Q, I) chance that a line of the next basket is each item
    back: np.ndarray | None  # (Q, I) chance that a line of each is brought back; None if no return is known

    @property
    def visit(self) -> np.ndarray:
        """(Q,) chance of a visit within the horizon."""
        return 1 - self.away[:, -1]

    @property
    def basket(self) -> np.ndarray:
        """(Q, I) chance that the next basket has each item, if its lines were drawn one by one."""
        return -np.expm1(self.lines[:, None] * np.log1p(-np.clip(self.line, 0, 1 - 1e-9)))

    @property
    def returned(self) -> np.ndarray | None:
        """(Q,) chance that a line of the next basket is brought back, the mean over its lines."""
        return None if self.back is None else (self.line * self.back).sum(1)


@dataclass(frozen=True)
class CustomerModel:
    """Classical answers, the network above them, and which head of the network is listened to."""

    ground: Ground
    beneath: Beneath
    networks: tuple[CustomerNetwork | None, ...]  # by head of HEADS; None where the classical answer is kept
    held: tuple[tuple[float, float], ...]  # by head, loss held back of the classical answer and with the best
    rehearsal: CustomerModel | None = None  # as it was before it learned the days held back, to be checked on

    def summary(self) -> tuple[str, ...]:
        """A line for each head that the log asks: what answers, what each lost on the weeks held back."""
        return tuple(
            f"{head}: the classical answer (loss held back {classical:.4f})"
            if network is None
            else f"{head}: a network above the classical answer (loss {best:.4f} for {classical:.4f})"
            for head, network, (classical, best) in zip(HEADS, self.networks, self.held, strict=True)
            if head != "return" or self.ground.log.returns
        )

    @torch.no_grad()
    def answers(self, queries: Queries, log: Purchases | None = None) -> Iterator[Answer]:
        """Some customers at a time, each question of one stop common to all.

        Args:
            queries: of customers who had bought by then, with one stop.
            log: more than the model was fitted on; what comes from the stop on is not read.
        """
        ground = self.ground if log is None else replace(self.ground, log=log)
        stop = int(queries.stop[0])
        known = ground.log.as_of(stop)
        rates = return_rates(known, stop) if known.returns else None
        items = ground.catalogue(stop)
        for part in parts(queries, np.arange(len(queries))):
            of = asked(known, part, items)
            visits = awaited(known, part, ground.horizon, ground.visits, stop)
            yield self._answer(part, of, visits, known, rates)

    def _answer(
        self, part: Queries, of: Asked, visits: Awaited, known: Purchases, rates: Rates | None
    ) -> Answer:
        said = {
            head: heard(network, self.ground.tokens, part, of)
            for head, network in zip(HEADS, self.networks, strict=True)
            if network is not None and head != "units"
        }
        left, hazard = self.beneath.hazard(of.context, visits)
        if "visit" in said:
            left, hazard = left + said["visit"].leaves, hazard + said["visit"].comes
        tilt = said["basket"].tilt if "basket" in said else None
        row, _ = known.before(part)
        counts = known.counts(part)
        lines = np.bincount(row, minlength=len(part))
        usual = len(known.day) / known.visits
        return Answer(
            queries=part,
            left=left.sigmoid().numpy(),
            away=staying(left, hazard).numpy(),
            lines=(lines + _LINES * usual) / (counts.repeats + 1 + _LINES),
            line=self.beneath.mixture.chances(of, tilt),
            back=None if rates is None else _brought_back(rates, part, said.get("return")),
        )


def _brought_back(rates: Rates, part: Queries, said: Said | None) -> np.ndarray:
    """(Q, I) chance that a line of each item is brought back, with what a network adds."""
    row, item = np.ogrid[: len(part), : rates.known.items]
    odds = rates.log_odds(part, row, item)
    if said is not None:
        odds = odds + (said.returns[:, :-1] @ said.tilt.vectors.T + said.returns[:, -1:]).numpy()
    chance: np.ndarray = expit(odds)
    return chance


def fit_customers(
    events: Events,
    items: Items | None = None,
    horizon: int = HORIZON,
    settings: TrainingSettings = TrainingSettings(),
    seed: int = 0,
    progress: Progress = SILENT,
    most: int = _MOST,
) -> CustomerModel:
    """Learn customers from all that they did.

    The last ``horizon`` days are held back to choose when to stop and which heads to keep; then all is
    learned once more with them. What was learned before that is kept beside it (``rehearsal``).

    Args:
        events: purchases by customers who are known, and whatever else they did.
        items: their categories, where there are any.
        horizon: days ahead that are asked about.
        most: customers asked at each past day that is learned from.

    Raises:
        InputError: too few days to hold any back, or nobody bought.
    """
    log = purchases(events)
    stops = past_stops(log.stop, horizon)
    ground = Ground(
        log=log,
        tokens=tokens(
            events,
            log.origin,
            item_vectors(log.rows(log.day < stops[-1]), _VECTOR, seed),
            text_vectors(events, _TEXT, seed),
        ),
        visits=fit_visits(log.counts(log.known(log.stop))),
        category=categories(events, items),
        horizon=horizon,
    )
    early = replace(ground, visits=fit_visits(log.counts(log.known(stops[-1]))))
    past = [early.lessons(stop, stops[-1], most, seed) for stop in stops[:-1]]
    held = early.lessons(stops[-1], log.stop, most, seed)
    lessons = [lesson for day in past for lesson in day]
    beneath = fit_beneath(lessons)
    trial = train(lessons, held, ground.tokens, beneath, settings, seed, progress)
    lost = tuple(zip(trial.classical, trial.best, strict=True))
    rehearsal = CustomerModel(early, beneath, trial.networks, lost)
    final, networks = _again(ground, trial, stops, settings, seed, progress, most)
    return CustomerModel(ground, final, networks, lost, rehearsal)


def _again(
    ground: Ground,
    trial: Trained,
    stops: list[int],
    settings: TrainingSettings,
    seed: int,
    progress: Progress,
    most: int,
) -> tuple[Beneath, tuple[CustomerNetwork | None, ...]]:
    """All once more with what was held back: as many epochs as were best, for the heads that were better."""
    *past, held = (ground.lessons(stop, ground.log.stop, most, seed) for stop in stops[1:])
    lessons = [*(lesson for day in past for lesson in day), *held]
    beneath = fit_beneath(lessons)
    if not any(trial.epochs):
        return beneath, trial.networks
    told = train(lessons, held, ground.tokens, beneath, settings, seed, progress, trial.epochs)
    return beneath, told.networks


def past_stops(end: int, horizon: int) -> list[int]:
    """Days at which the log is cut to learn, the last to check on: all of one day of the week.

    Raises:
        InputError: the log is too short for one of each.
    """
    held = end - horizon
    step = max(horizon // 4 // _STEP, 1) * _STEP
    stops = [held - k * step for k in range(_STOPS, 0, -1) if held - k * step >= max(step, horizon // 2)]
    if not stops:
        raise InputError(
            f"events: expected days enough to learn from before the last {horizon}, which are held back,"
            f" found {end} in all; ask for a shorter horizon"
        )
    return [*stops, held]


def categories(events: Events, items: Items | None) -> np.ndarray | None:
    """(I,) int64 the narrowest category of each item; None where none is told."""
    if items is None:
        return None
    told = np.array([" > ".join(path) for path in items.of(events.items).paths])
    names, place = np.unique(told, return_inverse=True)
    return place.astype(np.int64) if len(names) > 1 else None
