"""Price tests: planned, read, learned from; and what decisions earned."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import mercato
from mercato.forecasters.experiments import Finding, Findings, plan_of
from mercato.forecasters.store import load_model, save_model
from mercato.forecasters.update import depths
from tests.app.command_line import mercato as command
from tests.app.command_line import refused, result
from tests.app.conftest import MAP, sales

OWN, USUAL, DAYS = -1.8, {"espresso": (40, 3.0), "flat white": (25, 4.0), "mocha": (12, 4.5)}, 28


@pytest.fixture(scope="module")
def market(home: Path) -> mercato.Market:
    return mercato.load_market(home / "market")


def designed(home: Path, out: Path, *more: object) -> dict[str, Any]:
    given = ["experiment", "design", home / "market", "--periods", DAYS, "--budget", 60, "--out", out]
    return result(*given, *more, "--json")


def sold(prices: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """The café's table, carried on at prices (date, item, price)."""
    rng = np.random.default_rng(seed)
    base, usual = np.array([USUAL[item] for item in prices["item"]]).T
    more = pd.DataFrame(
        {
            "day": pd.to_datetime(prices["date"]),
            "sku": prices["item"],
            "shop": "corner",
            "qty": rng.poisson(base * (prices["price"] / usual) ** OWN),
            "unit price": prices["price"],
        }
    )
    return pd.concat([sales(), more])


def test_a_test_is_planned_within_the_tried_prices_and_its_budget(
    home: Path, market: mercato.Market, tmp_path: Path
) -> None:
    told = designed(home, tmp_path / "plan.csv")
    rows = pd.read_csv(tmp_path / "plan.csv")
    assert told["cost"]["mean"] <= 60
    assert (told["from"], told["to"]) == ("2023-05-02", "2023-05-29")
    assert len(rows) == DAYS * told["series"]
    for number, item in enumerate(market.items):
        prices = rows.loc[rows["item"] == item, "price"]
        assert prices.min() >= float(market.terms.price_low[0, number]) - 1e-3
        assert prices.max() <= float(market.terms.price_high[0, number]) + 1e-3
        np.testing.assert_allclose(prices, prices.round(2))  # as the table writes them
    assert all(row["after"] < row["before"] for row in told["items"])
    designed(home, tmp_path / "again.csv")
    assert (tmp_path / "again.csv").read_bytes() == (tmp_path / "plan.csv").read_bytes()
    designed(home, tmp_path / "other.csv", "--seed", 1)
    assert (tmp_path / "other.csv").read_bytes() != (tmp_path / "plan.csv").read_bytes()


def test_a_larger_budget_tells_more(home: Path) -> None:
    few, many = (mercato.design_experiment(home / "market", 8, budget) for budget in (2.0, 200.0))
    assert many.power.nats > few.power.nats
    assert many.cost > few.cost


def test_price_rules_bind_a_test(market: mercato.Market) -> None:
    def ruled(**rules: float) -> mercato.Market:
        told = market.economics.model_copy(update={"price_rules": mercato.PriceRules(**rules)})
        return replace(market, economics=told)

    with pytest.raises(mercato.InputError, match="rules hold them"):
        mercato.design_experiment(ruled(cadence=30), 12, 100.0)
    with pytest.raises(mercato.InputError, match="block: expected the 30 periods"):
        mercato.design_experiment(ruled(cadence=30), 12, 100.0, block=3)
    plan = mercato.design_experiment(ruled(largest_change=0.05), 12, 100.0, block=3).plan
    assert (np.bincount(plan.block) == 3).all()
    with np.errstate(invalid="ignore"):
        assert np.nanmax(plan.high / plan.low) <= 1.05 + 1e-6


def test_what_came_back_is_read_and_learned_from(home: Path, market: mercato.Market, tmp_path: Path) -> None:
    plan, panel, out = (tmp_path / name for name in ("plan.csv", "sales.csv", "reading.json"))
    designed(home, plan)
    sold(pd.read_csv(plan)).to_csv(panel, index=False)
    given = ["experiment", "read", home / "market", "--plan", plan, "--panel", panel]
    told = result(*given, "--out", out, "--json")
    assert {row["item"] for row in told["table"]} == set(pd.read_csv(plan)["item"])
    for row in told["table"]:
        assert row["compliance"] == pytest.approx(1, abs=0.05)
        assert abs(row["elasticity"] - OWN) < 4 * row["error"]
        least, most = sorted((row["fitted"], row["elasticity"]))
        assert least - 1e-6 <= row["together"] <= most + 1e-6
    assert "elasticity" in command(*given).stdout
    assert Findings.load(out).items[0].item in market.items


def test_a_fit_hears_of_a_test(market: mercato.Market) -> None:
    finding = Finding("espresso", -4.0, 0.05, -4.1, -3.9, 84, 1.0, {"corner": 1.0})
    test = Findings("2023-04-01", "2023-04-20", (finding,))
    assert market.panel is not None
    settings = mercato.FitSettings(training=market.demand.model.settings.training)  # type: ignore[attr-defined]
    heard = mercato.fit(market.panel, settings=settings, model="scratch", experiment=test)
    own = heard.demand.elasticities.own[0]  # type: ignore[attr-defined]
    assert float(own[heard.items.index("espresso")]) == pytest.approx(-4.0, abs=0.2)


