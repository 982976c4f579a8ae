"""A market card as a page."""

from __future__ import annotations

from html import escape
from typing import Any

from . import figures
from .html import document, gallery, table
from .html import picture as image
from .words import MINUS, diagnosis, number


def render_card(card: dict[str, Any]) -> str:
    """HTML of a card as ``market_card`` makes it."""
    title = f"Market card: {card['market']}"
    body = (
        f"<header><h1>{escape(title)}</h1>\n"
        f'<p class="subtitle">{card["locations"]} locations × {card["items"]} items,'
        f" {card['from']} to {card['to']}</p></header>\n"
        + _own(card)
        + _identification(card)
        + _cross(card)
        + _simulated(card)
        + _economics(card)
    )
    return document(title, body)


def _own(card: dict[str, Any]) -> str:
    drawing = figures.elasticities(card["elasticity"]["own"])
    return gallery(
        "Own elasticities",
        "By what percent demand changes when the price rises by one percent: every series of an item a dot,"
        " the item's middle 90% interval as a bar.",
        [image(drawing, "Own elasticities by item, with 90% intervals.")],
    )


def _identification(card: dict[str, Any]) -> str:
    found = card["identification"]
    rows = [
        [escape(row["item"]), f"{row['residual_price_spread']:.3f}"]
        + ["–" if row[end] is None else _two(row[end]) for end in ("without_instrument", "with_instrument")]
        for row in found["items"]
    ]
    header = ("item", "spread of log price left to learn from", "without shifter", "with shifter")
    said = "".join(f"<p>{escape(line)}</p>\n" for line in diagnosis(found))
    return f"<section><h2>What identifies them</h2>\n{said}" + table(header, rows) + "</section>\n"


def _cross(card: dict[str, Any]) -> str:
    strong = sorted(card["elasticity"]["cross"], key=lambda row: -abs(row["mean"]))[:10]
    rows = [[escape(row["item"]), escape(row["other_item"]), _two(row["mean"])] for row in strong]
    if not rows:
        return ""
    header = ("demand for", "when the price rises of", "cross elasticity")
    return (
        "<section><h2>Strongest cross elasticities</h2>\n" + table(header, rows, text=(1,)) + "</section>\n"
    )


def _simulated(card: dict[str, Any]) -> str:
    told = card["simulated"]
    rows = [
        [
            escape(row["measure"]),
            number(row["real"]),
            number(row["simulated"]),
            f"{number(row['lo'])} … {number(row['hi'])}",
        ]
        for row in told["measures"]
    ]
    return (
        "<section><h2>Simulated against real sales</h2>\n"
        f"<p>{told['paths']} sampled histories from {told['from']} to {told['to']}, at the prices and"
        " promotions that were charged. The range holds 80% of them.</p>\n"
        + table(("measure", "real", "simulated", "range"), rows)
        + "</section>\n"
    )


def _economics(card: dict[str, Any]) -> str:
    rows = [
        [escape(name.replace("_", " ")), escape(str(line["value"])), "given" if line["given"] else "assumed"]
        for name, line in card["economics"].items()
    ]
    return "<section><h2>Economics</h2>\n" + table(("", "value", ""), rows) + "</section>\n"


def _two(value: float) -> str:
    return f"{value:+.2f}".replace("-", MINUS)
