"""Prices as a shop writes them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mercato.app.price_tags import decimals_of, rounded
from mercato.envs.economics import Economics, PriceRules
from mercato.envs.engine.rules import bounds
from mercato.envs.store import load_market
from mercato.forecasters.panel import SalesPanel
from mercato.forecasters.reading import Reading
from tests.app.conftest import MAP, sales


def panel_of(price: float, decimals: int) -> SalesPanel:
    frame = sales()
    moves = np.random.default_rng(0).uniform(0.8, 1.2, len(frame))
    return Reading(map=MAP).read(frame.assign(**{"unit price": (price * moves).round(decimals)}))


@pytest.mark.parametrize(
    ("price", "decimals", "found"),
    [(2.5, 2, 2), (2.5, 1, 2), (2.5, 3, 3), (250.0, 0, 0), (250.0, 1, 1), (4.0, 0, 2), (2.5, 9, 4)],
)
def test_the_decimals_are_those_of_the_table_or_enough(price: float, decimals: int, found: int) -> None:
    assert decimals_of(panel_of(price, decimals)) == found


@pytest.mark.parametrize(
    "rules", [PriceRules(), PriceRules(floor=0.95, ceiling=1.05), PriceRules(largest_change=0.05)]
)
def test_rounded_prices_keep_the_rules_and_the_support(home: Path, rules: PriceRules) -> None:
    market = replace(load_market(home / "market"), economics=Economics(price_rules=rules))
    terms, seeds = market.terms, torch.Generator().manual_seed(0)
    below, above = bounds(terms.reference_price, market)
    for _ in range(50):
        wanted = terms.reference_price * torch.empty(market.shape).uniform_(0.7, 1.4, generator=seeds)
        wanted = market.supported.price(wanted)
        for low in below.values():
            wanted = torch.maximum(wanted, low)
        for high in above.values():
            wanted = torch.minimum(wanted, high)
        found = rounded(wanted, terms.reference_price, market, 2)
        assert (market.supported.distance(found) <= market.supported.distance(wanted)).all()
        assert all((found >= low * (1 - 1e-4)).all() for low in below.values())
        assert all((found <= high * (1 + 1e-4)).all() for high in above.values())
        cents = found.double() * 100
        written = (cents - cents.round()).abs() < 1e-3
        assert (written | (found == wanted)).all()
        assert ((found / wanted).log().abs() < 0.03).all()


def test_an_ending_of_the_rules_stays(home: Path) -> None:
    market = replace(load_market(home / "market"), economics=Economics(price_rules=PriceRules(ending=0.995)))
    price = market.terms.reference_price.floor() + 0.995
    assert torch.equal(rounded(price, price, market, 2), price)
