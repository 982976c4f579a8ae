"""The verbs of one series."""

from __future__ import annotations

from typing import Annotated

import typer

from .options import Json, MarketFolder, Seed

Location = Annotated[str, typer.Option(help="Location of the series.")]
Item = Annotated[str, typer.Option(help="Item of the series.")]


def why(
    market: MarketFolder,
    location: Location,
    item: Item,
    date: Annotated[
        str | None,
        typer.Option(help="First day of a period of the table (default: the period after it)."),
    ] = None,
    json: Json = False,
) -> None:
    """Show what moves the expected demand of one series away from that of an ordinary period."""
    from .commands.why import run

    run(market, location, item, date, json)


def response(market: MarketFolder, location: Location, item: Item, json: Json = False) -> None:
    """Show the expected units of one series over its own price, and which prices were tried."""
    from .commands.response import run

    run(market, location, item, json)


def trajectory(
    market: MarketFolder,
    location: Location,
    item: Item,
    policies: Annotated[
        str, typer.Option(help="Files and names of baselines, a,b (usual, cost-plus, static-price …).")
    ] = "usual",
    horizon: Annotated[int, typer.Option(min=1, help="Periods of the episode.")] = 26,
    episode: Annotated[int, typer.Option(min=0, help="Which of the episodes of `benchmark`, from 0.")] = 0,
    json: Json = False,
    seed: Seed = 0,
) -> None:
    """Play one episode under each policy, and show the course of one series."""
    from .commands.trajectory import run

    run(market, location, item, [one for one in policies.split(",") if one], horizon, episode, json, seed)
