"""The verbs of price tests."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import Json, MarketFolder, Seed
from .verbs import app, verb

experiment = typer.Typer(no_args_is_help=True)
app.add_typer(experiment, name="experiment", help="Design a price test, and read what came back.")


def _names(text: str | None) -> list[str] | None:
    """Names that a comma parts."""
    return None if text is None else [one.strip() for one in text.split(",") if one.strip()]


def design(
    market: MarketFolder,
    periods: Annotated[int, typer.Option(min=1, help="Periods of the test, after the market's table.")],
    budget: Annotated[float, typer.Option(help="Profit that it may forgo against the usual prices.")],
    out: Annotated[Path, typer.Option(help="Plan to write, CSV: a price a date, location and item.")],
    locations: Annotated[
        str | None, typer.Option(help="Where it may run, a,b,c (default: everywhere).")
    ] = None,
    items: Annotated[str | None, typer.Option(help="What may be tested, a,b,c (default: all items).")] = None,
    block: Annotated[
        int | None,
        typer.Option(min=1, help="Periods that a price stays; as many as --periods: between locations only."),
    ] = None,
    json: Json = False,
    seed: Seed = 0,
) -> None:
    """Plan which prices to try, where and when, to learn most about own-price responses for a cost."""
    from .commands.experiment import design

    design(market, periods, budget, _names(locations), _names(items), block, out, json, seed)


def read(
    market: MarketFolder,
    plan: Annotated[Path, typer.Option(help="Plan that `mercato experiment design` wrote.")],
    panel: Annotated[Path, typer.Option(help="Sales table with the periods of the test.")],
    out: Annotated[
        Path | None, typer.Option(help="Reading to write, JSON, for `mercato fit --experiment`.")
    ] = None,
    json: Json = False,
) -> None:
    """Estimate own elasticities from the sales of a test, by the draw that set its prices."""
    from .commands.experiment import read

    read(market, plan, panel, out, json)


for _one in (design, read):
    verb(_one, experiment)


@verb
def evaluate(
    market: MarketFolder,
    decisions: Annotated[
        Path, typer.Option(help="Decisions that were released, CSV: date, location, item[, price].")
    ],
    panel: Annotated[Path, typer.Option(help="Sales table that covers them.")],
    since: Annotated[
        str | None, typer.Option(help="First day that counts (default: that of the first decision).")
    ] = None,
    held_out: Annotated[str | None, typer.Option(help="Locations that had no decisions, a,b,c.")] = None,
    against: Annotated[
        str, typer.Option(help="reference, last-year, or a CSV of a stated policy's prices.")
    ] = "reference",
    json: Json = False,
    seed: Seed = 0,
) -> None:
    """Show what released decisions earned, against what would have been earned without them."""
    from .commands.evaluate import run

    run(market, decisions, panel, since, _names(held_out) or [], against, json, seed)
