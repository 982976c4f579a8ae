"""What customers are shown is more demand for it, by those who are shown it, and for nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from mercato.envs.customers import Customers, MarketCustomers
from mercato.envs.market import Market
from mercato.envs.scenarios import Scenario
from mercato.envs.settings_file import Fault
from mercato.forecasters.customers import Account, Lift
from tests.envs.regulars import regulars
from tests.envs.scenario_play import town

TOLD = Lift(0.2, 0.05, rows=900)
ACCOUNT = Account({}, (), (), TOLD, Lift(0.4, 0.1, rows=300), 0.5, (), (), "")


@pytest.fixture
def market() -> Market:
    plain = town()
    return replace(plain, customers=MarketCustomers(Customers(regulars(plain), ACCOUNT)))


def shown(market: Market, **fields: object) -> torch.Tensor:
    """(S, I) multiple of demand in the first period."""
    return Scenario.model_validate({"recommendation": fields, "horizon": 4}).plan(market).demand[0]


def test_showing_everything_multiplies_everything_by_what_events_told(market: Market) -> None:
    everything = len(market.items)
    torch.testing.assert_close(shown(market, slate=everything), torch.full(market.shape, TOLD.mean).exp())
    stated = shown(market, slate=everything, effect=0.5)
    torch.testing.assert_close(stated, torch.full(market.shape, 0.5))


def test_what_is_pushed_is_shown_to_all_and_the_others_to_none(market: Market) -> None:
    multiple = shown(market, push=market.items[1], slate=1, effect=1.5)
    torch.testing.assert_close(multiple[:, 1], torch.full((market.shape[0],), 1.5))
    assert (multiple[:, [0, *range(2, market.shape[1])]] == 1).all()


def test_personal_slates_reach_more_demand_than_popular_ones(market: Market) -> None:
    assert market.customers is not None
    sold = market.customers.known().population.mass.sum((1, 2))
    personal, popular = (
        float((shown(market, by=by, slate=1, effect=2.0) * sold).sum())
        for by in ("personal frequency", "popular")
    )
    assert personal > popular > float(sold.sum())


def test_a_market_without_customers_and_a_strange_item_are_refused(market: Market) -> None:
    with pytest.raises(Fault, match="expected a market with customers"):
        shown(replace(market, customers=None))
    with pytest.raises(Fault, match="push"):
        shown(market, push="nothing")


def test_seeding_reaches_those_who_are_told_and_needs_somebody_who_tells(market: Market) -> None:
    def seeded(where: Market, **fields: object) -> torch.Tensor:
        return Scenario.model_validate({"seeding": fields, "horizon": 4}).plan(where).demand[0]

    expected = 1 + 0.2 * 0.5 * (torch.tensor(0.4).exp() - 1)  # a fifth of customers, each tells half of one
    torch.testing.assert_close(seeded(market, share=0.2), expected.expand(market.shape))
    assert (seeded(market, share=0.2, effect=1.0) == 1).all()
    alone = replace(
        market, customers=MarketCustomers(Customers(regulars(market), replace(ACCOUNT, told=0.0)))
    )
    with pytest.raises(Fault, match="expected customers who told others"):
        seeded(alone, share=0.2)
