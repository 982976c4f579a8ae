"""What a test found, as a file that a fit accepts, and what the market believes once it has heard of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..errors import InputError
from ..identification import Elasticities
from ..names import positions
from ..response import WEAKEST
from .design import NINETY, hidden

_FORMAT = 1


@dataclass(frozen=True)
class Finding:
    """An item's own elasticity in a test, mean of its locations by weight."""

    item: str
    elasticity: float
    error: float  # standard error
    lo: float | None  # ends of the 90% interval; None: unbounded
    hi: float | None
    rows: int
    compliance: float  # log price charged for each log price assigned
    weights: Mapping[str, float]  # of locations; they sum to 1


@dataclass(frozen=True)
class Findings:
    """A test that was read."""

    first: str  # ISO date of its first period
    last: str  # … and of the last that was read
    items: tuple[Finding, ...]

    def to_json(self) -> dict[str, Any]:
        return {"format": _FORMAT, "experiment": asdict(self)}

    @staticmethod
    def of_json(told: Mapping[str, Any]) -> Findings:
        """What ``to_json`` gave.

        Raises:
            ValueError, KeyError, TypeError: it is something else.
        """
        test = told["experiment"]
        items = tuple(Finding(**one) for one in test["items"])
        if told["format"] != _FORMAT or not all(
            np.isfinite([f.elasticity, f.error]).all() and f.error > 0 and f.weights for f in items
        ):
            raise ValueError("of another format, or with numbers that are none")
        for day in (test["first"], test["last"]):
            np.datetime64(day, "D")
        return Findings(test["first"], test["last"], items)

    @staticmethod
    def load(path: str | Path) -> Findings:
        """The same from a file.

        Raises:
            InputError: the file is absent or holds something else.
        """
        try:
            return Findings.of_json(json.loads(Path(path).read_text(encoding="utf-8")))
        except FileNotFoundError:
            raise InputError(
                f"experiment: expected a file that `mercato experiment read` wrote, found no {path}"
            ) from None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"experiment: expected a file that `mercato experiment read` wrote, found {path}: {error!r}"
            ) from None

    def rows(self, dates: np.ndarray, locations: tuple[str, ...], items: tuple[str, ...]) -> np.ndarray:
        """(T, S, I) bool: the test's own rows in a table, which it would be wrong to count twice."""
        within = (dates >= np.datetime64(self.first, "D")) & (dates <= np.datetime64(self.last, "D"))
        series = np.zeros((len(locations), len(items)), dtype=bool)
        for finding in self.items:
            item = positions([finding.item], items, "an item of the table")[0]
            series[positions(list(finding.weights), locations, "locations of the table"), item] = True
        return within[:, None, None] & series


def informed(
    found: Elasticities, test: Findings, locations: tuple[str, ...], items: tuple[str, ...]
) -> Elasticities:
    """Elasticities after a test: each item's level moves by precision, its locations keep their differences.

    Two accounts of the gaps between test and fit are weighed by their likelihood, one to one beforehand. In
    the first, items' levels are off by their standard errors alone; in the second, something hidden has moved
    them all by the same amount beside (``hidden``), which is normal. So a test that agrees with the fit adds
    its precision, and one that does not overrules it, for the items that were not tested, too.

    Raises:
        InputError: the test names what the table lacks.
    """
    own, error = found.own.double().numpy(), found.own_error.double().numpy()
    tested = positions([finding.item for finding in test.items], items, "an item of the table")
    gap = np.zeros(len(tested))
    for number, (item, finding) in enumerate(zip(tested, test.items, strict=True)):
        places = positions(list(finding.weights), locations, "locations of the table")
        weight = np.array(list(finding.weights.values()))
        gap[number] = finding.elasticity - own[places, item] @ weight / weight.sum()
    noise = np.array([finding.error for finding in test.items]) ** 2
    accounts = [_updated(gap, noise, tested, error, shared) for shared in (0.0, hidden(found.gap_error))]
    odds = np.exp([account.likelihood - max(a.likelihood for a in accounts) for account in accounts])
    odds /= odds.sum()
    move = sum(chance * account.mean for chance, account in zip(odds, accounts, strict=True))
    second = sum(
        chance * (account.variance + account.mean**2) for chance, account in zip(odds, accounts, strict=True)
    )
    after = np.sqrt(second - move**2)
    apart = ((found.own_hi - found.own_lo).double().numpy() / (2 * NINETY)) ** 2 - error**2
    half = NINETY * np.sqrt(np.maximum(apart, 0) + after**2)

    def tensor(values: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(values).to(found.own).clamp(max=WEAKEST)

    return replace(
        found,
        own=tensor(own + move),
        own_lo=tensor(own + move - half),
        own_hi=tensor(own + move + half),
        own_error=torch.from_numpy(after).to(found.own_error),
    )


@dataclass(frozen=True)
class _Account:
    """By how much items' levels are off, all I of them, by one account of a test."""

    mean: np.ndarray  # (I,)
    variance: np.ndarray  # (I,)
    likelihood: float  # log likelihood of the gaps


def _updated(
    gap: np.ndarray, noise: np.ndarray, tested: np.ndarray, error: np.ndarray, shared: float
) -> _Account:
    """Normal beliefs (spread ``error`` each and ``shared`` in common) after gaps with variances ``noise``."""
    cross = np.full((len(error), len(tested)), shared**2)
    cross[tested, np.arange(len(tested))] += error[tested] ** 2
    whole = cross[tested] + np.diag(noise)
    weight = np.linalg.solve(whole, cross.T).T
    likelihood = -0.5 * (gap @ np.linalg.solve(whole, gap) + np.linalg.slogdet(whole)[1])
    return _Account(weight @ gap, error**2 + shared**2 - (weight * cross).sum(1), float(likelihood))
