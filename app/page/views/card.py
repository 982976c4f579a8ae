"""How far to trust this fit: the market card."""

from __future__ import annotations

from typing import Any

from ...report import evidence, words
from .. import charts, parts
from ..jobs import Job
from ..nice import ui
from ..view import Desk, View

_LEAD = "Read this first: a policy is only as good as the market that it was made in."


async def build(desk: Desk) -> None:
    if (card := desk.home.card()) is not None:
        show(card)
        return
    if (report := desk.home.report()) is not None:
        parts.paragraph(report.subtitle, "subtitle")
        facts = [[name, value] for name, value in report.facts]
        parts.rows(("", "what was fitted on what"), facts, text=(1,))
    parts.heading(
        "No card yet",
        "It is made with a second fit that has not seen the last periods,"
        " and takes about as long as the fit did.",
    )
    _offer(desk)
    if report is not None:
        parts.heading("What is known without it")
        with ui.element("ul"):
            for line in report.limits:
                ui.html(line, tag="li", sanitize=True)


def _offer(desk: Desk) -> None:
    """The button that works the card out, or how far that is."""
    place = ui.element("div").classes("w-full")

    def offer() -> None:
        ui.button("Work out the card", icon="fact_check", on_click=start).props("no-caps")

    def start() -> None:
        place.clear()
        with place:
            job = desk.start("card", "card", desk.home.market, desk.home.kept("card"), 0)
            parts.watch(job, done, offer)

    def done(_: Job) -> None:
        ui.navigate.to("/")

    with place:
        if (job := desk.under_way.get("card")) is not None and job.running:
            parts.watch(job, done, offer)
        else:
            offer()


def show(card: dict[str, Any]) -> None:
    """A card as ``mercato card --json`` has it."""
    period = words.period_name(card["frequency"])
    parts.paragraph(evidence.subtitle(card), "subtitle")
    parts.verdict_of(card["verdict"])
    parts.paragraph(_LEAD, "note")
    with parts.gallery():
        parts.figure(charts.elasticities(card))
        if card["calibration"] is not None and card["calibration"]["rows"]:
            parts.figure(charts.calibration(card["calibration"]))
        parts.figure(charts.totals(card, period))
    for sheet in evidence.sheets(card):
        parts.sheet(sheet)
    notes = card["cleaning"]["notes"]
    parts.heading(
        "What was dropped, and why",
        f"{card['cleaning']['rows_kept']:,} of {card['cleaning']['rows_read']:,} rows were kept.",
    )
    with ui.element("ul"):
        for line in notes:
            ui.html(line, tag="li", sanitize=True)


VIEW = View("/", "Market card", build)
