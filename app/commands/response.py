"""``mercato response``: expected units of one series over its price."""

from __future__ import annotations

from pathlib import Path

from ..console import print_table, stdout
from ..output import to_json
from ..report.words import number

_EVERY = 6  # of the prices, in the table


def run(market: Path, location: str, item: str, json: bool) -> None:
    from ..series import price_response

    found = price_response(market, location, item)
    if json:
        print(to_json(found.model_dump()))
        return
    rows = [
        (number(price), number(units), f"{number(lo)} … {number(hi)}", "" if tried else "never tried")
        for price, units, lo, hi, tried in found.table[::_EVERY].itertuples(index=False)
    ]
    print_table(stdout(), found.title, ("price", "units", "elasticity's 90%", ""), rows)
