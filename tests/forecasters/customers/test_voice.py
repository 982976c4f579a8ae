"""Customers who bring something back or write before they leave: found, and told apart from empty shelves."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from mercato.forecasters.customers.histories import Histories
from mercato.forecasters.customers.leaving import LeavingFit, Met, fit_leaving
from mercato.forecasters.customers.messages import Telling, taught, telling
from mercato.forecasters.customers.text import HashedTerms
from mercato.forecasters.customers.voice import Voice
from mercato.forecasters.events import Events
from mercato.forecasters.panel import SalesPanel, read_panel
from tests.forecasters.customers.logs import events_of, kind

WEEKS, CUSTOMERS, DAYS = 60, 2000, 7
OWN, STOCK_OUT, DIRECT, RETURNED, BAD = -3.2, 2.5, 1.5, 1.2, 2.0
"""An empty shelf moves leaving by DIRECT itself, and by what it makes customers write."""
ANGRY, CALM = "never again, a disgrace", "thank you, all is well"


@pytest.fixture(autouse=True)
def terms_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mercato.forecasters.customers.messages.encoder", HashedTerms.of)


@cache
def log(seed: int, moved: bool = True) -> tuple[Events, SalesPanel, np.ndarray, np.ndarray]:
    """Events of customers of one shop and item, its panel, what each week lacked, and who is still there."""
    rng = np.random.default_rng(seed)
    chance, missing = rng.beta(2, 5, CUSTOMERS), np.where(rng.random(WEEKS) < 0.25, 0.8, 0.0)
    there, rows = np.ones(CUSTOMERS, dtype=bool), []
    for week in range(WEEKS):
        came = np.flatnonzero(there & ((rng.random(CUSTOMERS) < chance) | (week == 0)))
        n = len(came)
        returned = rng.random(n) < 0.05
        wrote = rng.random(n) < np.where(missing[week] > 0, 0.4, 0.1)
        bad = wrote & (rng.random(n) < np.where(missing[week] > 0, 0.8, 0.3))
        own = OWN + DIRECT * missing[week] + moved * (RETURNED * returned + BAD * bad)
        there[came[rng.random(n) < expit(own)]] = False
        for what, some in (("buy", came), ("return", came[returned]), ("message", came[wrote])):
            text = np.where(bad, ANGRY, CALM)[wrote] if what == "message" else [""] * len(some)
            rows += [(c, week * DAYS + 1.0, kind(what, 1)[0], t) for c, t in zip(some, text, strict=True)]
    customer, day, kinds, text = map(np.array, zip(*rows, strict=True))
    columns = {"customer": customer, "day": day, "item": np.zeros(len(day), dtype=int), "kind": kinds}
    text = text[np.lexsort((customer, day))].astype(object)
    return replace(events_of(columns, CUSTOMERS, 1), text=text), panel(), missing, there


def panel() -> SalesPanel:
    """The weeks of the shop."""
    dates = pd.date_range("2025-01-01", periods=WEEKS, freq="7D")
    columns = {"location": "shop", "item": "i0", "units": 50.0, "price": 2.0}
    return read_panel(pd.DataFrame({"date": dates, **columns}))


@cache
def foretold(seed: int, moved: bool = True) -> Telling:
    return telling(log(seed, moved)[0], "silence")


def learned(seed: int, moved: bool = True) -> tuple[LeavingFit, Voice, Met, Histories, np.ndarray]:
    events, weeks, missing, there = log(seed, moved)
    seen = Histories.of(events, weeks)
    met = Met(missing[seen.period], np.zeros(len(seen.period)))
    silence = foretold(seed, moved)
    voice = Voice.of(events, weeks, seen, met.both, silence)
    return fit_leaving(seen, met, voice, DAYS), voice, met, seen, there


@pytest.fixture(scope="module")
def found() -> tuple[LeavingFit, Voice, Met, Histories, np.ndarray]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mercato.forecasters.customers.messages.encoder", HashedTerms.of)
        return learned(1)


def test_who_returns_or_writes_what_bodes_ill_is_likelier_to_leave(found) -> None:
    fit = found[0]
    returned, wrote = fit.voice
    assert abs(returned - RETURNED) < 3 * fit.errors["return"]
    assert fit.errors["return"] < 0.3
    assert wrote > 4 * fit.errors["message"]
    assert set(fit.told()["voice"]) == {"return", "message"}


def test_an_empty_shelf_keeps_what_it_does_through_words(found) -> None:
    """Its whole effect, by which a visit's odds to leave grow, not the direct one alone."""
    fit, voice, _, _, _ = found
    ends = [
        np.log(expit(OWN + DIRECT * gone) * (1 - ill) + expit(OWN + DIRECT * gone + BAD) * ill)
        for gone, ill in ((0.0, 0.03), (0.8, 0.32))
    ]
    whole = (ends[1] - ends[0]) / 0.8
    assert whole > DIRECT + 0.4
    assert abs(fit.moved_by.stock_out - whole) < 0.3
    writes = next(act for act in voice.acts if act.kind == "message")
    assert writes.usual == pytest.approx(0.1, abs=0.02)
    assert writes.without > writes.usual
    assert "writes at" in writes.text()


def test_who_wrote_in_anger_is_less_likely_to_be_still_there(found) -> None:
    fit, voice, met, seen, there = found
    last = np.cumsum(seen.visits) - 1
    angry = voice.beyond[last, 1] > 0.5
    recent = seen.period[last] > WEEKS - 6
    present = there[[int(name[1:]) for name in seen.customers]]
    some = angry & recent
    deaf = fit_leaving(seen, met, Voice.silent(len(seen.period)), DAYS)
    truth, heard, unheard = present[some].mean(), fit.alive[some].mean(), deaf.alive[some].mean()
    assert unheard > truth + 0.2
    assert abs(heard - truth) < 0.5 * abs(unheard - truth)
    assert fit.alive[~angry & recent].mean() == pytest.approx(present[~angry & recent].mean(), abs=0.05)


@pytest.mark.slow
def test_what_tells_nothing_moves_nothing() -> None:
    fit = learned(2, moved=False)[0]
    assert foretold(2, moved=False).encode is None
    assert abs(fit.voice[0]) < 3 * fit.errors["return"]
    assert abs(fit.voice[1]) < 3 * fit.errors["message"]


@pytest.mark.slow
def test_no_message_is_told_by_its_own_outcome() -> None:
    """The logit of a taught message is by other customers: another outcome of its own moves it less."""
    events, _, _, _ = log(1)
    silence = foretold(1)
    messages, logit = taught(events, silence)
    assert len(messages) == len(logit) == int((events.kind == kind("message", 1)[0]).sum())
    assert len(silence.unseen) < len(logit)
    ill = np.array([text == ANGRY for text in messages.text])
    assert logit[ill].mean() > logit[~ill].mean() + 0.5


def test_few_acts_and_none_are_silent() -> None:
    events, weeks, missing, _ = log(3)
    buys = events.of("buy")
    seen = Histories.of(buys, weeks)
    met = np.stack([missing[seen.period], np.zeros(len(seen.period))], 1)
    voice = Voice.of(buys, weeks, seen, met, telling(buys, "silence"))
    assert voice.acts == ()
    assert (voice.beyond == 0).all()
    assert (voice.habits(seen, 20.0) == 0).all()
