"""``mercato problem``: write a problem whose optimum is known as a market, or list them all."""

from __future__ import annotations

from pathlib import Path

from ...forecasters.errors import InputError
from ..console import print_table, stderr, stdout
from ..output import to_json


def run(name: str | None, out: Path | None, listed: bool, json: bool) -> None:
    if listed:
        show(json)
        return
    if name is None or out is None:
        found = f"{name or 'no name'} --out {out}"
        raise InputError(f"problem: expected NAME --out MARKET or --list, found {found}")
    from ...envs.problems import problem
    from ...envs.problems.optima import OPTIMA
    from ...envs.store import write_market

    chosen = problem(name)
    write_market(chosen.market(), out)
    stderr().print(
        f"wrote {out}: {chosen.about} ({chosen.source}); optimal {chosen.objective} {OPTIMA[chosen.name]:.4f}"
    )


def show(json: bool) -> None:
    """All problems, on standard output."""
    from ...envs.problems import CATALOGUE
    from ...envs.problems.optima import OPTIMA

    columns = ("problem", "optimum", "of", "source", "about")
    rows = [
        (one.name, OPTIMA[one.name], str(one.objective), one.source, one.about) for one in CATALOGUE.values()
    ]
    if json:
        print(to_json([dict(zip(columns, row, strict=True)) for row in rows]))
        return
    cells = [(name, f"{optimum:.4f}", *rest) for name, optimum, *rest, _ in rows]
    print_table(stdout(), "Problems whose optimum is known", columns[:-1], cells)
