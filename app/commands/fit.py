"""``mercato fit``: from a sales table, or receipts, to a market folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...forecasters.reading import Reading
from ...forecasters.tensorboard import drawn
from ..console import Bars, stderr
from ..reading import Beside, account, account_beside, read_all


def run(
    panel: Path | None,
    out: Path,
    economics: Path | None,
    start: Path | None,
    effort: str,
    reading: Reading,
    trunk: Mapping[str, str | int | None],
    seed: int,
    tune: int,
    tensorboard: Path | None,
    experiment: Path | None,
    beside: Beside,
) -> None:
    from ...envs.economics import read_economics
    from ...envs.store import check_replaceable
    from ..api import fit
    from ..efforts import WORK

    settings = WORK[effort].settings
    asked: dict[str, Any] = {name: value for name, value in trunk.items() if value is not None}
    settings = replace(settings, trunk=replace(settings.trunk, **asked))

    console = stderr()
    shop = read_economics(economics)
    check_replaceable(out)
    table, records = read_all(panel, reading, beside)
    source = panel or beside.events or Path()
    for line in (*account(source, table), *account_beside(table, records)):
        console.print(line)
    with Bars(console) as bars:
        market = fit(
            table,
            out,
            shop,
            seed,
            model=None if start is None else str(start),
            effort=effort,
            settings=settings,
            tune=tune,
            experiment=experiment,
            events=None if records is None else records.events,
            items=None if records is None else records.items,
            relations=None if records is None else records.relations,
            progress=drawn(bars, tensorboard),
        )
    if market.customers is not None:
        found = market.customers.found
        for line in (
            (f"customers: not simulated: {found}",) if isinstance(found, str) else found.account.text()
        ):
            console.print(line)
    if shop.assumed():
        console.print(shop.assumed())
    console.print(f"wrote the market {out}; `mercato card {out}` says how far to trust it")
