"""Decisions and expectations in parts: they sum, and name what made the difference."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import mercato
from mercato.agents.baselines.orders import FixedCover
from mercato.agents.baselines.prices import CostPlus, LastPrice
from mercato.agents.explanation import GROUPS
from mercato.agents.policy import Pair, PriceRule
from mercato.app.expectation import EXPECTED, ORDINARY
from mercato.app.explained import RULES, drivers_of, parts_of, written
from mercato.envs.engine.view import View
from tests.app.conftest import sales
from tests.app.test_cli import mercato as command
from tests.app.test_cli import refused, result


@pytest.fixture(scope="module")
def market(home: Path) -> mercato.Market:
    return mercato.load_market(home / "market")


@dataclass(frozen=True)
class ByElasticity:
    """A price that only the own elasticity moves."""

    def price(self, view: View) -> torch.Tensor:
        return 3.0 - 0.1 * view.outlook.elasticity


def decided(market: mercato.Market, pricing: PriceRule, stock: pd.DataFrame | None = None) -> pd.DataFrame:
    policy = Pair("of the test", pricing, FixedCover(2.0))
    return mercato.decide(market, policy, sales(), stock, explain=True).rows


def moved(rows: pd.DataFrame, what: str) -> set[str]:
    """The groups that move some price or order by more than a thousandth."""
    return {
        name
        for _, row in rows.iterrows()
        for name, part in parts_of(row, what).items()
        if abs(part) > 1e-3 and name != RULES
    }


def test_the_parts_of_a_decision_sum_to_it_exactly(home: Path) -> None:
    plain = mercato.decide(home / "market", home / "ppo.safetensors", sales())
    found = mercato.decide(home / "market", home / "ppo.safetensors", sales(), explain=True)
    pd.testing.assert_frame_equal(found.rows[plain.rows.columns], plain.rows)
    for _, row in found.rows.iterrows():
        for what in ("price", "order"):
            parts = parts_of(row, what)
            assert list(parts) == [*GROUPS, RULES]
            assert row[f"ordinary_{what}"] + sum(parts.values()) == pytest.approx(row[what], abs=1e-9)
        assert abs(parts_of(row, "price")[RULES]) < 0.011  # no rule binds: the table's cents


def test_a_policy_is_explained_by_what_it_reads(market: mercato.Market) -> None:
    assert moved(decided(market, LastPrice()), "price") == {"prices before"}
    assert moved(decided(market, ByElasticity()), "price") == {"price response"}
    by_cost = decided(market, CostPlus(0.9))
    assert moved(by_cost, "price") <= {"tried prices"}  # costs are the same share of every price here
    assert {"stock", "past demand"} <= moved(by_cost, "order")


def test_the_ordinary_price_is_the_mean_of_those_before(market: mercato.Market) -> None:
    rows = decided(market, LastPrice()).set_index("item")
    charged = sales().groupby("sku")["unit price"]
    assert ((rows["ordinary_price"] > charged.min()) & (rows["ordinary_price"] < charged.max())).all()
    beyond = rows["current_price"] - rows["ordinary_price"]
    np.testing.assert_allclose(rows["price + prices before"], beyond, atol=1e-3)


def test_dearer_units_are_named_where_they_make_the_price(market: mercato.Market) -> None:
    cost = market.terms.unit_cost.clone()
    cost[0, 0] *= 1.2
    dear = replace(market, terms=replace(market.terms, unit_cost=cost))
    rows = decided(dear, CostPlus(0.55)).set_index("item")
    assert rows.loc["espresso", "price + unit costs"] > 0.1
    assert rows.loc["mocha", "price + unit costs"] == pytest.approx(0, abs=1e-5)


def test_more_stock_is_named_where_it_makes_the_order_smaller(market: mercato.Market) -> None:
    parts = []
    for units in (10, 30):
        stock = pd.DataFrame({"location": "corner", "item": ["espresso"], "on_hand": [units]})
        rows = decided(market, LastPrice(), stock).set_index("item")
        parts.append(parts_of(rows.loc["espresso"], "order"))
    assert parts[1]["stock"] < parts[0]["stock"] - 5
    assert parts[1]["past demand"] == pytest.approx(parts[0]["past demand"], abs=3)


def test_the_command_writes_the_parts(home: Path, tmp_path: Path, market: mercato.Market) -> None:
    out = tmp_path / "decisions.csv"
    given = ["decide", home / "market", home / "ppo.safetensors", "--panel", home / "sales.csv", "--out", out]
    assert command(*given, "--explain").exit_code == 0
    rows = pd.read_csv(out)
    parts = [name for name in rows.columns if name.startswith("order + ")]
    np.testing.assert_allclose(rows["ordinary_order"] + rows[parts].sum(axis=1), rows["order"], atol=1e-6)


@pytest.mark.parametrize("date", [None, "2023-03-20"])
def test_expected_demand_goes_from_the_ordinary_step_by_step(
    home: Path, market: mercato.Market, date: str | None
) -> None:
    steps = mercato.why(market, "corner", "espresso", date)
    assert steps["step"].iloc[0] == ORDINARY
    assert steps["step"].iloc[-1] == EXPECTED
    units = steps["units"].to_numpy()
    np.testing.assert_allclose(units[1:-1], units[0] * steps["times"].iloc[1:-1].cumprod())
    assert units[-2] == pytest.approx(units[-1], rel=1e-3)
    given = ["why", home / "market", "--location", "corner", "--item", "espresso"]
    given += [] if date is None else ["--date", date]
    told = result(*given, "--json")
    assert [row["units"] for row in told] == pytest.approx(units)
    shown = command(*given).stdout
    assert "its own past demand" in shown
    assert ORDINARY in shown


def test_what_cannot_be_explained_is_said(home: Path) -> None:
    market = home / "market"
    assert "expected a location of the market (corner), found 'Corner'; did you mean 'corner'?" in refused(
        "why", market, "--location", "Corner", "--item", "espresso"
    )
    given = ["why", market, "--location", "corner", "--item"]
    assert "expected an item of the market" in refused(*given, "tea")
    assert "date: expected the first day of a period from 2023-01-03 to 2023-05-01" in refused(
        *given, "espresso", "--date", "2023-01-02"
    )


def test_drivers_sum_to_the_change_exactly_and_as_they_are_written(home: Path) -> None:
    rows = mercato.decide(home / "market", home / "ppo.safetensors", sales(), explain=True).rows
    for _, row in rows.iterrows():
        change = row["price"] - row["current_price"]
        assert sum(drivers_of(row).values()) == pytest.approx(change, abs=1e-9)
        head, _, told = row["drivers"].partition("): ")
        assert f"{row['current_price']:.2f} → {row['price']:.2f} ({change:+.2f}" in head
        shown = [float(part.rsplit(" ", 1)[1]) for part in told.split(", ")]
        assert sum(shown) == pytest.approx(round(change, 2), abs=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_parts_are_written_so_that_they_sum_to_what_is_written(seed: int) -> None:
    parts = {str(n): x for n, x in enumerate(np.random.default_rng(seed).normal(0, 0.02, 7))}
    steps = written(parts, 2)
    assert sum(steps.values()) == round(sum(parts.values()) * 100)
    assert all(abs(steps[name] - parts[name] * 100) < 1 for name in parts)


def test_the_rule_that_binds_is_named_among_the_drivers(market: mercato.Market) -> None:
    rules = market.economics.model_copy(update={"price_rules": mercato.PriceRules(largest_change=0.02)})
    rows = decided(replace(market, economics=rules), CostPlus(1.3))
    assert rows["drivers"].str.contains(r"price rules and rounding \(largest change\)").any()
