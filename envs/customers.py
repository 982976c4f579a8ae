"""The customers' part of a fitted market's folder: what the shop told of them, and what was learned of it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

from ..forecasters.errors import InputError
from ..forecasters.events import EVENTS, Events, Records, read_events
from ..forecasters.model import DemandModel
from ..forecasters.panel import SalesPanel

FOLDER = "customers"
Write = Callable[[Path], None]  # fills a new folder


def learned_of(records: Records, model: DemandModel, panel: SalesPanel) -> Write:
    """What writes the records, and all that a fit learns of them, into a market's folder.

    Whatever is fitted from (model, panel, records) is fitted here and written beside the records.
    """

    def write(folder: Path) -> None:
        records.save(folder)

    return write


def kept_of(market: Path) -> Write | None:
    """What writes the same that lies in a market's folder into another; None where it has no customers."""
    place = market / FOLDER
    return partial(shutil.copytree, place, dirs_exist_ok=True) if place.is_dir() else None


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
