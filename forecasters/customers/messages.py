"""What customers' messages tell ahead of sales: who will send something back, who will stay away.

A logistic regression on a message's text vector says what follows it within a window. It is kept only where
it foretells messages that it has not seen better than the mean does, by two standard errors. An item about
which many more such messages come than usual is signalled, days before the sales show it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, log_expit, pdtrc

from ..events import Events
from .account import Signal
from .text import Encoder, encoder
from .within import counted

Follows = Literal["return", "silence"]
WINDOW = {"return": np.timedelta64(28, "D"), "silence": np.timedelta64(90, "D")}
"""How long after a message an item comes back, and how long a customer who stays away has bought nothing."""
FALSE_ALARMS = 0.01  # a period, over all items
_FEWEST, _FOLDS, _SURE, _USUAL = 40, 5, 2.0, 12  # messages; folds; standard errors; periods of the usual
_PENALTIES = (1.0, 10.0, 100.0)


@dataclass(frozen=True)
class Telling:
    """What follows a message, by its text."""

    what: Follows
    encode: Encoder | None  # None: the text tells nothing, or there is too little of it
    weights: np.ndarray  # (D,)
    level: float  # logit of the chance at the mean of the texts
    base: float  # share of the messages that it followed
    messages: int  # that it was learned from
    gain: float  # log likelihood a message beyond that of the share, on unseen ones
    because: str  # why the text is not used; empty where it is
    unseen: np.ndarray  # (M,) the logit of each of those messages, by the others' customers alone

    def __call__(self, texts: list[str]) -> np.ndarray:
        """(N,) logit of the chance that it follows."""
        if self.encode is None:
            return np.full(len(texts), self.level)
        told: np.ndarray = self.level + self.encode(texts) @ self.weights
        return told

    def text(self) -> str:
        """One line for a person."""
        name = {"return": "a return", "silence": "no more purchases"}[self.what]
        if not self.messages:
            return f"whether {name} is foretold by what customers write: no message has a text"
        usual = f"{name} followed {self.base:.0%} of {self.messages:,} messages"
        return f"{usual}; {self.because or f'their text foretells it, by {self.gain:.3f} nats each'}"


def telling(events: Events, what: Follows, seed: int = 0) -> Telling:
    """Learn what follows messages."""
    messages = _heard(events)
    if what == "silence" and len(messages):  # later ones have not had the time
        messages = messages.rows(messages.time < events.time[-1] - WINDOW[what])
    if len(messages) < _FEWEST or messages.text is None:
        return _nothing(what, 0.0, len(messages), f"expected {_FEWEST} messages with text or more")
    follows = events.of("return" if what == "return" else "buy")
    # what was bought at the same moment, or on a day that is all that is told, came before
    begin = messages.time if what == "return" else messages.time + np.timedelta64(1, "s")
    end = messages.time + WINDOW[what]
    count = counted(follows.customer, follows.time, messages.customer, begin, end)
    y = (count > 0 if what == "return" else count == 0).astype(np.float64)
    if min(y.sum(), (1 - y).sum()) < _FEWEST / 4:
        return _nothing(what, float(y.mean()), len(y), "too few of either kind to learn from")
    encode = encoder(list(messages.text))
    x = encode(list(messages.text)).astype(np.float64)
    fold = np.unique(messages.customer, return_inverse=True)[1] % _FOLDS  # a customer is in one alone
    base, level = np.zeros(len(y)), float(np.log(y.mean() / (1 - y.mean())))
    ahead = np.zeros((len(_PENALTIES), len(y)))
    for k in range(_FOLDS):
        kept, held = fold != k, fold == k
        chance = y[kept].mean().clip(1e-3, 1 - 1e-3)
        base[held] = np.log(chance / (1 - chance))
        for row, penalty in enumerate(_PENALTIES):
            weights, start = logistic(x[kept], y[kept], penalty)
            ahead[row, held] = start + x[held] @ weights
    gains = _log_likelihood(y, ahead) - _log_likelihood(y, base)
    best = int(gains.mean(1).argmax())
    gain = gains[best]
    if gain.mean() < _SURE * gain.std() / np.sqrt(len(y)):
        return _nothing(what, float(y.mean()), len(y), "their text does not foretell it")
    weights, level = logistic(x, y, _PENALTIES[best])
    told = float(y.mean()), len(y), float(gain.mean())
    return Telling(what, encode, weights, level, *told, because="", unseen=ahead[best])


def taught(events: Events, told: Telling) -> tuple[Events, np.ndarray]:
    """The messages (M,) with text, and the logit of what follows each: of those that it was learned from by
    what others' customers taught, so that none is told by its own outcome.

    Args:
        told: by the same events.
    """
    messages = _heard(events)
    later = [] if messages.text is None else list(messages.text[len(told.unseen) :])
    return messages, np.concatenate([told.unseen, told(later)])


def signals(events: Events, told: Telling, period: np.timedelta64) -> list[Signal]:
    """Items whose messages of the last ``period`` stand out, the surest first.

    Messages count by how likely what they tell of is, set against the usual message.
    """
    messages = _heard(events)
    messages = messages.rows(messages.item >= 0)
    if not len(messages) or messages.text is None:
        return []
    weight = (
        expit(told(list(messages.text))) / max(told.base, 1e-9) if told.encode else np.ones(len(messages))
    )
    age = ((events.time[-1] - messages.time) // period.astype("timedelta64[s]")).astype(int)
    table = np.zeros((_USUAL + 1, len(events.items)))
    recent = age <= _USUAL
    np.add.at(table, (age[recent], messages.item[recent]), weight[recent])
    usual = table[1:].mean(0)
    expected = np.maximum(usual, 1 / _USUAL)  # what never came may come once
    many = np.ceil(table[0])
    chance = np.where(many > 0, pdtrc(np.maximum(many - 1, 0), expected), 1.0)  # of so many or more
    out = np.flatnonzero((chance < FALSE_ALARMS / len(events.items)) & (table[0] > usual))
    return [
        Signal(events.items[i], float(table[0, i]), float(usual[i]), float(chance[i]))
        for i in out[np.argsort(chance[out])]
    ]


def _heard(events: Events) -> Events:
    messages = events.of("message")
    if messages.text is None:
        return messages.rows(np.zeros(len(messages), dtype=bool))
    return messages.rows(np.array([bool(text) for text in messages.text], dtype=bool))


def _nothing(what: Follows, base: float, messages: int, because: str) -> Telling:
    held = min(max(base, 1e-3), 1 - 1e-3)
    level, nothing = float(np.log(held / (1 - held))), np.zeros(0)
    return Telling(what, None, nothing, level, base, messages, 0.0, because, unseen=nothing)


def _log_likelihood(y: np.ndarray, logit: np.ndarray) -> np.ndarray:
    each: np.ndarray = y * log_expit(logit) + (1 - y) * log_expit(-logit)
    return each


def logistic(x: np.ndarray, y: np.ndarray, penalty: float) -> tuple[np.ndarray, float]:
    """Weights (D,) and level of a ridge-penalised logistic regression."""

    def loss(beta: np.ndarray) -> tuple[float, np.ndarray]:
        logit = beta[0] + x @ beta[1:]
        slope = expit(logit) - y
        value = -_log_likelihood(y, logit).sum() + penalty / 2 * beta[1:] @ beta[1:]
        return value, np.concatenate([[slope.sum()], x.T @ slope + penalty * beta[1:]])

    found = minimize(loss, np.zeros(1 + x.shape[1]), jac=True, method="L-BFGS-B")
    return found.x[1:], float(found.x[0])
