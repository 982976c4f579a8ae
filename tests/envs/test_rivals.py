"""Competitors: a price that the table recorded, and one that a policy sets in a shop of its own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from scenario_play import EPISODES, HORIZON, each, expectations, market, plan, play

from mercato.agents.baselines.orders import BaseStock
from mercato.agents.baselines.prices import LastPrice
from mercato.agents.policy import Pair
from mercato.envs.economics import Economics
from mercato.envs.engine.types import Decision
from mercato.envs.engine.view import View
from mercato.envs.market import Market
from mercato.envs.processes.shopkeeper import Shopkeeper, ShopkeeperState
from mercato.envs.scenarios import Plan, read_scenarios
from mercato.envs.scenarios.played import Played
from mercato.forecasters.errors import InputError
from mercato.forecasters.panel.sales_panel import Covariate, SalesPanel
from tests.agents.shops import shop


@dataclass(frozen=True)
class Steps:
    """Charges 2, 1.5 and 1 times the reference price, in turn; orders plenty."""

    name: str = "steps"

    def decide(self, view: View) -> Decision:
        times = torch.tensor([2.0, 1.5, 1.0])[view.state.age % 3].view(-1, 1, 1)
        price = times * view.market.terms.reference_price
        return Decision(price, torch.full_like(price, 100.0))


@dataclass(frozen=True)
class Follows:
    """Charges what its own competitor, which is this shop, last charged."""

    name: str = "follows"

    def decide(self, view: View) -> Decision:
        price = view.market.terms.reference_price * view.state.demand.rival
        return Decision(price, torch.full_like(price, 100.0))


def with_rival(policy: Any, where: Market | None = None, **fields: Any) -> Plan:
    scenario = {"horizon": HORIZON, "competitor": {"policy": "mine", "elasticity": 1.0, **fields}}
    (asked,) = read_scenarios(scenario)
    return asked.with_rivals({"mine": policy}).plan(where or market())


def test_a_policy_sets_the_competitors_price_in_each_period() -> None:
    ratio = expectations(with_rival(Steps())) / expectations(plan({"demand": 1}))
    for t, times in enumerate([2, 1.5, 1, 2, 1.5, 1, 2, 1.5]):
        torch.testing.assert_close(ratio[t], torch.full_like(ratio[t], times))
    part = expectations(with_rival(Steps(), items="item 1", locations="shop 2", window=[2, 3]))
    ratio = part / expectations(plan({"demand": 1}))
    assert ratio[1, 0, 2].tolist() == pytest.approx([1, 1.5])
    ratio[1:3, :, 2, 1] = 1
    assert ratio.unique().tolist() == [1]


def test_the_competitor_keeps_the_rules_of_the_shop_and_knows_its_last_price() -> None:
    bound = shop([[-2.0]], base=40.0, economics=Economics(price_rules={"ceiling": 1.2}))  # type: ignore[arg-type]
    highest = expectations(with_rival(Steps(), bound)) / expectations(plan({"demand": 1}, bound))
    assert highest.max() < 2
    ratio = expectations(with_rival(Follows()), 1.3) / expectations(plan({"demand": 1}), 1.3)
    torch.testing.assert_close(ratio[1:], torch.full_like(ratio[1:], 1.3))


def test_the_competitors_customers_are_its_own_and_compare_with_the_shops_prices() -> None:
    def sold(price: float) -> torch.Tensor:
        made = with_rival(Steps())
        game = Played(made, EPISODES, seed=0)
        state = game.reset(torch.arange(EPISODES))
        charged = (price * made.market.terms.reference_price).expand_as(state.on_hand)
        orders, shop_sales, rival_sales = torch.full_like(charged, 100.0), [], []
        for t in range(HORIZON):
            state, outcome = game.step(state, Decision(charged, orders), t)
            shop_sales.append(outcome.demand.sum())
            rival: ShopkeeperState = state.demand.rival
            rival_sales.append(rival.shop.last_sales.sum())
        assert shop_sales != rival_sales
        return torch.stack(rival_sales)

    dear, cheap = sold(1.2), sold(1.0)
    assert float(dear.sum() / cheap.sum()) == pytest.approx(1.2, rel=0.03)


def test_a_competitor_with_a_policy_can_be_cut_and_its_policy_has_to_be_given() -> None:
    made = with_rival(Steps())
    part = made.competitors[0].before(made.market.terms.reference_price, made.market.demand, 0)
    cut = part.select(["shop 1"], ["item 0"])
    assert isinstance(cut.rival, Shopkeeper)  # type: ignore[attr-defined]
    assert cut.rival.market.shape == (1, 1)  # type: ignore[attr-defined]
    with pytest.raises(InputError, match=r"competitor.policy: expected one of the policies given \(none\)"):
        plan({"competitor": {"policy": "mine"}})
    with pytest.raises(InputError, match="expected undercut, a policy, or a price of its own"):
        plan({"competitor": {"policy": "mine", "fixed": 0.9}})


def test_a_rule_of_the_shop_can_run_the_competitor() -> None:
    usual = Pair("last price", LastPrice(), BaseStock())
    same = each(play(with_rival(usual))[0], "demand")
    base = each(play(plan({"demand": 1}))[0], "demand")
    logged = market().charged_before
    assert logged is not None  # it stays at what the table says of the period before
    assert 0.9 < float(same.sum() / base.sum()) < 1.1
    assert not torch.equal(same, base)


def recorded(where: Market, prices: np.ndarray, role: Any = "exogenous") -> Market:
    """The market with a table that has the competitor's ``prices`` (T, S·I)."""
    (places, goods), numbers = where.shape, np.ones_like(prices)
    panel = SalesPanel(
        dates=where.dates,
        frequency=where.frequency,
        locations=where.locations,
        items=where.items,
        series=np.array([(s, i) for s in range(places) for i in range(goods)]),
        units=numbers,
        price=numbers,
        censored=0 * numbers,
        covariates=(Covariate("competitor_price", role, prices),),
    )
    return replace(where, panel=panel)


