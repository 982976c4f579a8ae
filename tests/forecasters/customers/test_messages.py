"""Messages foretell returns and silence where their words do; what is much written about stands out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mercato.forecasters.customers.messages import signals, telling
from mercato.forecasters.customers.text import HashedTerms
from mercato.forecasters.events import Events
from tests.forecasters.customers.logs import events_of, kind

BAD, GOOD = "the zip broke after a day", "lovely colour, thank you"


@pytest.fixture(autouse=True)
def terms_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mercato.forecasters.customers.messages.encoder", HashedTerms.of)


def log(returns_after_bad: float, seed: int = 0, extra: int = 0) -> Events:
    """Customers write about four items; ``extra`` complaints about item 2 come in the last week."""
    rng = np.random.default_rng(seed)
    n = 300
    bad = rng.random(n) < 0.4
    returned = rng.random(n) < np.where(bad, returns_after_bad, 0.1)
    customer, day = np.arange(n), rng.uniform(0, 200, n)
    rows = {
        "customer": np.concatenate([customer, customer[returned], np.arange(extra)]),
        "day": np.concatenate([day, day[returned] + 5, np.full(extra, 204.0)]),
        "item": np.concatenate([customer % 4, customer[returned] % 4, np.full(extra, 2)]),
        "kind": np.concatenate(
            [kind("message", n), kind("return", int(returned.sum())), kind("message", extra)]
        ),
    }
    events = events_of(rows, n, 4)
    words = dict(zip(zip(customer, day.astype(int), strict=True), np.where(bad, BAD, GOOD), strict=True))
    days = ((events.time - np.datetime64("2025-01-01", "s")) / np.timedelta64(1, "D")).astype(int)
    written = events.kind == kind("message", 1)[0]
    text = [
        words.get((c, d), BAD) if w else "" for c, d, w in zip(events.customer, days, written, strict=True)
    ]
    return replace(events, text=np.array(text, dtype=object))


def test_words_that_foretell_a_return_are_learned_and_others_are_not() -> None:
    told = telling(log(0.7), "return")
    bad, good = told([BAD, GOOD])
    assert told.encode is not None
    assert 1 / (1 + np.exp(-bad)) == pytest.approx(0.7, abs=0.12)
    assert 1 / (1 + np.exp(-good)) == pytest.approx(0.1, abs=0.08)
    nothing = telling(log(0.1), "return")
    assert nothing.encode is None
    assert "does not foretell" in nothing.text()


def test_an_item_that_more_complain_about_than_usual_is_signalled_and_no_other() -> None:
    quiet, loud = log(0.7), log(0.7, extra=25)
    week = np.timedelta64(7, "D")
    assert signals(quiet, telling(quiet, "return"), week) == []
    (signal,) = signals(loud, telling(loud, "return"), week)
    assert signal.item == "i2"
    assert signal.found > 5 * signal.usual


def test_silence_is_judged_of_messages_that_have_had_the_time() -> None:
    events = log(0.7)
    told = telling(events, "silence")
    early = events.of("message").time < events.time[-1] - np.timedelta64(90, "D")
    assert told.messages == early.sum()
    assert told.base == pytest.approx(1, abs=1e-6)  # nobody buys in this log
    assert told.encode is None
