"""What is drawn for the benchmark of new shops, and what its table says."""

from __future__ import annotations

import numpy as np

from benchmarks.new_shops import AFTER, AT_ONCE, BEST, NEW, PPO, RULES, STATIC, TRAINED, Effort, table
from benchmarks.shops.drawn import Range, _economics


def test_no_shop_that_is_played_was_practised_in() -> None:
    effort = Effort()
    assert not {seed for _, seed in effort.school} & {seed for _, seed in effort.shops}
    assert {family for family, _ in effort.shops} - {family for family, _ in effort.school}
    assert TRAINED < NEW


def test_economics_are_drawn_within_their_ranges_and_half_waste_nothing() -> None:
    drawn, random = Range(), np.random.default_rng(0)
    shops = [_economics(drawn, random) for _ in range(400)]
    for name in ("lead_time", "holding_rate", "shortage_rate"):
        low, high = getattr(drawn, name)
        values = [getattr(shop, name) for shop in shops]
        assert low <= min(values) < max(values) <= high
    wasting = [shop.waste_rate for shop in shops if shop.waste_rate > 0]
    assert drawn.waste_rate[0] <= min(wasting) < max(wasting) <= drawn.waste_rate[1]
    assert 160 < len(wasting) < 240


def test_the_table_says_who_is_surely_ahead() -> None:
    def row(family: str, seen: bool, *at_once: float) -> dict[str, object]:
        even = (0.0, -0.01, 0.01)
        gain = {name: {BEST: even, STATIC: even} for name in (AFTER, PPO, RULES)}
        return {
            "family": family,
            "seen": seen,
            "shape": [2, 3],
            "economics": {"lead_time": 1, "waste_rate": 0.2},
            "rules": {BEST: "fluid price, base-stock", STATIC: "static price, base-stock"},
            "gain": {AT_ONCE: {BEST: at_once, STATIC: even}, **gain},
            "after a minute over PPO": even,
        }

    told = table([row("sparse", False, 0.02, 0.01, 0.03), row("log-linear", True, -0.04, -0.05, -0.03)])
    assert "| sparse (new) 2×3 | 1 | 0.20 | fluid price, base-stock | +2.00% [+1.00%, +3.00%] |" in told
    assert "at once: -1.00% of the best rule on average, worst -4.00%" in told
    assert "surely ahead in 1, surely behind in 1 of 2" in told
    assert "PPO: +0.00% of the best rule on average, worst +0.00%; surely ahead in 0" in told
