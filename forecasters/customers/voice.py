"""What customers do before they leave: they bring something back, or write (Hirschman 1970, "Exit, Voice, and
Loyalty").

Both are seen at visits, and each may foretell that there is no other: a message by how ill its words bode
(``messages``), where words tell anything, else by having come at all. An empty shelf makes customers write,
and leave. So that its whole effect on leaving stays its own, the voice counts by what is beyond that which
the visit's empty shelves and prices explain.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from ..events import Events, Kind
from ..names import renumbered
from ..panel.sales_panel import SalesPanel
from .histories import Histories, periods_of
from .messages import Telling, logistic, taught

ACTS: tuple[Kind, ...] = ("return", "message")
_FEWEST, _PENALTY = 20, 1.0  # visits with an act, below which it tells nothing of what moves it


@dataclass(frozen=True)
class Act:
    """How often visits are followed by an act, by what they met."""

    kind: str
    visits: int  # that were
    usual: float  # chance at a visit that finds everything at the usual price
    without: float  # at one that finds nothing of the basket

    def text(self) -> str:
        """One line for a person."""
        name = {"return": "brings something back", "message": "writes"}[self.kind]
        return (
            f"a customer {name} at {self.usual:.1%} of visits that find everything, at {self.without:.1%} of"
            f" those that find nothing ({self.visits:,} did)"
        )


@dataclass(frozen=True)
class Voice:
    """Of V visits."""

    beyond: np.ndarray  # (V, A) of ACTS, less what the visit met explains; 0 where it is not known
    acts: tuple[Act, ...]  # those that occur often enough

    @staticmethod
    def silent(visits: int) -> Voice:
        """Nobody says anything."""
        return Voice(np.zeros((visits, len(ACTS))), ())

    @staticmethod
    def of(events: Events, panel: SalesPanel, seen: Histories, met: np.ndarray, silence: Telling) -> Voice:
        """Of the visits of ``seen``.

        Args:
            met: (V, 2) shares of baskets that were not there, and logs of their prices to the usual.
            silence: whether messages foretell that nothing more is bought.
        """
        beyond, acts = np.zeros((len(met), len(ACTS))), []
        for column, kind in enumerate(ACTS):
            done = events.of(kind)
            score = np.ones(len(done))
            if kind == "message" and silence.encode is not None:
                done, said = taught(events, silence)
                score = said - silence.level
            count, total = _at_visits(done, score, panel, seen, events.customers)
            came = count > 0
            if came.sum() < _FEWEST:
                continue
            slopes, level = logistic(met, came.astype(np.float64), _PENALTY)
            acts.append(Act(kind, int(came.sum()), float(expit(level)), float(expit(level + slopes[0]))))
            mean = total / np.maximum(count, 1)
            told = np.column_stack([np.ones(len(met)), met])
            beyond[:, column] = mean - told @ np.linalg.lstsq(told, mean, rcond=None)[0]
        return Voice(beyond, tuple(acts))

    def habits(self, seen: Histories, shrunk: float) -> np.ndarray:
        """(N, A) each customer's mean over visits, drawn to 0 as ``shrunk`` visits more would."""
        total = np.stack([np.bincount(seen.visitor, x, len(seen.customers)) for x in self.beyond.T], 1)
        habit: np.ndarray = total / (seen.visits + shrunk)[:, None]
        return habit


def _at_visits(
    done: Events, score: np.ndarray, panel: SalesPanel, seen: Histories, names: tuple[str, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """(V,) how many acts fall to each visit, and the sum of their scores."""
    whose = renumbered(done.customer, names, seen.customers)
    period, inside = periods_of(done, panel)
    key = seen.visitor * seen.periods + seen.period
    wanted = whose * seen.periods + period
    at = np.minimum(np.searchsorted(key, wanted), len(key) - 1)
    here = inside & (whose >= 0) & (key[at] == wanted)
    return np.bincount(at[here], minlength=len(key)), np.bincount(at[here], score[here], len(key))