def test_a_competitor_charges_what_the_table_says_of_the_date() -> None:
    prices = np.full((60, 6), 2.0, dtype=np.float32)
    prices[10:12] = 1.0
    prices[20] = np.nan  # unknown: as before
    prices[:, 5] = np.nan  # never known: as usual
    where = recorded(market(), prices)
    scenario: dict[str, Any] = {"start": "2020-03-09", "competitor": {"historical": True, "elasticity": 0.5}}
    made = plan(scenario, where)
    ratio = expectations(made) / expectations(plan({"start": "2020-03-09", "demand": 1}, where))
    usual = (58 * 2 + 2 * 1) / 60
    assert made.start == 9
    for t, price in enumerate([2, 1, 1, 2, 2, 2, 2, 2]):
        torch.testing.assert_close(ratio[t, :, 0], torch.full_like(ratio[t, :, 0], (price / usual) ** 0.5))
        assert ratio[t, :, 2, 1].unique().tolist() == [1]
    assert "the stated elasticity comes on top" in "".join(made.notes)
    dear = {**scenario, "competitor": {"historical": True, "elasticity": 0.5, "fixed": 1.1}}
    more = expectations(plan(dear, where)) / expectations(made)
    torch.testing.assert_close(more, torch.full_like(more, 1.1**0.5))
    dropped = plan(scenario, recorded(market(), prices, "past"))
    assert dropped.notes == ("assumed: a cross elasticity to the competitor's price of 0.5",)


def test_after_the_table_a_competitor_charges_what_it_did_a_year_before() -> None:
    prices = np.linspace(1, 2, 60, dtype=np.float32).reshape(-1, 1).repeat(6, 1)
    where = recorded(market(), prices)
    scenario = {"start": "2021-03-01", "competitor": {"historical": True, "elasticity": 1.0}}
    ratio = expectations(plan(scenario, where)) / expectations(
        plan({"start": "2021-03-01", "demand": 1}, where)
    )
    told = torch.from_numpy(prices[8 : 8 + HORIZON, 0] / prices.mean())
    torch.testing.assert_close(ratio[:, 0, 0, 0], told, rtol=1e-4, atol=0)


def test_without_a_record_there_is_no_historical_competitor() -> None:
    with pytest.raises(
        InputError, match=r"competitor.historical: expected a market whose table has a column"
    ):
        plan({"competitor": {"historical": True}})
