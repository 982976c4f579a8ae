"""How much is measured: in earnest, or to see that it all runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from mercato.envs.engine.running import Compiled, Runner, as_written
from mercato.envs.market import Market

from .markets import demo_market, untrained
from .timing import Effort, cores


@dataclass(frozen=True)
class Plan:
    """Sizes and patience."""

    effort: Effort = Effort()
    threads: int = field(default_factory=cores)  # of all but the engine alone and the peers
    series: int = 8192  # at least, in a batch
    closed_form: tuple[int, int] = (8, 16)  # locations × items of the shops with closed-form demand
    small: tuple[int, int] = (12, 6)  # of the one with the small Transformer: a reference panel's
    demo: Callable[[], tuple[Market, str]] = demo_market  # the market that demo fits, and its name
    runs: Mapping[str, Runner] = field(  # ways to run a step; growth is measured with the first
        default_factory=lambda: {"eager": as_written, "compiled": Compiled()}
    )
    learning: Effort = Effort(rounds=3)  # a turn is a rollout and its update
    gymnasium: int = 16  # copies in stock SB3's DummyVecEnv, which steps one after another
    by_markets: tuple[int, ...] = (1, 8, 64, 256)  # copies of the small market
    by_series: tuple[tuple[int, int], ...] = ((10, 10), (40, 25), (100, 50), (200, 100))
    streamed: tuple[int, int] = (1000, 1000)  # locations × items of a market played in parts
    part: int = 8192  # series of a part
    parts: int = 4  # of a learned market that are played
    total: int = 20_000  # series of a batch, whatever the market's size


REHEARSAL = Plan(
    effort=Effort(rounds=2, seconds=0.0),
    threads=1,
    series=144,
    closed_form=(2, 3),
    small=(3, 2),
    demo=lambda: (untrained(4, 3), "a stand-in"),
    runs={"eager": as_written},
    learning=Effort(rounds=1, seconds=0.0),
    gymnasium=2,
    by_markets=(1, 2),
    by_series=((2, 2), (4, 3)),
    streamed=(6, 5),
    part=12,
    parts=2,
    total=24,
)
