"""What it is worth to show items and to send coupons: ranked, with what is not known of their effects."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import mercato
from mercato.envs.customers import Customers, MarketCustomers
from mercato.envs.market import Market
from mercato.forecasters.customers import Account, Lift, Segment
from mercato.forecasters.errors import InputError
from tests.app.command_line import refused
from tests.envs.regulars import regulars
from tests.envs.scenario_play import town

SEGMENTS = tuple(Segment(name, 10.0, 0.5, 0.4, 0.04, 0.2, 0.6, 0.0) for name in ("calm", "keen"))
NOTHING = Lift(0.0, 0.1, because="nobody told anybody")


def shop(showing: Lift, coupon: Lift) -> Market:
    market = town()
    account = Account({}, SEGMENTS, (), showing, coupon, NOTHING, 0.0, (), (), "")
    return replace(market, customers=MarketCustomers(Customers(regulars(market), account)))


def test_what_earns_most_comes_first_with_both_ends_of_what_is_not_known() -> None:
    market = shop(Lift(0.3, 0.2, rows=900), Lift(0.05, 0.02, rows=400))
    found = mercato.campaigns(market, slate=1, discount=0.3, episodes=4, horizon=6)
    table = found.table.set_index("campaign")
    assert list(table["gain"]) == sorted(table["gain"], reverse=True)
    assert len(table) == 8  # five recommenders; coupons to all, to the calm and to the keen
    assert table.index[0].startswith("show 1 by")
    assert table.index[-1] == "30% coupon to all"
    assert (table["least"] < table["gain"]).all()
    assert (table["gain"] < table["most"]).all()
    assert (table["gain_lo"] <= table["gain"]).all()
    assert found.profit > 0
    assert found.showing.rows == 900


def test_an_effect_that_is_known_has_no_ends() -> None:
    known = Lift(0.3, 0.0, rows=10**6)
    found = mercato.campaigns(shop(known, known), slate=1, episodes=3, horizon=4).table
    assert list(found["least"]) == pytest.approx(list(found["gain"]))
    assert list(found["most"]) == pytest.approx(list(found["gain"]))


def test_a_slate_is_as_long_as_there_are_items_and_ends_are_in_order_where_all_is_given_away() -> None:
    market = shop(Lift(0.3, 0.2, rows=900), Lift(0.05, 0.02, rows=400))
    found = mercato.campaigns(market, slate=100, discount=1.0, episodes=3, horizon=4).table
    table = found.set_index("campaign")
    assert f"show {len(market.items)} by popular" in table.index
    given = table.loc["100% coupon to all"]
    assert given["least"] < given["gain"] < given["most"] < 0


def test_what_cannot_be_is_refused_in_a_line(tmp_path: Path) -> None:
    market = shop(NOTHING, NOTHING)
    with pytest.raises(InputError, match="expected a share, 0 to 1, found"):
        mercato.campaigns(market, discount=1.5)
    with pytest.raises(InputError, match="slate: expected a whole number, 1 to 1000, found 0"):
        mercato.campaigns(market, slate=0)
    with pytest.raises(InputError, match="expected a market with customers"):
        mercato.campaigns(town(), episodes=2, horizon=2)
    assert "expected" in refused("customers", "campaigns", tmp_path / "nowhere")
