"""Commands that keep a fitted market true: `update` and `drift`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..forecasters.errors import InputError
from .options import EventsMap, Json, MarketFolder, Seed, UpdateDepth
from .reading import parse_beside

LatestTable = typer.Option(
    "--panel", help="Latest sales table, whole or the new rows alone, with the columns of the fitted one."
)


def update(
    market: MarketFolder,
    panel: Annotated[Path | None, LatestTable] = None,
    depth: Annotated[
        UpdateDepth | None,
        typer.Option(
            help="condition: new rows enter the history; settle: levels, seasons and spreads are estimated"
            " anew; refit: everything (default: as drift asks for)."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder to put the new version in (default: MARKET itself).")
    ] = None,
    policy: Annotated[
        list[Path] | None, typer.Option(help="Policy that must earn no less. Repeatable.", metavar="POLICY")
    ] = None,
    events: Annotated[
        Path | None, typer.Option("--events", help="What customers did since, whole or the new rows alone.")
    ] = None,
    map_events: EventsMap = [],  # noqa: B006 (typer never mutates it)
    rollback: Annotated[
        bool, typer.Option("--rollback", help="Put the version before back in its place.")
    ] = False,
    versions: Annotated[
        bool, typer.Option("--versions", help="List all versions with their digests.")
    ] = False,
    json: Json = False,
    seed: Seed = 0,
) -> None:
    """Let a market take in the latest sales, as deep as its drift asks for, if that makes it no worse."""
    from .commands.update import list_versions, roll_back, run

    if (panel is not None) + rollback + versions != 1:
        raise InputError("update: expected one of --panel, --rollback and --versions, found none or several")
    if events is not None and panel is None:
        raise InputError("--events: expected --panel, whose customers they are of, found none")
    if rollback:
        roll_back(market, json)
    elif versions:
        list_versions(market, json)
    elif panel is not None:
        beside = parse_beside(events, None, None, map_events)
        run(market, panel, None if depth is None else depth.value, out, policy or [], beside, json, seed)


def drift(market: MarketFolder, panel: Annotated[Path, LatestTable], json: Json = False) -> None:
    """Test whether a market is still as it was learned: level, calibration, price response, input columns."""
    from .commands.drift import run

    run(market, panel, json)
