"""What a market card rests on, as tables of words: the same in the card's file and on the local page."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median
from typing import Any

from . import customers, words
from .sheet import Sheet

_STRONGEST = 10  # cross elasticities that are shown


def sheets(card: dict[str, Any]) -> Iterator[Sheet]:
    """All of them, in the order of the card."""
    parts = (own, together, cross, identification, support, calibration, backtest, simulated)
    yield from (sheet for part in parts if (sheet := part(card)) is not None)
    if card.get("customers"):
        yield from customers.sheets(card["customers"])


def subtitle(card: dict[str, Any]) -> str:
    """What the market was fitted on."""
    return (
        f"{words.count(card['locations'], 'location')} × {words.count(card['items'], 'item')},"
        f" {card['data']['rows']:,} rows over {card['data']['periods']}"
        f" {words.period_name(card['frequency'])}s, {card['from']} to {card['to']}"
    )


def own(card: dict[str, Any]) -> Sheet:
    rows = [
        [item, words.two(mean), f"{words.two(lo)} … {words.two(hi)}", _range(means)]
        for item, mean, lo, hi, means in words.own_by_item(card["elasticity"]["own"])
    ]
    return Sheet(
        "Own elasticities",
        ("item", "own elasticity", "90% interval", "range over locations"),
        rows,
        (
            "By what percent demand changes if the price rises by one percent: a dot for every series of an"
            " item, a bar for the 90% interval of its median location. The table shows the median location.",
        ),
    )


def together(card: dict[str, Any]) -> Sheet:
    found = card["together"]
    rows = [
        [
            row["category"],
            f"{row['multiple']:.1f} ×",
            f"{_change(row['mean'])} [{_change(row['lo'])}, {_change(row['hi'])}]",
            f"{row['diversion']:.2f}",
            "–" if row["tried"] is None else f"{row['tried'][0]:.2f} … {row['tried'][1]:.2f}",
        ]
        for row in found["categories"]
    ]
    about = (
        f"Substitution follows {found['form']} (weight of the evidence {found['odds']:.2f}). Diversion is the"
        " share of an item's new customers who come from other items of its category. The index tried is the"
        " range of the category's mean price multiple in the last year, around its mean."
    )
    header = ("category", "all of its prices", "its units, 90% interval", "diversion", "index tried")
    return Sheet("If all prices of a category change together", header, rows, (about,))


def cross(card: dict[str, Any]) -> Sheet | None:
    strong = sorted(card["elasticity"]["cross"], key=lambda row: -abs(row["mean"]))[:_STRONGEST]
    rows = [[row["item"], row["other_item"], _plus(row["mean"])] for row in strong]
    header = ("demand for", "if the price rises of", "cross elasticity")
    return Sheet("Strongest cross elasticities", header, rows, text=(1,)) if rows else None


def identification(card: dict[str, Any]) -> Sheet:
    found = card["identification"]
    declared = found["instrument"] is not None
    header = ["item", "standard deviation of unpredicted log price", ""]
    header += ["without the shifter", "with it"] if declared else []
    rows = []
    for row in found["items"]:
        note = "too little: the value is an assumption" if row["prior_only"] else ""
        line = [row["item"], f"{row['residual_price_spread']:.3f}", note]
        if declared:
            line += [words.two(row["without_instrument"]), words.two(row["with_instrument"])]
        rows.append(line)
    return Sheet(
        "How the elasticities were identified",
        tuple(header),
        rows,
        (*words.diagnosis(found), words.overfit(card["fit"]["overfit"])),
        "Prices follow the demand that the shop expects. Only price changes beyond that show how customers"
        " respond to price. Below 0.005 there are none.",
        text=(2,),
    )


def support(card: dict[str, Any]) -> Sheet:
    rows = []
    for item in dict.fromkeys(row["item"] for row in card["support"]):
        of_item = [row for row in card["support"] if row["item"] == item]
        usual, low, high = (median(row[end] for row in of_item) for end in ("reference", "low", "high"))
        multiples = (median(row[end] / row["reference"] for row in of_item) for end in ("low", "high"))
        times = " … ".join(f"{multiple:.2f}×" for multiple in multiples)
        rows.append([item, words.two(usual), f"{words.two(low)} … {words.two(high)}", times])
    return Sheet(
        "Prices that were tried",
        ("item", "usual price", "tried", "as multiples"),
        rows,
        (
            "The middle 95% of the last year's prices, median location. Outside them the response is an"
            " extrapolation.",
        ),
    )


def calibration(card: dict[str, Any]) -> Sheet:
    told, title = card["calibration"], "Calibration"
    header = ("central interval", "outcomes within it")
    if told is None or not told["rows"]:
        return _too_short(title, header)
    rows = [[words.percent(row["level"], 0), words.percent(row["share"])] for row in told["coverage"]]
    left_in = (
        f" In {told['stocked_out']:,} of them stock ran out: their sales are a lower bound of demand."
        if told["stocked_out"]
        else ""
    )
    said = (
        f"{told['rows']:,} rows from {told['from']} on, forecast one period ahead by a fit that had not"
        f" seen them.{left_in} If forecasts are calibrated, a tenth of the outcomes falls in each tenth of"
        f" the forecast distribution. The largest distance from that is {told['distance']:.3f}; for a perfect"
        f" forecast it is below {told['chance']:.3f} in 19 of 20 cases, somewhat larger if series move"
        " together."
    )
    return Sheet(title, header, rows, (said,))


def backtest(card: dict[str, Any]) -> Sheet:
    told, title = card["backtest"], "Backtest"
    header = ("model", "WQL", "WAPE", "WPE", "80% covers", "rows")
    if told is None:
        return _too_short(title, header)
    period, bias = words.period_name(card["frequency"]), told["bias"]
    rows = [
        [
            name,
            words.number(score["wql"]),
            *(words.percent(score[key]) for key in ("wape", "wpe", "coverage80")),
            words.number(score["rows"]),
        ]
        for name, score in sorted(told["models"].items(), key=lambda pair: pair[1]["wql"])
    ]
    said = (
        f"{told['windows']} windows of {told['horizon']} {period}s from {told['from']} on, forecast by one"
        " fit on the periods before, at the prices that were charged. WQL and WAPE: errors as a share of"
        " sales, lower is better. WPE: above 0 the median forecasts are too high."
        + ("" if bias is None else f" In total, the mean forecasts are {words.off(bias)}.")
    )
    return Sheet(title, header, rows, (said,))


def simulated(card: dict[str, Any]) -> Sheet:
    told = card["simulated"]
    rows = [
        [
            words.MEASURES[row["measure"]],
            words.number(row["real"]),
            words.number(row["simulated"]),
            f"{words.number(row['lo'])} … {words.number(row['hi'])}",
        ]
        for row in told["measures"]
        if row["real"] is not None
    ]
    shop = (
        f" In {words.percent(told['stocked_out'])} of the rows stock ran out: there, estimated demand"
        " replaces the sales."
        if told["stocked_out"]
        else ""
    )
    said = (
        f"{told['paths']} simulated histories from {told['from']} to {told['to']}, at the prices and"
        f" promotions that were charged. Each starts from real sales every {told['stretch']}"
        f" {words.period_name(card['frequency'])}s (dotted lines) and then continues on its own.{shop} The"
        " model was fitted on this history, so this shows whether it behaves like the real one; how well it"
        " forecasts is above."
    )
    header = ("measure", "real", "simulated", "80% of simulations")
    return Sheet("Simulated against real sales", header, rows, (said,))


def _too_short(title: str, header: tuple[str, ...]) -> Sheet:
    return Sheet(title, header, [], ("The table is too short to hold out periods.",))


def _change(value: float) -> str:
    return f"{value:+.0%}".replace("-", words.MINUS)


def _range(values: list[float]) -> str:
    return "–" if len(values) == 1 else f"{words.two(min(values))} … {words.two(max(values))}"


def _plus(value: float) -> str:
    return f"{value:+.2f}".replace("-", words.MINUS)
