"""A price test as it is written down: which prices, when and where, and the draw that they came from.

Who is *up* and who is *down* is drawn, so that nothing else about the shops or the weeks can explain a
difference. Blocks of periods come in pairs: in each pair half of an item's units, drawn at random, go up
first and down then, the other half the other way round; a block without a partner has half of them up. So
every unit is up half of the time, every period has half of the units up, and slow changes of demand cancel
(a switchback whose randomisation is restricted to pairs: Bojinov, Simchi-Levi and Zhao 2023,
doi:10.1287/mnsc.2022.4583; complete randomisation within pairs: Imbens and Rubin 2015, chapters 4 and 10).
With one block the test is randomised over locations alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from ..errors import InputError
from ..tensors import stable_id

COLUMNS = (
    *("date", "location", "item", "price", "usual_price", "low_price", "high_price"),
    *("chance_high", "unit", "block", "counts", "seed"),
)
_SAME = 1e-6  # share of a price by which two writings of it may differ


def draw_up(units: int, blocks: int, rng: np.random.Generator) -> np.ndarray:
    """(G, K) bool: which of an item's G units has its high price in which of K blocks.

    The chance is a half everywhere; within a pair of blocks a unit is up exactly once.
    """
    out = np.empty((units, blocks), dtype=bool)
    for first in range(0, blocks, 2):
        half = units // 2 + (rng.integers(2) if units % 2 else 0)
        up = rng.permutation(units) < half
        out[:, first] = up
        if first + 1 < blocks:
            out[:, first + 1] = ~up
    return out


@dataclass(frozen=True)
class Plan:
    """A test of I items in G units over T periods. A *unit* is a set of locations that share their prices."""

    dates: np.ndarray  # (T,) datetime64[D]
    block: np.ndarray  # (T,) int64, 0 … K − 1
    counts: np.ndarray  # (T,) bool: False while the price before may still be felt
    items: tuple[str, ...]
    locations: tuple[str, ...]
    unit: tuple[str, ...]  # (S,) unit of each location
    usual: np.ndarray  # (S, I) price from which the levels depart; NaN where the series is not in the test
    low: np.ndarray  # (S, I) price when down, common to a unit
    high: np.ndarray  # (S, I) price when up
    seed: int

    @property
    def tested(self) -> np.ndarray:
        """(S, I) bool: series that are in the test."""
        return np.isfinite(self.usual)

    @property
    def blocks(self) -> int:
        return int(self.block.max()) + 1

    @cached_property
    def up(self) -> np.ndarray:
        """(T, S, I) bool: the draw."""
        out = np.zeros((len(self.dates), *self.usual.shape), dtype=bool)
        for item in range(len(self.items)):
            out[:, self.tested[:, item], item] = next(self.draws(item))
        return out

    def draws(self, item: int) -> Iterator[np.ndarray]:
        """(T, S') bool of an item's tested locations: the draw of the test, then others made alike."""
        labels = np.array(self.unit, dtype=object)[self.tested[:, item]].astype(str)
        units, index = np.unique(labels, return_inverse=True)
        rng = np.random.default_rng([self.seed, stable_id(self.items[item]) % 2**32])
        while True:
            yield draw_up(len(units), self.blocks, rng)[index][:, self.block].T

    @property
    def price(self) -> np.ndarray:
        """(T, S, I) what the test charges; NaN where a series is not in it."""
        return np.where(self.up, self.high, self.low)

    def frame(self) -> pd.DataFrame:
        """One row a period and series of the test, with all that is needed to draw it again."""
        period, place, item = np.nonzero(np.broadcast_to(self.tested, (len(self.dates), *self.tested.shape)))
        at = (place, item)
        return pd.DataFrame(
            {
                "date": self.dates[period].astype("datetime64[D]").astype(str),
                "location": np.array(self.locations, dtype=object)[place],
                "item": np.array(self.items, dtype=object)[item],
                "price": self.price[period, place, item],
                "usual_price": self.usual[at],
                "low_price": self.low[at],
                "high_price": self.high[at],
                "chance_high": 0.5,
                "unit": np.array(self.unit, dtype=object)[place],
                "block": self.block[period],
                "counts": self.counts[period].astype(int),
                "seed": self.seed,
            }
        )


def plan_of(frame: pd.DataFrame, locations: Sequence[str], items: Sequence[str]) -> Plan:
    """The plan that ``Plan.frame`` has told, for locations and items in the order given.

    Raises:
        InputError: a column is missing, a row repeats, names what is not known, or the prices are not those
            that the seed draws.
    """
    if missing := [name for name in COLUMNS if name not in frame]:
        raise InputError(f"plan: expected the columns {', '.join(COLUMNS)}, found no {missing[0]}")
    if not len(frame):
        raise InputError("plan: expected a row a period and series, found none")
    frame = frame.assign(location=frame["location"].astype(str), item=frame["item"].astype(str))
    keys = ["date", "location", "item"]
    days = _dates(frame["date"])
    if (twice := frame.duplicated(keys)).any():
        row = frame[twice].iloc[0]
        raise InputError(
            f"plan: expected each series once a date, found {' '.join(map(str, row[keys]))} twice"
        )
    for name, known in (("location", locations), ("item", items)):
        if strange := sorted(set(frame[name]) - set(known)):
            raise InputError(f"plan: expected {name}s of the market, found {strange[0]!r:.60}")
    dates, period = np.unique(days, return_inverse=True)
    place, item = (
        np.array([{name: at for at, name in enumerate(known)}[one] for one in frame[column]])
        for column, known in (("location", locations), ("item", items))
    )
    shape = (len(locations), len(items))

    def number(column: str) -> np.ndarray:
        values = pd.to_numeric(frame[column], errors="coerce").to_numpy(np.float64)
        if not np.isfinite(values).all():
            row = int(np.argmin(np.isfinite(values)))
            raise InputError(f"plan: expected numbers in {column}, found {frame[column].iloc[row]!r:.40}")
        return values

    def by_series(column: str) -> np.ndarray:
        out = np.full(shape, np.nan)
        out[place, item] = number(column)
        return out

    def by_period(column: str) -> np.ndarray:
        out = np.zeros(len(dates), dtype=np.int64)
        out[period] = number(column).astype(np.int64)
        return out

    unit = np.array(locations, dtype=object)
    unit[place] = frame["unit"].astype(str)
    plan = Plan(
        dates=dates,
        block=by_period("block"),
        counts=by_period("counts").astype(bool),
        items=tuple(items),
        locations=tuple(locations),
        unit=tuple(map(str, unit)),
        usual=by_series("usual_price"),
        low=by_series("low_price"),
        high=by_series("high_price"),
        seed=int(number("seed")[0]),
    )
    drawn, told = plan.price[period, place, item], number("price")
    if len(frame) != len(dates) * int(plan.tested.sum()):
        raise InputError(
            f"plan: expected a row for each of {len(dates)} dates and {int(plan.tested.sum())} series, found"
            f" {len(frame)} rows"
        )
    if (other := np.abs(told - drawn) > _SAME * drawn).any():
        at = int(np.argmax(other))
        raise InputError(
            f"plan: expected the prices that seed {plan.seed} draws ({drawn[at]:g} on"
            f" {' '.join(map(str, frame[keys].iloc[at]))}), found {told[at]:g}: a plan that was changed by"
            " hand is no longer random"
        )
    return plan


def _dates(values: object) -> np.ndarray:
    """(N,) datetime64[D].

    Raises:
        InputError: one is no date.
    """
    try:
        return pd.DatetimeIndex(values).to_numpy().astype("datetime64[D]")  # type: ignore[arg-type]
    except (ValueError, TypeError) as error:
        raise InputError(f"plan: expected dates such as 2024-01-31, found another ({error})") from None
