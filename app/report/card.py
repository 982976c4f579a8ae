"""A market card as a page: the verdict, then what it rests on."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from statistics import median
from typing import Any

from ...forecasters.evaluation import MARKET
from . import figures, words
from .html import document, folded, gallery, table, verdict
from .html import picture as image


def render_card(card: dict[str, Any]) -> str:
    """HTML of a card as ``market_card`` makes it."""
    title = f"Market card: {card['market']}"
    parts = (
        _header(card, title),
        _own(card),
        _together(card),
        _cross(card),
        _identification(card),
        _support(card),
        _calibration(card),
        _backtest(card),
        _simulated(card),
        _cleaning(card),
        _economics(card),
    )
    return document(title, "\n".join(part for part in parts if part))


def _header(card: dict[str, Any], title: str) -> str:
    period = words.period_name(card["frequency"])
    return (
        f"<header><h1>{escape(title)}</h1>\n"
        f'<p class="subtitle">{words.count(card["locations"], "location")} ×'
        f" {words.count(card['items'], 'item')},"
        f" {card['data']['rows']:,} rows over {card['data']['periods']} {period}s,"
        f" {card['from']} to {card['to']}</p></header>\n"
        f"{verdict(card['verdict'])}"
    )


def _own(card: dict[str, Any]) -> str:
    own = card["elasticity"]["own"]
    rows = [
        [escape(item), words.two(mean), f"{words.two(lo)} … {words.two(hi)}", _range(means)]
        for item, mean, lo, hi, means in words.own_by_item(own)
    ]
    header = ("item", "own elasticity", "90% interval", "range over locations")
    return gallery(
        "Own elasticities",
        "By what percent demand changes if the price rises by one percent: a dot for every series of an item,"
        " a bar for the 90% interval of its median location. The table shows the median location.",
        [
            image(figures.elasticities(own), "Own elasticities by item, with 90% intervals."),
            table(header, rows),
        ],
    )


def _together(card: dict[str, Any]) -> str:
    found = card["together"]
    rows = [
        [
            escape(row["category"]),
            f"{row['multiple']:.1f} ×",
            f"{_change(row['mean'])} [{_change(row['lo'])}, {_change(row['hi'])}]",
            f"{row['diversion']:.2f}",
            "–" if row["tried"] is None else f"{row['tried'][0]:.2f} … {row['tried'][1]:.2f}",
        ]
        for row in found["categories"]
    ]
    header = ("category", "all of its prices", "its units, 90% interval", "diversion", "index tried")
    about = (
        f"Substitution follows {found['form']} (weight of the evidence {found['odds']:.2f}). Diversion is the"
        " share of an item's new customers who come from other items of its category. The index tried is the"
        " range of the category's mean price multiple in the last year, around its mean."
    )
    return gallery("If all prices of a category change together", about, [table(header, rows)])


def _change(value: float) -> str:
    return f"{value:+.0%}".replace("-", "−")


def _cross(card: dict[str, Any]) -> str:
    strong = sorted(card["elasticity"]["cross"], key=lambda row: -abs(row["mean"]))[:10]
    rows = [[escape(row["item"]), escape(row["other_item"]), _plus(row["mean"])] for row in strong]
    if not rows:
        return ""
    header = ("demand for", "if the price rises of", "cross elasticity")
    return (
        "<section><h2>Strongest cross elasticities</h2>\n" + table(header, rows, text=(1,)) + "</section>\n"
    )


def _identification(card: dict[str, Any]) -> str:
    found = card["identification"]
    declared = found["instrument"] is not None
    header = ["item", "standard deviation of unpredicted log price", ""]
    header += ["without the shifter", "with it"] if declared else []
    rows = []
    for row in found["items"]:
        note = "too little: the value is an assumption" if row["prior_only"] else ""
        line = [escape(row["item"]), f"{row['residual_price_spread']:.3f}", note]
        if declared:
            line += [words.two(row["without_instrument"]), words.two(row["with_instrument"])]
        rows.append(line)
    said = [*words.diagnosis(found), words.overfit(card["fit"]["overfit"])]
    return (
        f"<section><h2>How the elasticities were identified</h2>\n{_paragraphs(said)}"
        + table(header, rows, text=(2,))
        + '<p class="note">Prices follow the demand that the shop expects. Only price changes beyond that'
        " show how customers respond to price. Below 0.005 there are none.</p>"
        "</section>\n"
    )


def _support(card: dict[str, Any]) -> str:
    rows = []
    for item in dict.fromkeys(row["item"] for row in card["support"]):
        of_item = [row for row in card["support"] if row["item"] == item]
        usual, low, high = (median(row[end] for row in of_item) for end in ("reference", "low", "high"))
        multiples = (median(row[end] / row["reference"] for row in of_item) for end in ("low", "high"))
        times = " … ".join(f"{multiple:.2f}×" for multiple in multiples)
        rows.append([escape(item), words.two(usual), f"{words.two(low)} … {words.two(high)}", times])
    header = ("item", "usual price", "tried", "as multiples")
    return (
        "<section><h2>Prices that were tried</h2>\n<p>The middle 95% of the last year's prices, median"
        " location. Outside them the response is an extrapolation.</p>\n"
        + table(header, rows)
        + "</section>\n"
    )


def _calibration(card: dict[str, Any]) -> str:
    told = card["calibration"]
    if told is None or not told["rows"]:
        return _too_short("Calibration")
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
    return gallery(
        "Calibration",
        said,
        [
            image(figures.pit_histogram(told["histogram"]), "Histogram of where outcomes fell, in tenths."),
            table(("central interval", "outcomes within it"), rows),
        ],
    )


def _backtest(card: dict[str, Any]) -> str:
    told = card["backtest"]
    if told is None:
        return _too_short("Backtest")
    period, bias = words.period_name(card["frequency"]), told["bias"]
    scores = sorted(told["models"].items(), key=lambda pair: pair[1]["wql"])
    rows = [
        [
            escape(name),
            words.number(score["wql"]),
            *(words.percent(score[key]) for key in ("wape", "wpe", "coverage80")),
            words.number(score["rows"]),
        ]
        for name, score in scores
    ]
    header = ("model", "WQL", "WAPE", "WPE", "80% covers", "rows")
    said = (
        f"{told['windows']} windows of {told['horizon']} {period}s from {told['from']} on, forecast by one"
        " fit on the periods before, at the prices that were charged. WQL and WAPE: errors as a share of"
        " sales, lower is better. WPE: above 0 the median forecasts are too high."
        + ("" if bias is None else f" In total, the mean forecasts are {words.off(bias)}.")
    )
    return (
        f"<section><h2>Backtest</h2>\n<p>{escape(said)}</p>\n"
        + table(header, rows, marked=[name == MARKET for name, _ in scores])
        + "</section>\n"
    )


def _simulated(card: dict[str, Any]) -> str:
    told = card["simulated"]
    period = words.period_name(card["frequency"])
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
        f" promotions that were charged. Each starts from real sales every {told['stretch']} {period}s"
        f" (dotted lines) and then continues on its own.{shop} The model was fitted on this history, so this"
        " shows whether it behaves like the real one; how well it forecasts is above."
    )
    return (
        gallery(
            "Simulated against real sales",
            said,
            [
                image(
                    figures.totals(told["totals"], f"units per {period}, all series"),
                    "Units of all series by period, real and simulated.",
                ),
                image(figures.agreement(told), "Mean units of locations and items, simulated against real."),
            ],
        )
        + table(("measure", "real", "simulated", "80% of simulations"), rows)
        + folded(f"By item ({card['items']})", _groups(told["by_item"], "item"))
        + folded(f"By location ({card['locations']})", _groups(told["by_location"], "location"))
    )


def _groups(rows: list[dict[str, Any]], name: str) -> str:
    keys = ("mean", "variance", "zero_share", "autocorrelation", "correlation")
    header = (name, "mean", "sd", "zero share", "autocorrelation", "correlation")
    body = [
        [
            escape(row[name]),
            *(" / ".join(_moment(key, row[side][key]) for side in ("real", "simulated")) for key in keys),
        ]
        for row in rows
    ]
    note = '<p class="note">Real / simulated; correlation: between the series of the row.</p>\n'
    return note + table(header, body)


def _moment(key: str, value: float | None) -> str:
    if "correlation" in key:
        return words.two(value)
    return words.number(value**0.5 if key == "variance" and value is not None else value)


def _cleaning(card: dict[str, Any]) -> str:
    told = card["cleaning"]
    notes = "".join(f"<li>{escape(note)}</li>" for note in told["notes"])
    listed = f"<ul>{notes}</ul>" if notes else "<p>Nothing was dropped, clipped or filled.</p>"
    return (
        f"<section><h2>What was dropped, and why</h2>\n<p>{told['rows_kept']:,} of {told['rows_read']:,} rows"
        f" were kept.</p>\n{listed}</section>\n"
    )


def _economics(card: dict[str, Any]) -> str:
    rows = [
        [
            escape(name.replace("_", " ")),
            escape(_setting(line["value"])),
            '<span class="given">given</span>' if line["given"] else '<span class="assumed">assumed</span>',
        ]
        for name, line in card["economics"].items()
    ]
    return "<section><h2>Economics</h2>\n" + table(("", "value", ""), rows) + "</section>\n"


def _setting(value: Any) -> str:
    """A field of the economics: of a group of them, those that are set."""
    if isinstance(value, dict):
        told = [f"{name.replace('_', ' ')} {part}" for name, part in value.items() if part is not None]
        return ", ".join(told) or "none"
    return "none" if value is None else str(value)


def _too_short(title: str) -> str:
    return f"<section><h2>{title}</h2>\n<p>The table is too short to hold out periods.</p></section>\n"


def _paragraphs(lines: Iterable[str]) -> str:
    return "".join(f"<p>{escape(line)}</p>\n" for line in lines)


def _range(values: list[float]) -> str:
    return "–" if len(values) == 1 else f"{words.two(min(values))} … {words.two(max(values))}"


def _plus(value: float) -> str:
    return f"{value:+.2f}".replace("-", words.MINUS)
