"""What showing and telling do, in logs whose truth is planted.

In the first a recommender shows customers what they like, more often the more they like it, so that whoever
is shown an item buys more of it anyway; the log has the chances, and keeps what was held back by the same
coin. In the second friends are alike in how much they buy, and word of mouth does nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from mercato.forecasters.customers.contagion import LIKENESS, word_of_mouth
from mercato.forecasters.customers.exposure import exposure_effect
from mercato.forecasters.events import Events, read_events

from ..tables.piece import Figure, Found, Plan

CUSTOMERS, ITEMS, WEEKS, SLATE = 500, 12, 26, 3
EFFECT = 1.4  # times as much is bought of what is shown
_HELD_BACK = 0.3  # of what is shown, at most, so that no chance is near 1
_DAY = 86_400


def shown_log(seed: int, effect: float) -> Events:
    """A recommender at work: ``effect`` times as much is bought of what is shown."""
    rng = np.random.default_rng([7, seed])
    taste = rng.gamma(0.6, 0.25, (CUSTOMERS, ITEMS))  # units a visit
    visits = rng.random((WEEKS, CUSTOMERS)) < rng.beta(2, 3, CUSTOMERS)
    rows = []
    for week in range(WEEKS):
        who = np.flatnonzero(visits[week])
        score = taste[who] + 0.3 * rng.gumbel(size=(len(who), ITEMS)) * taste.mean()
        slate = np.argsort(-score, axis=1)[:, :SLATE]  # candidates, those he likes first
        liked = np.take_along_axis(taste[who], slate, 1)
        chance = (1 - _HELD_BACK) * liked / (liked + taste.mean()) + 0.1
        given = rng.random(chance.shape) < chance
        lift = np.ones((len(who), ITEMS))
        np.put_along_axis(lift, slate, np.where(given, effect, 1.0), 1)
        bought = rng.poisson(taste[who] * lift)
        moment = week * 7 * _DAY + rng.integers(7, size=len(who)) * _DAY + 9 * 3600
        at, place = np.nonzero(bought)
        rows.append(_frame(moment[at] + 600, who[at], "buy", place, bought[at, place].astype(float), np.nan))
        at, place = np.indices(slate.shape).reshape(2, -1)
        rows.append(
            _frame(moment[at], who[at], "recommend", slate.ravel(), given.ravel() * 1.0, chance.ravel())
        )
    return read_events(pd.concat(rows, ignore_index=True))


def alike_log(seed: int) -> Events:
    """Friends who are alike, and tell each other, to no effect; nobody was addressed by a coin."""
    rng = np.random.default_rng([8, seed])
    rate = np.repeat(rng.gamma(1.0, 1.0, CUSTOMERS // 2), 2)
    count = rng.poisson(rate * WEEKS / 4)
    who = np.repeat(np.arange(CUSTOMERS), count)
    buys = _frame(rng.integers(WEEKS * 7 * _DAY, size=len(who)), who, "buy", who % ITEMS, 1.0, np.nan)
    friends = np.arange(1, CUSTOMERS, 2)
    told = _frame(
        rng.integers(7 * _DAY, size=len(friends)), friends, "visit", friends % ITEMS, np.nan, np.nan
    )
    told["referrer"] = [f"c{c - 1}" for c in friends]
    return read_events(pd.concat([told, buys], ignore_index=True))


def exposure(plan: Plan) -> Found:
    """Row 7: how often the 90% interval covers a planted effect, and how far the naive ratio is off."""
    logs = 20 if plan.quick else 100
    found = [exposure_effect(shown_log(seed, EFFECT), np.timedelta64(1, "D")) for seed in range(logs)]
    covers = float(np.mean([low < EFFECT < high for low, high in (one.interval() for one in found)]))
    means = {name: np.exp(np.mean([getattr(one, name) for one in found])) for name in ("mean", "naive")}
    figures = [
        Figure(
            "90% interval of a planted effect covers", f"{covers:.0%} of {logs} logs", "≥ 85%", covers >= 0.85
        ),
        Figure(f"estimated, {EFFECT} planted", f"{means['mean']:.3f}"),
        Figure("without regard to who was chosen", f"{means['naive']:.3f}"),
    ]
    return Found(figures, {"means": [one.mean for one in found], "errors": [one.sd for one in found]})


def likeness(plan: Plan) -> Found:
    """Row 8: what is said of word of mouth where friends are merely alike."""
    said = {word_of_mouth(alike_log(seed)).because for seed in range(2 if plan.quick else 10)}
    figure = Figure(
        "word of mouth where friends are alike", "; ".join(sorted(said)), "cannot tell", said == {LIKENESS}
    )
    return Found([figure])


def _frame(
    seconds: np.ndarray, who: np.ndarray, kind: str, item: np.ndarray, units: Any, propensity: Any
) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "time": np.datetime64("2025-01-06", "s") + seconds.astype("timedelta64[s]"),
            "customer": [f"c{c}" for c in who],
            "event": kind,
            "item": [f"i{i}" for i in item],
            "units": units,
            "propensity": propensity,
        }
    )
