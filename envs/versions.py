"""Versions of a fitted market: every update is one, beside those before it, each with its digest.

The market in use lies in MARKET, all that it ever was in MARKET.versions/0001, 0002 …: whole market folders,
sealed as any other. Which one is in use is told by its digest, so that no index can disagree with the files.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..forecasters.errors import InputError
from ..forecasters.events import Events
from ..forecasters.model import DemandModel
from ..forecasters.panel.sales_panel import SalesPanel
from ..forecasters.progress import SILENT, Progress
from ..forecasters.seal import SEAL
from .customers import carried
from .economics import Economics
from .folders import replace_folder, sole_writer
from .store import save_market, told_of

_FITTED = "fit"


@dataclass(frozen=True)
class Version:
    """What an update tells of itself."""

    number: int
    depth: str  # fit, condition, settle or refit
    until: str  # first day of the last period that it knows
    watched_from: int  # periods before the first one that drift is looked for in
    why: str = ""
    adopted: bool = True  # else a challenger that did worse, kept beside
    parent: str | None = None  # digest of the version that it came from; None for a first fit
    alarms: tuple[Mapping[str, Any], ...] = ()
    trial: Mapping[str, Any] | None = None  # how it did against the one before
    digest: str = ""  # of its files; empty until they are written


def version_of(folder: Path) -> Version:
    """The version in a market's folder; the first where nothing was ever updated.

    Raises:
        InputError: the folder holds no fitted market, or a damaged one.
    """
    told = told_of(folder)
    digest = str(told[SEAL])
    if "version" in told:
        known = told["version"]
        return Version(**{**known, "alarms": tuple(known["alarms"]), "digest": digest})
    from .store import load_panel

    panel = load_panel(folder)
    return Version(1, _FITTED, str(panel.dates[-1]), panel.periods, digest=digest)


def versions(folder: Path) -> list[Version]:
    """All versions of the market in ``folder``, the first one first.

    Raises:
        InputError: the folder holds no fitted market; one of them is damaged.
    """
    here = version_of(folder)
    found = [version_of(place) for place in _places(folder)]
    return found if any(one.digest == here.digest for one in found) else [*found, here]


def publish(
    folder: Path,
    model: DemandModel,
    panel: SalesPanel,
    economics: Economics,
    version: Version,
    out: Path | None = None,
    events: Events | None = None,
    seed: int = 0,
    progress: Progress = SILENT,
) -> Version:
    """Write a new version of the market in ``folder`` beside it, and put it in its place if it is adopted.

    Between any two steps MARKET is whole: the old version or the new one.

    Args:
        folder: of the market that was updated.
        model, panel, economics: of the new version.
        version: what is told of it; its number is the next one, its parent the version in ``folder``.
        out: another folder to put it in, with its versions; ``folder`` stays as it is.
        events: what customers did since, from which they are learned again.
        seed: of that.
        progress: is informed of it.

    Raises:
        InputError: another process writes the market.
    """
    target = folder if out is None else out
    with sole_writer(target):
        home = _home(target)
        home.mkdir(parents=True, exist_ok=True)
        parent = _kept(folder, home)
        number = max(int(place.name) for place in _places(target)) + 1
        told = {**asdict(version), "number": number, "parent": parent.digest}
        del told["digest"]
        place = home / f"{number:04d}"
        customers = carried(folder, panel, events, seed, progress)
        save_market(place, model, panel, economics, version=told, customers=customers)
        if version.adopted:
            _put(place, target)
        return version_of(place)


def roll_back(folder: Path) -> Version:
    """Put the version that the one in ``folder`` came from back in its place; returns it.

    Raises:
        InputError: there is none, it is damaged, or another process writes the market.
    """
    with sole_writer(folder):
        here = version_of(folder)
        for place in _places(folder):
            told = version_of(place)
            if told.digest == here.parent:
                _kept(folder, _home(folder))
                _put(place, folder)
                return told
    raise InputError(f"{folder}: expected a version before {here.number}, found none")


def _home(folder: Path) -> Path:
    return folder.parent / f"{folder.name}.versions"


def _places(folder: Path) -> Sequence[Path]:
    home = _home(folder)
    return sorted(p for p in home.iterdir() if p.name.isdigit()) if home.is_dir() else []


def _kept(folder: Path, home: Path) -> Version:
    """The version in ``folder``, of which a copy lies in ``home``."""
    here = version_of(folder)
    kept = [place for place in home.iterdir() if place.name.isdigit()]
    if not any(told_of(place)[SEAL] == here.digest for place in kept):
        number = max((int(place.name) for place in kept), default=0)
        _put(folder, home / f"{max(here.number, number + 1):04d}")
    return here


def _put(source: Path, target: Path) -> None:
    """Let a copy of ``source`` take the place of ``target`` at once."""

    def write(new: Path) -> None:
        shutil.copytree(source, new, dirs_exist_ok=True)

    replace_folder(target, write)
