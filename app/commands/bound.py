"""``mercato bound``: what prices that move with the stock are worth at most, before anything is trained."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..console import print_table, stdout
from ..output import to_json
from ..report.words import number, percent
from ..runtime import open_market

if TYPE_CHECKING:
    from ...agents.optimal import Bound

_LITTLE = 0.01  # share of profit below which a learner has hardly anything to find in prices that move


def run(market: Path, economics: Path | None, json: bool, seed: int) -> None:
    from ...agents.optimal import bound_of, typical_series
    from ...envs.economics import read_economics

    shop = open_market(market)
    terms = shop.economics if economics is None else read_economics(economics)
    found = bound_of(typical_series(shop, seed), terms)
    if json:
        print(to_json(told(found)))
    else:
        show(found)


def told(found: Bound) -> dict[str, Any]:
    """What ``--json`` prints."""
    typical = {name: value for name, value in asdict(found.typical).items() if name != "curve"}
    return {
        "typical": {**typical, "curve": found.typical.curve.__name__.replace("_", " ")},
        "season": found.season,
        "static": found.static * found.typical.price,
        "static_price": found.static_price,
        "dynamic": found.dynamic * found.typical.price,
        "gain": found.gain,
        "notes": list(found.notes),
    }


def show(found: Bound) -> None:
    """The typical series, the two profits, and what follows, on standard output."""
    typical, console = found.typical, stdout()
    console.print(
        f"A typical series: {number(typical.mean)} units a period, give or take {percent(typical.spread)};"
        f" elasticity {typical.elasticity:.1f}; unit cost {percent(typical.unit_cost)} of the reference"
        f" price, prices from {percent(typical.low)} to {percent(typical.high)} of it"
    )
    span = "period" if found.season is None else f"season of {found.season} periods"
    gain = f"{found.gain:+.2%}" if found.static > 0 else ""
    rows = [
        (f"best price that stays, {percent(found.static_price)}", number(found.static * typical.price), ""),
        ("best prices, whatever the stock", number(found.dynamic * typical.price), gain),
    ]
    print_table(console, f"With the best orders at each, profit per {span}", ("", "profit", "gain"), rows)
    console.print()
    for note in found.notes:
        console.print(f"note: {note}")
    console.print(conclusion(found))


def conclusion(found: Bound) -> str:
    """What to expect of a policy whose prices move with the stock."""
    if not found.static > 0:
        return "No price that stays earns anything here: look at costs and the range of prices first."
    if found.gain < _LITTLE:
        return (
            f"Prices that move with the stock add at most {found.gain:.2%}: find the best price that stays,"
            " and look to orders."
        )
    return f"Prices that move with the stock add up to {found.gain:.1%}: worth a policy that decides both."
