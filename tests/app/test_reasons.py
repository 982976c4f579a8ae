"""Why a decision is what it is: each rule on made-up numbers, and what the market gives them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mercato.agents.learned import LearnedPolicy
from mercato.app.decisions import decide
from mercato.app.reasons import TRIED, Known, why
from mercato.envs.economics import Economics, PriceRules
from mercato.envs.store import load_market, load_panel

# a price cut of 5% for a demand of elasticity -2.4 at a margin of 60%, stock for one period of the two
CUT = Known(
    current=2.0,
    price=1.9,
    wanted=1.9,
    elasticity=-2.4,
    margin=0.6,
    gain=3.0,
    gain_lo=1.0,
    own_gain=2.0,
    earns=40.0,
    dearer=-0.5,
    cheaper=0.4,
    demand=20.0,
    demand_before=18.0,
    at_hand=40.0,
    position=20.0,
    order=25.0,
    lasts=2,
)
KEPT = replace(CUT, price=2.0, wanted=2.0, gain=0.0, gain_lo=0.0, own_gain=0.0)
DEARER = replace(CUT, price=2.1, wanted=2.1, elasticity=-0.7, margin=0.4)


@pytest.mark.parametrize(
    ("known", "changes", "said"),
    [
        (CUT, {}, "demand is elastic here (-2.4): a lower price earns more"),
        (CUT, {"margin": 0.3}, "a lower price earns more (elasticity -2.4, margin 30%)"),
        (
            CUT,
            {"own_gain": -1.0},
            "other items of the location gain more than this one loses: a lower price earns more",
        ),
        (CUT, {"gain_lo": -1.0}, "demand is elastic here (-2.4): a lower price earns more; gain not certain"),
        (
            CUT,
            {"below": {"floor": 1.9}},
            "demand is elastic here (-2.4): a lower price earns more; no further: price rule binds: floor",
        ),
        (
            CUT,
            {"below": {TRIED: 1.9}},
            "demand is elastic here (-2.4): a lower price earns more; no further: prices beyond are"
            " outside the supported range",
        ),
        (CUT, {"below": {"floor": 1.5}}, "demand is elastic here (-2.4): a lower price earns more"),
        (CUT, {"gain": -1.0}, "no gain in this one period: the policy weighs later ones too"),
        (
            CUT,
            {"gain": -1.0, "position": 120.0},
            "no gain in this one period: the policy weighs later ones too; stock high: 6.0 periods of cover",
        ),
        (CUT, {"gain": -1.0, "above": {"ceiling": 1.9}}, "price rule binds: ceiling"),
        (CUT, {"above": {"ceiling": 1.9}, "below": {TRIED: 1.9}}, "price rule binds: ceiling"),
        (CUT, {"gain": -1.0, "above": {TRIED: 1.9}}, "moved back into the supported range"),
        (DEARER, {}, "demand is inelastic here (-0.7): a higher price earns more"),
        (
            DEARER,
            {"elasticity": -2.0},
            "demand is not elastic enough for a margin of 40% (-2.0): a higher price earns more",
        ),
        (DEARER, {"elasticity": -3.0}, "a higher price earns more (elasticity -3.0, margin 40%)"),
        (
            DEARER,
            {"at_hand": 10.0},
            "stock low, 10 for 18 wanted at the old price: a higher price earns more",
        ),
        (KEPT, {"cheaper": 0.01}, "kept: about the best price here (elasticity -2.4, margin 60%)"),
        (KEPT, {"below": {TRIED: 2.0}}, "kept: prices beyond are outside the supported range"),
        (KEPT, {"below": {"minimum margin": 2.0}}, "kept: price rule binds: minimum margin"),
        (
            KEPT,
            {"above": {"ceiling": 2.0}},  # not where the money is
            "kept, though a lower price would earn more in this one period",
        ),
        (KEPT, {"held": True}, "kept: price rule binds: cadence"),
        (KEPT, {"ending": 0.99, "wanted": 1.8}, "kept: 1.80 was wanted, prices must end in .99"),
    ],
)
def test_a_price_has_the_reason_that_holds(known: Known, changes: dict[str, Any], said: str) -> None:
    price, _, order = why(replace(known, **changes)).rpartition("; ")
    assert price == said
    assert order.startswith("order: ")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "order: stock covers 1.0 of the 2 periods that it must last"),
        ({"position": 39.5}, "order: fills up to 3.2 periods of cover"),
        ({"position": 50.0}, "order: fills up to 3.8 periods of cover"),
        ({"order": 0.0, "position": 120.0}, "no order: stock covers 6.0 periods"),
        ({"order": 0.0, "demand": 0.0}, "no order: stock covers more than 99 periods"),
        ({"order": 0.0, "room": 0.0}, "no order: no room for more"),
        ({"room": 25.4}, "order: as much as there is room for"),
    ],
)
def test_an_order_has_the_reason_that_holds(changes: dict[str, Any], said: str) -> None:
    assert why(replace(CUT, **changes)).rpartition("; ")[2] == said


@pytest.mark.parametrize(
    ("economics", "said"),
    [
        (Economics(price_rules=PriceRules(floor=1.5)), "price rule binds: floor"),
        (Economics(price_rules=PriceRules(ceiling=0.8)), "price rule binds: ceiling"),
        (Economics(price_rules=PriceRules(minimum_margin=0.5)), "price rule binds: minimum margin"),
        (Economics(price_rules=PriceRules(cadence=1000)), "kept: price rule binds: cadence"),
        (Economics(capacity=1.0, initial_cover=2.0), "no order: no room for more"),
        (Economics(initial_cover=500.0), "no order: stock covers more than 99 periods"),
        (Economics(initial_cover=0.0, decide="price"), "no order: order rule binds: no orders"),
        (Economics(initial_cover=0.0, largest_order=0.01), "order: order rule binds: largest order"),
    ],
)
def test_what_binds_in_a_market_is_said_of_every_series(home: Path, economics: Economics, said: str) -> None:
    market = replace(load_market(home / "market"), economics=economics)
    policy, panel = LearnedPolicy.load(home / "ppo.safetensors"), load_panel(home / "market")
    rows = decide(market, policy, panel, None, None, 0).rows
    assert rows["why"].str.contains(said, regex=False).all(), list(rows["why"])
