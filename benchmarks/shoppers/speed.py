"""What remembering costs: series-steps a second with customers and without, in turns (row 10)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mercato.envs.engine.running import Compiled, Runner, as_written

from ..speed.engine import rows
from ..speed.markets import copies, untrained
from ..speed.play import Game
from ..speed.timing import Effort, cores, rates
from .people import made_up, peopled

CUSTOMERS = 5000
_SHAPE, _SERIES = (12, 6), 8192
_WITHOUT, _WITH = "without customers", "5,000 customers"


def speed(quick: bool = False, threads: int | None = None) -> dict[str, Any]:
    """Rates of a market of 12 × 6 series and a small Transformer; as written alone where ``quick``."""
    runs: dict[str, Runner] = {"as written": as_written}
    if not quick:
        runs["compiled"] = Compiled()
    market = untrained(*_SHAPE)
    both = {_WITHOUT: market, _WITH: peopled(market, made_up(market, CUSTOMERS))}
    markets = copies(market, _SERIES // 8 if quick else _SERIES)
    games = {
        f"{who}, {how}": Game(one, markets, run) for how, run in runs.items() for who, one in both.items()
    }
    effort = Effort(rounds=3, seconds=0.3) if quick else Effort()
    found = rates([game.case(name, threads or cores()) for name, game in games.items()], effort)
    kept = {how: found[f"{_WITH}, {how}"].over(found[f"{_WITHOUT}, {how}"]) for how in runs}
    return {"rates": rows(found, games[f"{_WITH}, as written"].count), "kept": kept, "target": 0.5}


def speed_table(result: Mapping[str, Any]) -> str:
    """In Markdown."""
    lines = ["| market | series-steps a second | lowest … highest |", "|---|---|---|"]
    for row in result["rates"]:
        lines.append(f"| {row['name']} | {row['rate']:,.0f} | {row['lowest']:,.0f} … {row['highest']:,.0f} |")
    kept = ", ".join(f"{share:.2f} {how}" for how, share in result["kept"].items())
    return "\n".join([*lines, "", f"kept with customers: {kept}; at least {result['target']:g} is asked"])
