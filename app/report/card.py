"""A market card as a page: the verdict, then what it rests on."""

from __future__ import annotations

from html import escape
from typing import Any

from ...forecasters.evaluation import MARKET
from . import customers, evidence, figures, words
from .html import document, folded, gallery, table, verdict
from .html import picture as image
from .sheet import Sheet


def render_card(card: dict[str, Any]) -> str:
    """HTML of a card as ``market_card`` makes it."""
    title = f"Market card: {card['market']}"
    return document(title, f"{_header(card, title)}\n{sections(card)}")


def sections(card: dict[str, Any]) -> str:
    """HTML of what the verdict rests on."""
    parts = (
        _drawn(evidence.own(card), _own_picture(card)),
        _drawn(evidence.together(card)),
        _cross(card),
        _section(evidence.identification(card)),
        _section(evidence.support(card)),
        _calibration(card),
        _section(evidence.backtest(card), marked=MARKET),
        _simulated(card),
        *map(_section, customers.sheets(card["customers"]) if card.get("customers") else ()),
        _cleaning(card),
        _economics(card),
    )
    return "\n".join(part for part in parts if part)


def _header(card: dict[str, Any], title: str) -> str:
    return (
        f"<header><h1>{escape(title)}</h1>\n"
        f'<p class="subtitle">{escape(evidence.subtitle(card))}</p></header>\n'
        f"{verdict(card['verdict'])}"
    )


def _table(sheet: Sheet, marked: str = "") -> str:
    """The table of a sheet; rows called ``marked`` in colour."""
    cells = [[escape(cell) for cell in row] for row in sheet.rows]
    return table(sheet.header, cells, text=sheet.text, marked=[row[0] == marked for row in sheet.rows])


def _drawn(sheet: Sheet, *pictures: str) -> str:
    """A sheet beside its pictures."""
    return gallery(sheet.title, " ".join(sheet.said), [*pictures, _table(sheet)])


def _section(sheet: Sheet, marked: str = "") -> str:
    said = "".join(f"<p>{escape(line)}</p>\n" for line in sheet.said)
    rows = _table(sheet, marked) if sheet.rows else ""
    note = f'<p class="note">{escape(sheet.note)}</p>' if sheet.note else ""
    return f"<section><h2>{escape(sheet.title)}</h2>\n{said}{rows}{note}</section>\n"


def _own_picture(card: dict[str, Any]) -> str:
    return image(
        figures.elasticities(card["elasticity"]["own"]), "Own elasticities by item, with 90% intervals."
    )


def _cross(card: dict[str, Any]) -> str:
    sheet = evidence.cross(card)
    return "" if sheet is None else _section(sheet)


def _calibration(card: dict[str, Any]) -> str:
    sheet = evidence.calibration(card)
    if not sheet.rows:
        return _section(sheet)
    histogram = figures.pit_histogram(card["calibration"]["histogram"])
    return _drawn(sheet, image(histogram, "Histogram of where outcomes fell, in tenths."))


def _simulated(card: dict[str, Any]) -> str:
    told, sheet = card["simulated"], evidence.simulated(card)
    period = words.period_name(card["frequency"])
    pictures = [
        image(
            figures.totals(told["totals"], f"units per {period}, all series"),
            "Units of all series by period, real and simulated.",
        ),
        image(figures.agreement(told), "Mean units of locations and items, simulated against real."),
    ]
    return (
        gallery(sheet.title, " ".join(sheet.said), pictures)
        + _table(sheet)
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
