"""A report with made-up numbers, as large and as awkward as a real one."""

from __future__ import annotations

from typing import Any

import numpy as np

from mercato.app.report.contents import (
    Assumption,
    Breakdown,
    Contents,
    DecisionList,
    DecisionRow,
    Forecast,
    Headline,
    Interval,
    PolicyRow,
    Response,
    Shift,
    Trajectory,
)


def interval(mean: float, half: float) -> Interval:
    return Interval(mean=mean, lo=mean - half, hi=mean + half)


def shift(change: str, gain: float) -> Shift:
    return Shift(
        change=change, versus_baseline=interval(gain, 2_100), versus_logged=interval(gain + 52_000, 4_800)
    )


def row(policy: str, profit: float, best: float, *, learned: bool = False) -> PolicyRow:
    return PolicyRow(
        policy=policy,
        learned=learned,
        profit=interval(profit, 14_200),
        revenue=profit * 3.7,
        units=profit * 1.9,
        fill_rate=0.962,
        stockout_share=0.0312,
        price_mean=0.953,
        price_sd=0.083,
        price_at_bound=0.051,
        ending_stock=1.82,
        versus_baseline=None if profit == best else interval(profit - best, 1_900),
    )


def contents() -> Contents:
    rng = np.random.default_rng(7)
    best = 412_300.0
    names = {
        "ppo": 428_900.0,
        "dqn": 419_700.0,
        "static price, base-stock": best,
        "myopic price, base-stock": 409_000.0,
        "cost-plus, base-stock": 371_500.0,
        "logged price, base-stock": 376_400.0,
        "last price, base-stock": 366_100.0,
        "last price, fixed cover": 352_900.0,
        "random": 121_000.0,
    }
    return Contents(
        title="A shop's orange juice",
        subtitle="Made-up numbers: 83 locations × 11 items × 121 weeks",
        acknowledgement="Data courtesy of nobody: every number on this page was made up for a test.",
        currency="$",
        period="week",
        horizon=26,
        episodes=64,
        seed=0,
        facts=[
            ("history", "1990-06-14 to 1992-10-01, 106,139 rows, 913 series"),
            ("demand model", "axial Transformer, 213,000 parameters, validation loss 3.21"),
            ("own elasticity", "−2.4 in the middle, −4.1 to −1.2 over the series"),
        ],
        assumptions=[
            Assumption(
                name="lead_time",
                meaning="periods from order to arrival",
                value="1",
                given=False,
                shifts=[shift("3", 9_800.0)],
            ),
            Assumption(
                name="holding_rate",
                meaning="cost of holding a unit for one period, share of unit cost",
                value="0.005",
                given=False,
                shifts=[shift("0.0025", 16_100.0), shift("0.01", 13_900.0)],
            ),
            Assumption(
                name="unmet", meaning="what happens to demand beyond the stock", value="lost", given=True
            ),
        ],
        headline=Headline(
            learned="ppo",
            baseline="static price, base-stock",
            logged="logged price, base-stock",
            versus_baseline=interval(16_600.0, 1_900.0),
            versus_logged=interval(52_500.0, 4_700.0),
            baseline_profit=best,
            logged_profit=376_400.0,
        ),
        other_customers=[
            shift("as fitted", 16_600.0),
            shift("own elasticity at the weak end", 4_200.0),
            shift("own elasticity at the strong end", 24_800.0),
            shift("substitution by constant cross elasticities", 11_300.0),
        ],
        decisions=DecisionList(
            date="1992-10-08",
            series=913,
            changed=871,
            ordered=41_200,
            gain=interval(2_310.0, 640.0),
            stock_assumed=True,
            rows=[
                DecisionRow(
                    location=place,
                    item=item,
                    current_price=2.69,
                    price=2.99,
                    order=1_240,
                    gain=interval(12.5, 4.2),
                    why="demand is not elastic enough for a margin of 31% (-1.9): a higher price earns more;"
                    " no further: prices beyond are outside the supported range; order: fills up to 2.0"
                    " periods of cover",
                )
                for place, item in (("2", "tropicana 64 oz"), ("44", "minute maid 64 oz"))
            ],
            file="decisions.csv",
        ),
        explanations=[
            Breakdown(
                title="price",
                unit="price ($ per unit)",
                ordinary_name="ordinary price",
                ordinary=2.71,
                parts=[
                    ("stock", 0.0),
                    ("tried prices", -0.21),
                    ("price response", 0.48),
                    ("calendar", 0.003),
                ],
                result_name="new price",
                result=2.99,
                reference=2.69,
                reference_name="price now",
            ),
            Breakdown(
                title="expected demand",
                unit="units per week that customers want",
                ordinary_name="ordinary week",
                ordinary=500.0,
                parts=[("its own price", 0.8), ("calendar", 1.25)],
                result_name="expected",
                result=500.0,
                multiplied=True,
            ),
        ],
        policies=[row(name, profit, best, learned=name in ("ppo", "dqn")) for name, profit in names.items()],
        forecasts=[forecast(f"location {place}, tropicana 64 oz", rng) for place in (2, 44, 112)],
        responses=[
            response(f"{item}, location 44", rng) for item in ("tropicana 64 oz", "minute maid 64 oz")
        ],
        trajectory=trajectory(rng),
        limits=["The elasticity is estimated, not known.", "Stock was never recorded: censoring is unknown."],
    )


