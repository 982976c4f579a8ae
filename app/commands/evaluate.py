"""``mercato evaluate``: what released decisions earned."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..console import stderr, stdout
from ..output import to_json
from ..report.words import number, percent, signed


def run(
    market: Path,
    decisions: Path,
    panel: Path,
    since: str | None,
    held_out: Sequence[str],
    against: str,
    json: bool,
    seed: int,
) -> None:
    from ..experiment.api import evaluate

    found = evaluate(market, decisions, panel, since, held_out=held_out, against=against, seed=seed)
    console = stderr()
    if json:
        print(to_json(found.payload()))
    else:
        money, out = found.currency, stdout()
        followed = "" if found.followed is None else f", {percent(found.followed)} charged as decided"
        out.print(f"{found.first} to {found.last}: {found.rows} rows with a decision in force{followed}")
        out.print(f"earned {number(found.earned)} {money}")
        gains = {f"over {found.against}, by the market": found.gain}
        if found.held_out is not None:
            gains["over locations without decisions"] = found.held_out
        for name, gain in gains.items():
            out.print(
                f"{name}: {signed(gain.mean)} {money}, 90% interval {signed(gain.lo)} … {signed(gain.hi)}"
            )
    for note in found.notes:
        console.print(f"note: {note}")
