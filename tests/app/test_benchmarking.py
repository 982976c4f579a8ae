"""What the rules of a shop bind and cost, in the comparison of policies and in its words."""

from __future__ import annotations

import pytest
import torch

import mercato
from mercato.agents.baselines.orders import FixedCover
from mercato.agents.baselines.prices import CostPlus
from mercato.agents.policy import Pair
from mercato.app.benchmarking import Benchmark, compare
from mercato.app.headline import headline, rails
from mercato.app.report import answer
from mercato.envs.economics import Economics
from mercato.envs.market import Market
from mercato.envs.problems.problem import plain_market
from mercato.envs.processes import Independent, Poisson

RULES = {"floor": 0.5, "ceiling": 1.2}
PRICES = {"dear": 1.5, "cheap": 1.0}  # one of them above the ceiling


def shop(**economics) -> Market:
    one = torch.ones(2, 1)
    demand = Independent(Poisson(), 10.0 * one, reference_price=one, elasticity=-one[:1])
    return plain_market("shop", demand, Economics(**economics), unit_cost=0.5, low=0.5, high=2.0)


def played(market: Market) -> Benchmark:
    """A policy that charges much against one that charges little."""
    policies = [Pair(name, CostPlus(price / 0.5 - 1), FixedCover(4.0)) for name, price in PRICES.items()]
    return compare(market, policies[:1], policies[1:], episodes=4, horizon=5, seed=0)


@pytest.fixture(scope="module")
def found() -> Benchmark:
    return played(shop(price_rules=RULES, order_budget=1000.0))


def test_a_shop_without_rules_is_played_once() -> None:
    assert "rules" not in played(shop()).payload()


def test_the_rules_are_counted_and_their_cost_is_that_of_the_same_policy_without_them(
    found: Benchmark,
) -> None:
    told = found.payload()
    often = {(row["policy"], row["rule"]): row["bound"] for row in told["rules"]}
    assert often["dear", "ceiling"] == 1.0
    assert set(often.values()) == {0.0, 1.0}
    assert sum(often.values()) == 1.0
    cost = {row["policy"]: row for row in told["without_rules"]}
    assert cost["cheap"]["diff_lo"] == cost["cheap"]["diff_mean"] == cost["cheap"]["diff_hi"] == 0.0
    free = played(shop()).payload()["policies"]
    (alone,), (ruled,) = (
        [row for row in rows if row["policy"] == "dear"] for rows in (free, told["policies"])
    )
    assert cost["dear"]["diff_mean"] == pytest.approx(alone["profit_mean"] - ruled["profit_mean"])
    header, rows = answer.rules(told)
    assert header == ("policy", "floor", "ceiling", "order budget", "profit without them", "95% interval")
    assert rows[0][:4] == ("dear", "0.0%", "100.0%", "0.0%")


def test_a_rule_that_looks_ahead_is_played_where_that_is_cheap_or_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    base = Pair("cost-plus, fixed cover", CostPlus(1.0), FixedCover(2.0))
    monkeypatch.setattr("mercato.app.api.tune_baselines", lambda *_, **__: [base])

    def names(market: Market, rolling: bool | None = None) -> tuple[str, ...]:
        return mercato.benchmark(market, episodes=2, horizon=2, rolling=rolling).evaluation.names

    assert names(shop()) == (base.name, f"rolling horizon, {base.name}")
    assert names(shop(), rolling=False) == (base.name,)
    monkeypatch.setattr("mercato.app.api.affordable", lambda _: False)
    assert names(shop()) == (base.name,)
    assert len(names(shop(), rolling=True)) == 2


def test_the_report_lifts_each_rule_alone_and_all_together(found: Benchmark) -> None:
    line = headline(found)
    told = {rail.rule: rail for rail in rails(found, line, episodes=6)}
    assert list(told) == ["floor", "ceiling", "order budget", "all of them"]
    assert told["ceiling"].bound == {"dear": 1.0, "cheap": 0.0}
    assert told["ceiling"].lifted == told["all of them"].lifted
    assert told["ceiling"].lifted["dear"].mean > 0
    assert told["floor"].lifted["dear"].mean == told["floor"].lifted["dear"].hi == 0.0
    assert any("ceiling 100%" in reason for reason in line.reasons)
    assert rails(played(shop()), line, episodes=2) == []
