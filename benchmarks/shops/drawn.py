"""A shop drawn at random: a family of true markets, a size, economics; its market fitted without training."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

import mercato
from mercato.envs.economics import Economics
from mercato.envs.market import Market
from mercato.envs.structural import FAMILIES, Size


@dataclass(frozen=True)
class Range:
    """What is drawn, each number uniform in its range, costs log-uniform; half of the shops waste nothing."""

    locations: tuple[int, int] = (2, 6)
    items: tuple[int, int] = (2, 6)
    weeks: tuple[int, int] = (78, 130)
    lead_time: tuple[int, int] = (0, 3)
    holding_rate: tuple[float, float] = (0.002, 0.02)
    shortage_rate: tuple[float, float] = (0.03, 0.3)
    waste_rate: tuple[float, float] = (0.05, 0.5)
    waste_cost_rate: tuple[float, float] = (0.05, 0.3)


def drawn_shops(family: str, seed: int, count: int = 1, drawn: Range = Range()) -> list[Market]:
    """The market that ``mercato fit --effort zero-shot`` learns from a drawn shop's sales, under so many
    economics."""
    random = np.random.default_rng([seed, 2])
    sizes = [random.integers(*ends, endpoint=True) for ends in (drawn.locations, drawn.items, drawn.weeks)]
    size, economics = Size(*map(int, sizes)), [_economics(drawn, random) for _ in range(count)]
    with TemporaryDirectory() as folder:
        table = FAMILIES[family].write(Path(folder) / "sales.parquet", seed, size)
        market = mercato.fit(table, economics=economics[0], seed=seed, effort="zero-shot")
    names = (f"{family} {seed}, economics {k}" for k in range(1, count + 1))
    return [replace(market, name=name, economics=one) for name, one in zip(names, economics, strict=True)]


def _economics(drawn: Range, random: np.random.Generator) -> Economics:
    def between(ends: tuple[float, float]) -> float:
        low, high = np.log(ends)
        return float(np.exp(random.uniform(low, high)))

    lead_time = int(random.integers(*drawn.lead_time, endpoint=True))
    holding, shortage = between(drawn.holding_rate), between(drawn.shortage_rate)
    waste, thrown = between(drawn.waste_rate), between(drawn.waste_cost_rate)
    wastes = bool(random.random() < 0.5)
    return Economics(
        lead_time=lead_time,
        holding_rate=holding,
        shortage_rate=shortage,
        waste_rate=waste if wastes else 0.0,
        waste_cost_rate=thrown if wastes else 0.0,
        initial_cover=lead_time + 1.0,
    )