def forecast(title: str, rng: np.random.Generator) -> Forecast:
    level = 4_000 * np.exp(0.4 * np.sin(np.arange(60) / 5) + 0.25 * rng.normal(size=60))
    units: list[float | None] = [float(value) for value in level]
    units[20] = None
    empty: list[float | None] = [None] * 48
    middle = 4_000 * np.exp(0.4 * np.sin(np.arange(48, 60) / 5))
    dates = np.datetime64("1991-08-01") + 7 * np.arange(60)
    return Forecast(
        title=title,
        dates=[str(date) for date in dates],
        units=units,
        lo=[*empty, *(0.7 * middle).tolist()],
        median=[*empty, *middle.tolist()],
        hi=[*empty, *(1.5 * middle).tolist()],
    )


def response(title: str, rng: np.random.Generator) -> Response:
    price = np.linspace(1.2, 4.2, 61)
    return Response(
        title=title,
        price=price.tolist(),
        units=(3_000 * (price / 2.6) ** -2.4).tolist(),
        lo=(3_000 * (price / 2.6) ** -2.9).tolist(),
        hi=(3_000 * (price / 2.6) ** -1.9).tolist(),
        support=(1.7, 3.4),
        reference=2.6,
        observed=np.clip(rng.normal(2.6, 0.35, size=120), 1.7, 3.4).tolist(),
    )


def trajectory(rng: np.random.Generator) -> Trajectory:
    demand = rng.poisson(2_500, size=26) * np.exp(0.3 * rng.normal(size=26))
    on_hand = np.full(26, 3_000.0)
    return Trajectory(
        title="tropicana 64 oz, location 44",
        price=np.round(2.4 + 0.3 * rng.normal(size=26), 2).tolist(),
        baseline_price=[2.55] * 26,
        on_hand=on_hand.tolist(),
        demand=demand.tolist(),
        sales=np.minimum(demand, on_hand).tolist(),
    )


def coming(places: dict[str, list[float | None]] | None = None) -> dict[str, Any]:
    """What is kept of a forecast of three shops and two items; shop ``b`` falls, ``c`` stays."""
    days = [str(day) for day in np.arange("2024-01-01", "2024-01-15", dtype="datetime64[D]")]
    series = []
    for location, lately, ahead in (("a", 10.0, 20.0), ("b", 10.0, 5.0), ("c", 10.0, 10.0)):
        for item, size in (("tea", 1.0), ("milk & <honey>", 4.0)):
            median = [ahead * size] * 4
            series.append(
                {
                    "location": location,
                    "item": item,
                    "units": [None, *[lately * size] * 9],
                    "dates": days[10:],
                    "lo": [0.5 * units for units in median],
                    "median": median,
                    "hi": [1.5 * units for units in median],
                }
            )
    return {
        "past": days[:10],
        "coming": days[10:],
        "seed": 0,
        "series": series,
        "places": places or {},
    }
