"""Word of mouth: whether customers bring those whom they told, or are merely like them.

Friends buy alike whether or not they talk: who tells and who is told were alike before. From purchases alone
the two cannot be told apart (Shalizi and Thomas 2011, "Homophily and contagion are generically confounded in
observational social network studies", Sociological Methods & Research 40(2)). They can where some customers
were addressed by a coin, and their friends were not: what moves the friends then is word of mouth.

How much friends follow when a customer comes more often is the ratio of the two effects of one message, on
his friends and on himself (Wald 1940, "The fitting of straight lines if both variables are subject to
error"): the message moves friends through him alone, since it was not sent to them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from ..events import Events, Kind
from .exposure import addressed as own_purchases
from .lift import Lift, Trial, lift
from .purchases import ranges
from .within import counted

WINDOW = np.timedelta64(28, "D")
"""After which a friend's purchase is no longer laid to what a customer was sent."""
PRIOR = (0.0, 0.1)  # mean and spread of the log ratio where nothing tells it
NO_REFERRERS = "no event has a referrer, so nobody is known to have told anybody"
LIKENESS = (
    "customers were not addressed by a known chance, so word of mouth cannot be told from likeness"
    " (Shalizi and Thomas 2011)"
)
_SENT: tuple[Kind, ...] = ("coupon", "recommend")
_VAGUE = 0.3  # standard error, beyond which θ may be anything from 0 to 1
_SURE = 2.0  # standard errors, below which an effect may be none, and a ratio of two says nothing


@dataclass(frozen=True)
class Ties:
    """Who told whom, each pair once."""

    teller: np.ndarray  # (E,) index of a customer
    told: np.ndarray  # (E,) index of another

    @staticmethod
    def of(events: Events) -> Ties:
        """Every pair of a referrer and who named it."""
        named = events.referrer >= 0
        pairs = np.stack([events.referrer[named], events.customer[named]], axis=1)
        pairs = np.unique(pairs[pairs[:, 0] != pairs[:, 1]], axis=0)
        return Ties(pairs[:, 0].astype(np.int64), pairs[:, 1].astype(np.int64))

    def circles(self, customers: int) -> np.ndarray:
        """(C,) number of the circle of acquaintances of each customer, whose luck may be shared."""
        graph = coo_matrix((np.ones(len(self.told)), (self.teller, self.told)), (customers, customers))
        circles: np.ndarray = connected_components(graph, directed=False)[1]
        return circles


def word_of_mouth(events: Events, window: np.timedelta64 = WINDOW) -> Lift:
    """How addressing a customer multiplies the purchases of those whom it told, within ``window``."""
    found = _estimated(events, window)
    return Lift(*PRIOR, because=found) if isinstance(found, str) else found


def _estimated(events: Events, window: np.timedelta64) -> Lift | str:
    ties = Ties.of(events)
    if not len(ties.told):
        return NO_REFERRERS
    sent, addressed = _sent(events, ties)
    if not len(sent) or addressed.all():
        return LIKENESS
    return lift(_friends(events, sent, addressed, ties, window))


@dataclass(frozen=True)
class Following:
    """How much friends follow."""

    elasticity: float  # θ, ∂log(a friend's purchases) / ∂log(those of who told him), 0 … 1
    error: float  # its standard error
    because: str = ""  # why it is not simulated; empty where it is

    def text(self) -> str:
        """What is simulated, as the end of a line."""
        if self.because:
            return f"not simulated: {self.because}"
        return f"simulated: friends follow by {self.elasticity:.2f} ± {1.645 * self.error:.2f} of a change"


def following(events: Events, told: Lift, window: np.timedelta64 = WINDOW) -> Following:
    """θ, where customers were addressed by a known chance, and come more often for it.

    Args:
        told: what ``word_of_mouth`` said of the same events.
    """
    if told.assumed:
        return Following(0.0, 0.0, "nothing tells it")
    own = lift(own_purchases(events, *_sent(events, Ties.of(events)), window))
    if isinstance(own, str) or own.mean < _SURE * own.sd:
        return Following(0.0, 0.0, "those who were addressed do not buy more themselves")
    ratio = told.mean / own.mean
    error = float(np.hypot(told.sd, ratio * own.sd) / own.mean)
    if told.mean < _SURE * told.sd:
        return Following(0.0, 0.0, "friends of those who were addressed do not buy more")
    if error > _VAGUE:
        return Following(0.0, 0.0, "the log is too short to tell how much friends follow")
    return Following(min(ratio, 1.0), error)


def _sent(events: Events, ties: Ties) -> tuple[Events, np.ndarray]:
    """Messages to tellers with a known chance, and which of them were not held back."""
    sent = events.of(*_SENT)
    sent = sent.rows(np.isfinite(sent.propensity) & np.isin(sent.customer, ties.teller))
    return sent, sent.units != 0  # NaN: the row says that it was


def _friends(
    events: Events, sent: Events, addressed: np.ndarray, ties: Ties, window: np.timedelta64
) -> Trial:
    """One row a message ``sent`` or held back and a friend of its customer."""
    order = np.argsort(ties.teller, kind="stable")
    tellers, friends = ties.teller[order], ties.told[order]
    first, last = (np.searchsorted(tellers, sent.customer, side) for side in ("left", "right"))
    row, place = ranges(first, last)
    friend, when = friends[place], sent.time[row]
    buys = events.of("buy")
    bought = counted(buys.customer, buys.time, friend, when, when + window)
    before = counted(buys.customer, buys.time, friend, when - window, when)
    return Trial(
        outcome=bought,
        shown=addressed[row],
        propensity=sent.propensity[row].astype(np.float64),
        features=np.log1p(before)[:, None],
        cluster=ties.circles(len(events.customers))[friend],
    )
