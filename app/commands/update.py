"""``mercato update``: a market takes in the latest sales."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from ..console import Bars, print_table, stderr, stdout
from ..output import to_json
from ..reading import Beside, account_events
from .drift import show, told


def run(
    market: Path,
    panel: Path,
    depth: str | None,
    out: Path | None,
    policies: list[Path],
    beside: Beside,
    json: bool,
    seed: int,
) -> None:
    from ..updating.api import update

    console, events = stderr(), beside.read()
    for line in () if events is None else account_events(events):
        console.print(line)
    with Bars(console) as bars:
        done = update(market, panel, depth, out, policies, seed, events=events, progress=bars)
    if json:
        print(
            to_json(
                {
                    "version": asdict(done.version),
                    "depth": done.depth,
                    "why": done.why,
                    "adopted": done.adopted,
                    "drift": told(done.drift),
                    "trial": done.trial and asdict(done.trial),
                    "policies": [asdict(one) for one in done.policies],
                    "seconds": done.seconds,
                }
            )
        )
    for note in done.drift.notes:
        console.print(note)
    if done.drift.alarms:
        show(done.drift, console)
    if done.depth is None:
        console.print(done.why)
        return
    console.print(f"depth {done.depth}: {done.why}")
    for trial in (done.trial, *done.policies):
        if trial is not None:
            console.print(str(trial))
    version, place = done.version, out or market
    if done.adopted:
        console.print(
            f"{place} is now version {version.number}, up to {version.until}, digest {version.digest[:12]};"
            f" `mercato update --rollback {place}` goes back"
        )
    else:
        console.print(
            f"version {version.number} did worse and is kept beside, not in use; {market} stays as it was"
        )


def roll_back(market: Path, json: bool) -> None:
    from ..updating.api import rollback

    back = rollback(market)
    if json:
        print(to_json(asdict(back)))
    stderr().print(f"{market} is version {back.number} again, up to {back.until}, digest {back.digest[:12]}")


def list_versions(market: Path, json: bool) -> None:
    from ..updating.api import in_use, versions

    found, used = versions(market), in_use(market)
    if json:
        print(to_json({"in_use": used.number, "versions": [asdict(one) for one in found]}))
        return
    rows = [
        (
            str(one.number),
            one.depth,
            one.until,
            "in use" if one.digest == used.digest else "kept" if one.adopted else "rejected",
            one.digest[:12],
            one.why,
        )
        for one in found
    ]
    print_table(stdout(), f"versions of {market}", ("version", "depth", "up to", "", "digest", "why"), rows)
