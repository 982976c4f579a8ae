"""What remembering costs: series-steps a second with customers and without, in turns (row 10)."""

from __future__ import annotations

from mercato.envs.engine.running import Compiled, Runner, as_written

from ..speed.engine import rows
from ..speed.markets import copies, untrained
from ..speed.play import Game
from ..speed.timing import Effort, cores, rates
from ..tables.piece import Figure, Found, Plan
from .people import made_up, peopled

CUSTOMERS, LEAST = 5000, 0.5
_SHAPE, _SERIES = (12, 6), 8192


def speed(plan: Plan) -> Found:
    """A market of 12 × 6 series and a small Transformer, on all cores; as written alone where ``quick``."""
    runs: dict[str, Runner] = {"as written": as_written}
    if not plan.quick:
        runs["compiled"] = Compiled()
    market = untrained(*_SHAPE)
    both = {"without": market, "with": peopled(market, made_up(market, CUSTOMERS))}
    markets = copies(market, _SERIES // 8 if plan.quick else _SERIES)
    games = {(who, how): Game(one, markets, run) for how, run in runs.items() for who, one in both.items()}
    effort = Effort(rounds=3, seconds=0.3) if plan.quick else Effort()
    cases = [game.case(f"{who} customers, {how}", cores()) for (who, how), game in games.items()]
    found, figures = rates(cases, effort), []
    for how in runs:
        ours, plain = (found[f"{who} customers, {how}"] for who in ("with", "without"))
        kept, said = ours.over(plain), f"{ours.value / 1e3:,.0f} k of {plain.value / 1e3:,.0f} k a second"
        name = f"series-steps kept with {CUSTOMERS:,} customers, {how}"
        figures.append(Figure(name, f"{kept:.2f} ({said})", f"≥ {LEAST:g}", kept >= LEAST))
    return Found(figures, {"rates": rows(found, games["with", "as written"].count)})
