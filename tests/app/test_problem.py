"""``mercato problem``: problems with a known optimum as markets that every command takes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.app.command_line import mercato


def test_the_list_tells_optimum_and_source() -> None:
    rows = {row["problem"]: row for row in json.loads(mercato("problem", "--list", "--json").stdout)}
    row = rows["lost-sales/poisson-L4-p4"]
    assert round(row["optimum"], 2) == 4.73  # Zipkin 2008, table 3
    assert "Zipkin 2008" in row["source"]
    assert "lost-sales/poisson-L4-p4" in mercato("problem", "--list").stdout


def test_a_problem_is_a_market_that_policies_are_compared_in(tmp_path: Path) -> None:
    market = tmp_path / "market"
    outcome = mercato("problem", "lost-sales/poisson-L1-p4", "--out", market)
    assert outcome.exit_code == 0, outcome.stderr
    assert "optimal cost per period 4.0407" in " ".join(outcome.stderr.split())
    outcome = mercato("benchmark", market, "--episodes", 4, "--horizon", 30, "--json")
    assert outcome.exit_code == 0, outcome.stderr
    best = max(row["profit_mean"] for row in json.loads(outcome.stdout)["policies"])
    assert -30 * 20 < best < -30 * 4.0407 * 0.5


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "expected NAME --out MARKET or --list"),
        (["lost-sales/poisson-L1-p4"], "expected NAME --out MARKET or --list"),
        (["lost-sales/poisson", "--out", "x"], "expected a problem of"),
    ],
)
def test_what_is_no_problem_is_one_line(arguments: list[str], said: str) -> None:
    outcome = mercato("problem", *arguments)
    assert outcome.exit_code == 2
    assert said in outcome.stderr


def test_the_bound_says_what_moving_prices_is_worth(tmp_path: Path) -> None:
    market = tmp_path / "market"
    mercato("problem", "lost-sales/poisson-L1-p4", "--out", market)
    found = json.loads(mercato("bound", market, "--json").stdout)
    assert found["gain"] is None  # its price is the unit cost
    said = " ".join(mercato("bound", market).stdout.split())
    assert "A typical series: 5 units a period" in said
    assert "No price that stays earns anything here" in said
