"""The card: its verdict on made-up numbers, its moments on series that anyone can compute, and a real one."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mercato.app.card.simulated import moments
from mercato.app.card.verdict import item_responses, verdict
from mercato.app.report.card import render_card
from mercato.app.report.words import diagnosis
from mercato.envs.store import load_market, load_panel
from mercato.forecasters.reading import Reading
from tests.app.conftest import MAP, sales


def made_up(**changes: Any) -> dict[str, Any]:
    """What a verdict reads of a card on which everything is well."""
    items = ("cola", "tea", "water")
    card: dict[str, Any] = {
        "frequency": "W",
        "data": {"rows": 3000, "periods": 150, "years": 2.9, "stocked_out": 0.1},
        "elasticity": {
            "own": [
                {"location": place, "item": item, "mean": -2.0, "lo": -2.3, "hi": -1.7}
                for place in ("north", "south")
                for item in items
            ],
            "cross": [],
            "weakest": -0.05,
        },
        "together": {
            "categories": [
                {"category": "drinks", "multiple": m, "mean": 1 - m, "lo": 1 - m - 0.03, "hi": 1 - m + 0.03}
                for m in (0.9, 1.1)
            ]
        },
        "identification": {
            "instrument": "wholesale",
            "confounded": False,
            "items": [{"item": item, "prior_only": False} for item in items],
        },
        "support": [
            {"location": place, "item": item, "reference": 2.0, "low": 1.7, "high": 2.2}
            for place in ("north", "south")
            for item in items
        ],
        "fit": {"validation_loss": 3.0, "overfit": 0.85},
        "backtest": {
            "horizon": 8,
            "windows": 3,
            "bias": 0.02,
            "models": {
                "simulated market": {"wql": 0.2, "coverage80": 0.79},
                "last value": {"wql": 0.4, "coverage80": 0.9},
            },
        },
        "calibration": {
            "rows": 1000,
            "distance": 0.02,
            "chance": 0.04,
            "coverage": [{"level": level, "share": level} for level in (0.5, 0.8, 0.95)],
            "histogram": [0.1] * 10,
        },
        "simulated": {
            "stretch": 26,
            "stretches": [{"real": 1000.0, "simulated": 1020.0}, {"real": 1200.0, "simulated": 1100.0}],
            "measures": [
                {"measure": "mean", "real": 20.0, "simulated": 20.2},
                {"measure": "variance", "real": 50.0, "simulated": 52.0},
                {"measure": "autocorrelation", "real": 0.2, "simulated": 0.25},
                {"measure": "correlation_locations", "real": 0.8, "simulated": 0.7},
                {"measure": "correlation_items", "real": None, "simulated": None},
            ],
        },
    }
    return {**card, **changes}


def with_own(card: dict[str, Any], item: str, **ends: float) -> dict[str, Any]:
    changed = copy.deepcopy(card)
    for row in changed["elasticity"]["own"]:
        if row["item"] == item:
            row.update(ends)
    return changed


def test_a_card_without_a_flaw_is_trusted_within_what_was_tried() -> None:
    said = verdict(made_up())
    assert said["trust"].startswith(
        "Price changes within 0.85× … 1.10× of the usual price on every item"
        " (elasticity known to ±0.30 or better);"
    )
    assert "forecast 2% too high" in said["trust"]
    assert "80% intervals contained 80%" in said["trust"]
    assert said["distrust"] == "Prices that were never tried."
    assert said["help"].startswith("More data of the same kind")


@pytest.mark.parametrize(
    ("ends", "state", "words"),
    [
        ({"lo": -3.0, "hi": -1.0}, "vague", "the price response of tea (known to ±1.00 or worse)"),
        ({"lo": -0.3, "hi": -0.05}, "near zero", "tea (cannot be distinguished from no response)"),
    ],
)
def test_an_item_that_is_not_known_is_named_and_worth_a_trial(
    ends: dict[str, float], state: str, words: str
) -> None:
    card = with_own(made_up(), "tea", **ends)
    assert [item.state for item in item_responses(card)] == ["known", state, "known"]
    said = verdict(card)
    assert "on 2 of 3 items" in said["trust"]
    assert words.lower() in said["distrust"].lower()
    assert said["help"] == "Small deliberate price changes on tea."


def test_a_category_whose_answer_to_a_list_is_vague_is_named() -> None:
    card = made_up()
    assert "price lists like those of the past in drinks" in verdict(card)["trust"]
    card["together"]["categories"][1].update(lo=-0.4, hi=0.1)
    said = verdict(card)
    assert "price lists" not in said["trust"]
    assert "changing all prices of drinks together (change single prices only)" in said["distrust"].lower()


def test_a_price_that_never_moved_leaves_an_assumption() -> None:
    card = made_up()
    card["identification"]["items"] = [{"item": i, "prior_only": True} for i in ("cola", "tea", "water")]
    said = verdict(card)
    assert "price changes" not in said["trust"].lower()
    assert "cola, tea, water (the price never changed, so the value is an assumption)" in said["distrust"]


def test_without_a_shifter_nobody_can_tell_what_is_hidden() -> None:
    card = made_up(identification={**made_up()["identification"], "instrument": None})
    said = verdict(card)
    assert "without a cost shifter this cannot be checked" in said["distrust"]
    assert said["help"].startswith("A cost column declared as a cost shifter")


def test_prices_learned_by_heart_void_the_price_response() -> None:
    said = verdict(made_up(fit={"validation_loss": 3.0, "overfit": 0.47}))
    assert "price changes" not in said["trust"].lower()
    assert said["distrust"].startswith("Any elasticity")
    assert "price changes" in verdict(made_up(fit={"validation_loss": 3.0, "overfit": None}))["trust"].lower()


def test_a_biased_level_is_not_to_be_trusted() -> None:
    said = verdict(made_up(backtest={**made_up()["backtest"], "bias": -0.19}))
    assert "how much sells" not in said["trust"]
    assert (
        "the level of sales (total of the held-out periods forecast 19% too low)" in said["distrust"].lower()
    )


def test_a_simple_forecaster_that_does_better_is_said() -> None:
    card = made_up()
    card["backtest"]["models"]["last value"]["wql"] = 0.1
    said = verdict(card)
    assert "how much sells" not in said["trust"]
    assert "a simple forecaster did better" in said["distrust"]


def test_intervals_that_hold_too_little_are_said() -> None:
    card = made_up()
    card["backtest"]["models"]["simulated market"]["coverage80"] = 0.61
    assert "up to 8 weeks ahead (80% intervals contained 61%)" in verdict(card)["distrust"]


@pytest.mark.parametrize(
    ("histogram", "words"),
    [
        ([0.3, 0.2, 0.1, 0.1, 0.1, 0.05, 0.05, 0.05, 0.05, 0.0], "forecasts are too high"),
        ([0.0, 0.05, 0.05, 0.05, 0.05, 0.1, 0.1, 0.1, 0.2, 0.3], "forecasts are too low"),
        ([0.2, 0.1, 0.05, 0.05, 0.1, 0.1, 0.05, 0.05, 0.1, 0.2], "intervals are too narrow"),
        ([0.0, 0.05, 0.15, 0.15, 0.15, 0.15, 0.15, 0.15, 0.05, 0.0], "intervals are too wide"),
    ],
)
def test_what_is_wrong_with_the_chances_is_said(histogram: list[float], words: str) -> None:
    off = {**made_up()["calibration"], "distance": 0.2, "histogram": histogram}
    said = verdict(made_up(calibration=off))
    assert f"one week ahead ({words};" in said["distrust"]
    assert "one week ahead" not in said["trust"]


def test_miscalibration_counts_only_beyond_chance() -> None:
    off = {**made_up()["calibration"], "distance": 0.09}
    assert "distance from calibration 0.09" in verdict(made_up(calibration=off))["distrust"]
    few = {**off, "rows": 100, "chance": 0.136}
    assert "distance from calibration" not in verdict(made_up(calibration=few))["distrust"]


@pytest.mark.parametrize(
    ("number", "simulated", "words"),
    [
        (0, 17.4, "level 13% too low"),
        (1, 70.0, "variance over time 40% too high"),
        (2, 0.45, "autocorrelation 0.45 instead of 0.20"),
        (3, 0.4, "correlation of locations 0.40 instead of 0.80"),
    ],
)
def test_a_market_that_does_not_behave_like_the_real_one(number: int, simulated: float, words: str) -> None:
    card = made_up()
    card["simulated"]["measures"][number]["simulated"] = simulated
    said = verdict(card)
    assert f"simulated runs of 26 weeks ({words})" in said["distrust"].replace("Simulated", "simulated")
    assert "runs of 26 weeks" not in said["trust"]


def test_a_drift_does_not_hide_in_the_mean() -> None:
    card = made_up()
    card["simulated"]["stretches"][1]["simulated"] = 1500.0
    assert "(level of one segment 25% too high)" in verdict(card)["distrust"]


def test_a_table_too_short_to_hold_out_says_so() -> None:
    data = {"rows": 30, "periods": 10, "years": 0.2, "stocked_out": 0.0}
    said = verdict(made_up(backtest=None, calibration=None, data=data))
    assert "too short to hold out periods" in said["distrust"]
    assert "a record of stock-outs" in said["help"].lower()
    assert "no season is seen twice in 0.2 years" in said["help"]


def test_moments_of_series_that_anyone_can_compute() -> None:
    wave = np.array([0.0, 2.0, 0.0, 2.0, 0.0, 2.0])
    found = moments(np.stack([wave, wave, 2 * wave], axis=1), np.zeros(6, dtype=bool))
    assert found["mean"] == pytest.approx(4 / 3)
    assert found["variance"] == pytest.approx((1 + 1 + 4) / 3)
    assert found["zero_share"] == pytest.approx(0.5)
    assert found["autocorrelation"] == pytest.approx(-1)
    assert found["correlation"] == pytest.approx(1)


def test_moments_are_those_of_numpy() -> None:
    units = np.random.default_rng(3).normal(5, 2, (500, 4)) + np.random.default_rng(4).normal(0, 2, (500, 1))
    found = moments(units, np.zeros(500, dtype=bool))
    correlation = np.corrcoef(units.T)
    assert found["variance"] == pytest.approx(units.var(axis=0).mean())
    assert found["correlation"] == pytest.approx((correlation.sum() - 4) / 12)


def test_moments_skip_what_was_not_observed_and_do_not_reach_across_a_restart() -> None:
    units = np.array([[1.0], [3.0], [1.0], [3.0]])
    restart = np.array([True, False, True, False])
    assert moments(units, restart)["autocorrelation"] == pytest.approx(-1)
    units[2:] = np.nan
    found = moments(units, restart)
    assert (found["mean"], found["variance"]) == (2.0, 1.0)
    nothing = moments(np.full((4, 2), np.nan), restart)
    assert all(np.isnan(value) for value in nothing.values())


def test_the_card_of_a_fitted_market_holds_out_its_last_periods(card: dict[str, Any]) -> None:
    held = card["backtest"]["horizon"] * card["backtest"]["windows"]
    assert card["backtest"]["from"] == card["calibration"]["from"]
    assert card["calibration"]["rows"] == 3 * held  # three drinks, every day observed
    assert sum(card["calibration"]["histogram"]) == pytest.approx(1)
    assert [row["level"] for row in card["calibration"]["coverage"]] == [0.5, 0.8, 0.95]
    assert set(card["backtest"]["models"]) >= {"simulated market", "last value", "seasonal naive"}


def test_the_card_replays_the_whole_history(card: dict[str, Any], home: Path) -> None:
    told, panel = card["simulated"], load_panel(home / "market")
    first = load_market(home / "market").first_start
    units = np.nan_to_num(panel.units[first:])
    assert [row["real"] for row in told["totals"]] == pytest.approx(units.sum(axis=1).tolist())
    begun = [number for number, row in enumerate(told["totals"]) if row["restart"]]
    assert begun[0] == 0
    assert max(np.diff([*begun, len(told["totals"])])) == told["stretch"] <= 26
    by_item = {row["item"]: row["real"]["mean"] for row in told["by_item"]}
    assert by_item["espresso"] == pytest.approx(np.nanmean(panel.units[first:, 0]))
    whole = next(row for row in told["measures"] if row["measure"] == "mean")
    assert whole["real"] == pytest.approx(told["by_location"][0]["real"]["mean"])
    assert whole["lo"] <= whole["simulated"] <= whole["hi"]
    joint = {row["measure"]: row["real"] for row in told["measures"]}
    assert joint["correlation_locations"] is None  # one shop
    assert joint["correlation_items"] == pytest.approx(joint["correlation"])


def test_the_card_tells_the_cleaning_of_the_table_that_was_fitted(card: dict[str, Any], home: Path) -> None:
    """Not of the stored one, whose unknown rows are empty."""
    read = Reading(map=MAP).read(home / "sales.csv").report
    assert card["cleaning"]["notes"] == list(read.notes)
    assert card["cleaning"]["rows_read"] == len(sales())


def test_the_page_shows_the_verdict_first_and_stands_alone(card: dict[str, Any]) -> None:
    page = render_card(card)
    titles = [
        "Trust it for",
        "Own elasticities",
        "How the elasticities were identified",
        "Prices that were tried",
        "Calibration",
        "Backtest",
        "Simulated against real sales",
        "What was dropped, and why",
        "Economics",
    ]
    assert [page.index(title) for title in titles] == sorted(page.index(title) for title in titles)
    assert page.count("data:image/svg+xml") == 4
    assert "http" not in page.replace("http://www.w3.org", "")
    assert "None" not in page
    assert "nan" not in page.lower().replace("finance", "")


def test_a_card_of_a_short_table_is_still_a_page(card: dict[str, Any]) -> None:
    short = {**card, "backtest": None, "calibration": None}
    assert render_card(short).count("too short to hold out periods") >= 2


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"instrument": None, "confounded": None, "gap": None, "gap_error": None}, "cannot tell"),
        ({"confounded": True, "gap": -0.88, "gap_error": 0.03}, "something hidden"),
        ({"gap": 0.3, "gap_error": 0.6}, "too little to tell"),
        ({"gap": 0.04, "gap_error": 0.06}, "agree"),
    ],
)
def test_the_diagnosis_says_what_a_shifter_tells(changes: dict[str, Any], says: str) -> None:
    found = {
        "instrument": "wholesale",
        "confounded": False,
        "learned_from": ["price", "wholesale"],
        "terms": ["chain"],
        "items": [],
    }
    lines = diagnosis(found | changes)
    assert says in lines[1]
    assert "price, wholesale" in lines[0]
    assert "all locations at once" in lines[0]
