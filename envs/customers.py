"""The customers' part of a fitted market's folder: what the shop told of them, and what was learned of it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..forecasters.customers import (
    Account,
    Population,
    load_population,
    save_population,
)
from ..forecasters.errors import InputError
from ..forecasters.events import (
    EVENTS,
    ITEMS,
    Events,
    Items,
    Records,
    Relations,
    carried_on,
    read_events,
    read_items,
    reconciled,
)
from ..forecasters.panel import SalesPanel
from ..forecasters.progress import SILENT, Progress

if TYPE_CHECKING:
    from ..forecasters.customers import Learned

FOLDER = "customers"
_ACCOUNT = "account.json"
Write = Callable[[Path], None]  # fills a new folder


def learned_of(records: Records, panel: SalesPanel, seed: int = 0, progress: Progress = SILENT) -> Write:
    """What writes the records, and all that is learned of them beside ``panel``, into a market's folder.

    Customers are watched while there are events: after the last one nobody comes, and nobody has left. Where
    too few are known to simulate them, it is that which is written.
    """
    from ..forecasters.customers import account_of, learn_population

    events = records.events.identified
    found: Learned | None = None
    with progress.stage("learn who comes, who buys what, and who leaves", 1) as stage:
        try:
            coverage = reconciled(records.events, panel)
            watched = np.flatnonzero(coverage.periods)
            if not len(watched):
                raise InputError(
                    "events: expected purchases that are kept, found that all are returned at once"
                )
            seen = panel.window(int(watched[0]), int(watched[-1]) + 1)
            found = learn_population(events, seen, seed=seed)
            told = account_of(events, panel, found, coverage, records.items).plain()
        except InputError as error:
            told = {"unknown": str(error)}
        stage.advance()

    def write(folder: Path) -> None:
        records.save(folder)
        if found is not None:
            save_population(found.population, folder)
        (folder / _ACCOUNT).write_text(json.dumps(told, indent=1, allow_nan=False) + "\n", encoding="utf-8")

    return write


@dataclass(frozen=True)
class Customers:
    """Customers who are known one by one."""

    population: Population  # who they are
    account: Account  # what is said of them


@dataclass(frozen=True)
class MarketCustomers:
    """What a market that was fitted with events knows beside its sales table."""

    found: Customers | str  # in words why they are not known well enough to be simulated
    relations: Relations | None = None  # what the shop told of its items together
    described: Items | Path | None = None  # what it told of them one by one, or the file that keeps it
    log: Path | None = None  # the file of its events

    @cached_property
    def items(self) -> Items | None:
        """What the shop told of its items; None where it told nothing.

        Read when it is first asked for: no market is slower to open for a long table of items.

        Raises:
            InputError: the file is no longer there.
        """
        return read_items(self.described) if isinstance(self.described, Path) else self.described

    def known(self) -> Customers:
        """Those who are known.

        Raises:
            InputError: too little is; says why.
        """
        if isinstance(self.found, str):
            raise InputError(self.found)
        return self.found

    def each(self, function: Callable[[Population], Population]) -> MarketCustomers:
        """The same with another population, where there is one."""
        if isinstance(self.found, str):
            return self
        return replace(self, found=replace(self.found, population=function(self.found.population)))


def load_customers(market: Path) -> MarketCustomers | None:
    """The customers that a fitted market's folder keeps; None where it was fitted without events.

    Raises:
        InputError: they are damaged.
    """
    place = market / FOLDER
    if not (place / _ACCOUNT).is_file():
        return None
    told = json.loads((place / _ACCOUNT).read_text(encoding="utf-8"))
    found = (
        str(told["unknown"])
        if "unknown" in told
        else Customers(load_population(place), Account.of_plain(told))
    )
    items = (place / ITEMS).absolute()  # whoever asks for it may work in another folder
    log = (place / EVENTS).absolute()
    return MarketCustomers(found, Records.relations_in(place), items if items.exists() else None, log)


def carried(
    market: Path,
    panel: SalesPanel,
    later: Events | None = None,
    seed: int = 0,
    progress: Progress = SILENT,
) -> Write | None:
    """What writes the same into the folder of a market's new version; None where it has no customers.

    They are learned again from ``later`` events, which carry the others on, and where the panel has other
    locations or items.
    """
    place = market / FOLDER
    if later is not None:
        records = Records.load(place) if place.is_dir() else Records(later)
        told = carried_on(records.events, later)
        return learned_of(replace(records, events=told), panel, seed, progress)
    if not place.is_dir():
        return None
    known = load_customers(market)
    if known is not None and isinstance(known.found, Customers):
        of = known.found.population
        if (of.locations, of.items) != (panel.locations, panel.items):
            return learned_of(Records.load(place), panel, seed, progress)
    return partial(shutil.copytree, place, dirs_exist_ok=True)


def load_records(market: str | Path) -> Records:
    """Events, items and relations in the folder of a fitted market.

    Raises:
        InputError: it was fitted without events, or they are damaged.
    """
    return Records.load(_home(market))


def load_events(market: str | Path) -> Events:
    """The events alone, as ``load_records``."""
    return read_events(_home(market) / EVENTS)


def _home(market: str | Path) -> Path:
    place = Path(market) / FOLDER
    if not place.is_dir():
        raise InputError(f"{market}: expected a market with customers (fitted with --events), found none")
    return place