def test_a_refit_hears_of_it_again(
    market: mercato.Market, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finding = Finding("espresso", -4.0, 0.05, -4.1, -3.9, 84, 1.0, {"corner": 1.0})
    test = Findings("2023-04-01", "2023-04-20", (finding,))
    model = replace(market.demand.model, test=test)  # type: ignore[attr-defined]
    save_model(model, tmp_path)
    assert (loaded := load_model(tmp_path)).test == test
    heard: dict[str, Any] = {}
    monkeypatch.setattr(depths, "fit_demand", lambda *given, **told: heard.update(told) or model)
    monkeypatch.setattr(depths, "anchored_to_forecast", lambda found, *_: found)
    assert depths.refitted(loaded, market.panel).test == test  # type: ignore[arg-type]
    assert heard["test"] == test


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda f: f.assign(price=f["price"] + 0.5), "no longer random"),
        (lambda f: f.assign(location="elsewhere"), "expected locations of the market, found 'elsewhere'"),
        (lambda f: f.assign(date="soon"), "expected dates such as 2024-01-31"),
    ],
)
def test_a_plan_that_was_changed_is_refused(home: Path, tmp_path: Path, change: object, said: str) -> None:
    plan = tmp_path / "plan.csv"
    designed(home, plan)
    change(pd.read_csv(plan)).to_csv(plan, index=False)  # type: ignore[operator]
    given = ["experiment", "read", home / "market", "--plan", plan, "--panel", home / "sales.csv"]
    assert said in refused(*given)


def test_wrong_use_is_said(home: Path, tmp_path: Path) -> None:
    design = ["experiment", "design", home / "market", "--periods", 8, "--out", tmp_path / "plan.csv"]
    assert "budget: expected an amount of money above 0" in refused(*design, "--budget", 0)
    assert "expected items of the market" in refused(*design, "--budget", 9, "--items", "tea")
    plan = tmp_path / "plan.csv"
    designed(home, plan)
    read = ["experiment", "read", home / "market", "--plan", plan, "--panel", home / "sales.csv"]
    assert "expected sales from 2023-05-02 to 2023-05-29, found a table up to 2023-05-01" in refused(*read)
    with pytest.raises(mercato.InputError, match="expected a file that `mercato experiment read` wrote"):
        mercato.fit(sales().rename(columns={theirs: ours for ours, theirs in MAP.items()}), experiment=plan)


def decisions(price: float) -> pd.DataFrame:
    rows = [("2023-05-02", "corner", item, usual * price) for item, (_, usual) in USUAL.items()]
    return pd.DataFrame(rows, columns=["date", "location", "item", "price"])


def test_what_decisions_earned_is_told_with_its_interval(home: Path, tmp_path: Path) -> None:
    """Prices 15% above the usual, of customers whose elasticity is known: the truth lies in the interval."""
    decided, panel = tmp_path / "decisions.csv", tmp_path / "sales.csv"
    rows = decisions(1.15)
    rows.to_csv(decided, index=False)
    days = pd.date_range("2023-05-02", periods=DAYS).astype(str)
    charged = pd.concat([rows.assign(date=day) for day in days])
    sold(charged).to_csv(panel, index=False)
    given = ["evaluate", home / "market", "--decisions", decided, "--panel", panel]
    told = result(*given, "--json")
    true = DAYS * sum(base * usual * ((1.15 - 0.7) * 1.15**OWN - (1 - 0.7)) for base, usual in USUAL.values())
    assert told["gain"]["lo"] < true < told["gain"]["hi"]
    assert (told["rows"], told["followed"]) == (3 * DAYS, 1.0)
    later = result(*given, "--since", "2023-05-16", "--json")
    assert later["rows"] == 3 * (DAYS - 14)
    assert "90% interval" in command(*given).stdout
    usual = tmp_path / "usual.csv"
    decisions(1.15).drop(columns="date").to_csv(usual, index=False)
    same = result(*given, "--against", usual, "--json")
    assert same["gain"]["mean"] == pytest.approx(0, abs=1e-2)
    assert "expected reference, last-year or a file" in refused(*given, "--against", "yesterday")
    assert "expected some in force between" in refused(*given, "--since", "2024-01-01")
    assert "expected locations without decisions" in refused(*given, "--held-out", "corner")


def test_plans_and_frames_are_the_same_to_python(market: mercato.Market) -> None:
    plan = mercato.design_experiment(market, DAYS, 60.0).plan
    table = sold(plan.frame())
    one = mercato.read_experiment(market, plan, table).table
    two = mercato.read_experiment(market, plan.frame(), table).table
    pd.testing.assert_frame_equal(one, two)
    np.testing.assert_array_equal(plan_of(plan.frame(), market.locations, market.items).price, plan.price)
