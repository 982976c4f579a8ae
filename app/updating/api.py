"""Keeping a market true: `update` and `drift`, and the versions that updates make."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from ...envs import versions as kept
from ...envs.customers import load_customers
from ...envs.market import Market
from ...envs.store import fitted_market, load_market
from ...envs.versions import Version
from ...forecasters.drift import Alarm
from ...forecasters.errors import InputError
from ...forecasters.events import Events, read_events
from ...forecasters.model import DemandModel
from ...forecasters.panel.sales_panel import SalesPanel
from ...forecasters.progress import SILENT, Progress
from ...forecasters.update import DEPTHS, Depth, Trial, compared, judged, refitted, resettled, settled
from ..arguments import AnyPanel, AnyPolicy, valid_seed
from ..benchmarking import load_policies
from ..runtime import device, fitted_panel
from .policy_trial import PolicyTrial, policy_trials
from .watching import Drift, Watched, watched

_STALE = 0.5  # years without a settled level, after which it is settled without an alarm


@dataclass(frozen=True)
class Updated:
    """What an update did."""

    market: Market  # the one in use now
    depth: Depth | None  # None: the table held nothing new
    why: str
    adopted: bool
    version: Version  # that was written; the one in use where nothing was
    drift: Drift
    trial: Trial | None  # of the forecasts; None where no weight changed
    policies: tuple[PolicyTrial, ...]  # of the policies given
    seconds: dict[str, float]

    def __repr__(self) -> str:
        word = (
            "nothing new" if self.depth is None else self.depth if self.adopted else f"{self.depth}, rejected"
        )
        return f"Updated(version {self.version.number}, {word}, {len(self.drift.alarms)} alarms)"


def drift(market: str | Path, panel: AnyPanel) -> Drift:
    """Whether a market is still as it was learned, by sequential tests on the periods since.

    Args:
        market: folder of a fitted market, or of a run.
        panel: the latest table, whole or the new rows alone, read as the market's own was.

    Returns:
        ``.alarms`` and ``.table``, in order of date; ``.notes`` on what is new in the table. At most
        ``.rate`` false alarms a year are allowed for the whole chain.

    Raises:
        InputError: the folder holds no fitted market, or the table does not carry it on.
    """
    return _watched(*_at(market)[:1], panel)[0].drift


def update(
    market: str | Path,
    panel: AnyPanel,
    depth: str | None = None,
    out: str | Path | None = None,
    policies: Sequence[AnyPolicy] = (),
    seed: int = 0,
    *,
    events: Events | pd.DataFrame | str | Path | None = None,
    progress: Progress = SILENT,
) -> Updated:
    """Let a market take in a later table, as deep as its drift asks for, if that makes it no worse.

    New locations and items begin as those that they are most like. The version before is kept, and
    ``rollback`` restores it. A version that forecast the last periods worse, or with which a policy earns
    less in the market as it was, is kept beside and not put to use.

    Args:
        market: folder of a fitted market, or of a run, whose policies then count as given.
        panel: the latest table, whole or the new rows alone, read as the market's own was.
        depth: ``"condition"``: new rows enter the history, no weight changes; ``"settle"``: levels, seasons
            and dispersions are estimated anew; ``"refit"``: everything. Chosen by the drift tests if not
            given.
        out: another folder to put the new version in; ``market`` stays as it is.
        policies: learned policies or their files, which must earn no less.
        seed: the same seed gives the same version.
        events: what customers did since (``read_events``), or its table; of a market that was fitted on
            receipts alone they are those of ``panel``.
        progress: is informed of every stage.

    Returns:
        The market in use, what was done and why, alarms, and how the new version did.

    Raises:
        InputError: the folder holds no fitted market, the table does not carry it on, or its units or prices
            are in another unit and no depth is given.
        UnplayableError: what was learned does not simulate the table.
    """
    seed, folder, given = valid_seed(seed), *_at(market)
    if depth is not None and depth not in DEPTHS:
        raise InputError(f"depth: expected one of {', '.join(DEPTHS)}, found {depth!r:.40}")
    learned = load_policies([*given, *policies])
    clock = _Clock()
    seen, version = _watched(folder, panel)
    later = _events(fitted_panel(seen.before), panel, events)
    clock.lap("load")
    if not seen.grown.news:
        why = f"the table holds nothing that the market does not know up to {version.until}"
        why += "" if later is None else "; the events are read with the next table that does"
        return Updated(seen.before.to(device()), None, why, False, version, seen.drift, None, (), clock.laps)
    found = seen.drift
    chosen, why = _chosen(depth, seen, version)
    clock.lap("notice")
    model, trial = _learned(chosen, seen, seed, progress)
    clock.lap(chosen)
    grown = seen.grown.panel
    challenger = seen.market if chosen == "condition" else _with(seen, model)
    played = policy_trials(seen.market, challenger, learned, seed, progress) if chosen != "condition" else ()
    adopted = (trial is None or trial.passed) and all(one.passed for one in played)
    told = Version(
        number=0,
        depth=chosen,
        until=str(grown.dates[-1]),
        watched_from=version.watched_from if chosen == "condition" else grown.periods,
        why=why,
        adopted=adopted,
        alarms=tuple(_plain(alarm) for alarm in seen.alarms),
        trial=None if trial is None else {**asdict(trial), "policies": [asdict(one) for one in played]},
    )
    target = folder if out is None else Path(out)
    written = kept.publish(folder, model, grown, seen.before.economics, told, target, later, seed, progress)
    clock.lap("write")
    use = replace(challenger, customers=load_customers(target)) if adopted else seen.before
    return Updated(use.to(device()), chosen, why, adopted, written, found, trial, played, clock.laps)


def rollback(market: str | Path) -> Version:
    """Put the version that the market in a folder came from back in its place.

    Raises:
        InputError: there is none, or the folder holds no fitted market.
    """
    return kept.roll_back(_at(market)[0])


def versions(market: str | Path) -> list[Version]:
    """All versions of the market in a folder, the first one first, with their digests.

    Raises:
        InputError: the folder holds no fitted market.
    """
    return kept.versions(_at(market)[0])


def in_use(market: str | Path) -> Version:
    """The version that the market in a folder is.

    Raises:
        InputError: the folder holds no fitted market.
    """
    return kept.version_of(_at(market)[0])


class _Clock:
    """Seconds of each part of the work."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.laps[name] = round(now - self._last, 3)
        self._last = now


def _at(place: str | Path) -> tuple[Path, list[Path]]:
    """A market's folder, and the policies of the run that it is part of where the run's folder is given."""
    folder = Path(place)
    if not (folder / "market.json").is_file() and (folder / "market" / "market.json").is_file():
        return folder / "market", sorted((folder / "policies").glob("[!.]*.safetensors"))
    return folder, []


def _watched(folder: Path, panel: AnyPanel) -> tuple[Watched, Version]:
    version = kept.version_of(folder)
    market = load_market(folder)
    own = fitted_panel(market)
    latest = panel if isinstance(panel, SalesPanel) else own.reading.read(panel, otherwise=own.frequency)
    return watched(market, latest, version.watched_from), version


def _events(
    own: SalesPanel, panel: AnyPanel, events: Events | pd.DataFrame | str | Path | None
) -> Events | None:
    """What customers did since, as far as it is told."""
    if isinstance(events, Events):
        return events
    if events is not None:
        return read_events(events)
    if own.reading.busy is None or isinstance(panel, SalesPanel):
        return None
    return read_events(panel, map=own.reading.map, drop=own.reading.drop)


def _chosen(asked: str | None, seen: Watched, version: Version) -> tuple[Depth, str]:
    """How deep the update goes, and why.

    Raises:
        InputError: nobody asked for a depth, and units or prices are in another unit.
    """
    if asked is not None:
        return next(depth for depth in DEPTHS if depth == asked), "asked for"
    for alarm in seen.alarms:
        if alarm.where in ("column units", "column price") and alarm.test == "column":
            raise InputError(
                f"{alarm.where.removeprefix('column ')}: expected the unit that the market was fitted with,"
                f" found that of {alarm.date} {alarm.said}; {alarm.advice}, or give a depth if it is right"
            )
    for depth in ("refit", "settle"):
        if asking := [alarm for alarm in seen.alarms if alarm.asks == depth]:
            return depth, _told(asking)
    since = seen.grown.panel.periods - version.watched_from
    year = seen.demand.history.year
    if since >= _STALE * year:
        return "settle", f"{since} periods since levels were last settled"
    return "condition", "no alarm asks for more"


def _told(alarms: list[Alarm]) -> str:
    first = alarms[0]
    more = f", and {len(alarms) - 1} more" if len(alarms) > 1 else ""
    return f"{first.test} of {first.where}: {first.said}, since {first.since}{more}"


def _learned(depth: Depth, seen: Watched, seed: int, progress: Progress) -> tuple[DemandModel, Trial | None]:
    """The new version's model, and how what it was learned by did on the last periods, which it had not seen.

    A refit learns from all but these, and is then settled on all.
    """
    panel, model = seen.grown.panel, seen.model
    if depth == "condition":
        return model, None
    last = judged(panel)
    past = panel.window(0, panel.periods - last)
    if depth == "settle":
        trial = compared(seen.demand, resettled(model, past, progress), panel, last)
        return settled(model, panel, seed, progress), trial
    known = None if seen.before.customers is None else seen.before.customers.relations
    challenger = replace(refitted(model, past, seed, progress, device(), known), fitted=past.periods)
    trial = compared(seen.demand, challenger, panel, last)
    return settled(challenger, panel, seed, progress), trial


def _with(seen: Watched, model: DemandModel) -> Market:
    return fitted_market(model, seen.grown.panel, seen.before.economics, seen.before.name)


def _plain(alarm: Alarm) -> dict[str, Any]:
    """An alarm in JSON's types."""
    told = asdict(alarm)
    return {**told, "evidence": None if told["evidence"] == float("inf") else told["evidence"]}
