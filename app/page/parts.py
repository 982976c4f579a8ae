"""What views are made of: charts with their data, tables, errors, and a job with its progress."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from html import escape
from typing import Any

from ...forecasters.errors import InputError
from ..report.html import table, verdict
from ..report.sheet import Sheet
from .charts import Chart
from .jobs import Job
from .nice import ui
from .view import Desk

_OFTEN = 0.25  # seconds between two looks at a job


def heading(text: str, about: str = "", level: int = 2) -> None:
    ui.html(escape(text), tag=f"h{level}", sanitize=False)
    if about:
        paragraph(about)


def paragraph(text: str, kind: str = "") -> None:
    ui.html(escape(text), tag="p", sanitize=False).classes(kind)


def verdict_of(told: dict[str, Any]) -> None:
    """The three lines of a card."""
    ui.html(verdict(told), sanitize=False)


def figure(chart: Chart) -> None:
    """A chart with its title, what it shows, and its data to take away."""
    with ui.element("figure").props(f'aria-label="{escape(chart.title)}"'):
        with ui.row().classes("w-full items-center justify-between no-wrap"):
            heading(chart.title, level=3)
            data_button(chart)
        if chart.about:
            paragraph(chart.about, "note")
        drawing = ui.echart(chart.options, renderer="svg").style(f"height: {chart.height}px")
        drawing.props(f'role=img aria-label="{escape(f"{chart.title}. {chart.about}")}"')


def data_button(chart: Chart) -> None:
    file = re.sub(r"[^a-z0-9]+", "-", chart.title.lower()).strip("-") + ".csv"
    download(f"Data of: {chart.title}", file, chart.csv, "data")


def download(about: str, file: str, content: Callable[[], str], label: str) -> None:
    """A button that brings text as a file."""
    button = ui.button(
        label, icon="download", on_click=lambda: ui.download.content(content(), file, "text/plain")
    )
    button.props(f'flat dense no-caps size=sm aria-label="{escape(about)}"').classes("data")


def gallery() -> Any:
    """Room for charts side by side, or one below the other where it is narrow."""
    return ui.element("div").classes("gallery")


def sheet(told: Sheet) -> None:
    """A table of the card with what is said of it."""
    heading(told.title)
    for line in told.said:
        paragraph(line)
    if told.rows:
        rows(told.header, told.rows, text=told.text)
    if told.note:
        paragraph(told.note, "note")


def rows(
    header: Sequence[str],
    cells: Sequence[Sequence[str]],
    *,
    text: Sequence[int] = (),
    marked: Sequence[bool] = (),
) -> None:
    """A table of plain text."""
    body = [[escape(cell) for cell in row] for row in cells]
    ui.html(table(header, body, text=text, marked=marked), sanitize=False).classes("w-full")


def error(said: str) -> None:
    """What went wrong, in one line that a screen reader says at once."""
    with ui.element("div").classes("error").props("role=alert"):
        ui.html(f"<strong>Error:</strong> {escape(said)}", tag="p", sanitize=False)


@contextmanager
def told() -> Iterator[None]:
    """Whatever goes wrong within is shown in its place."""
    try:
        yield
    except InputError as fault:
        error(str(fault))


def remember(box: Any, kept: dict[str, Any], key: str) -> None:
    """Keep what is typed or chosen, for whoever looks again."""
    box.on_value_change(lambda event: kept.__setitem__(key, event.value))


async def opened(desk: Desk) -> dict[str, Any]:
    """What the market holds (``work.about``), with a word to whoever waits for it.

    Raises:
        InputError: it cannot be opened.
    """
    if desk.open().running:
        await ui.context.client.connected()
        with ui.row().classes("items-center").props("role=status") as waiting:
            ui.spinner(size="1.5em")
            ui.label("Opening the market …")
        try:
            return await desk.about()
        finally:
            waiting.delete()
    return await desk.about()


def series_choice(
    about: dict[str, Any],
    kept: dict[str, str],
    show: Callable[[dict[str, str]], Awaitable[None]] | None = None,
) -> None:
    """Location and item to choose from; ``kept`` remembers what is chosen, and ``show`` draws it at once."""
    at: dict[str, list[str]] = {}
    for location, item in about["series"]:
        at.setdefault(location, []).append(item)
    if kept.get("item") not in at.get(kept.get("location", ""), ()):
        kept["location"], kept["item"] = about["series"][0]

    async def drawn() -> None:
        if show is not None:
            place.clear()
            with place:
                await show(dict(kept))

    async def other_item(event: Any) -> None:
        if event.value in at[kept["location"]]:
            kept["item"] = event.value
            await drawn()

    async def other_location(event: Any) -> None:
        if event.value not in at:
            return
        kept["location"] = event.value
        known = at[event.value]
        again = kept["item"] if kept["item"] in known else known[0]
        same = again == items.value
        items.set_options(known, value=again)
        if same:
            await drawn()

    with ui.element("div").classes("controls"):
        ui.select(
            list(at), label="location", value=kept["location"], on_change=other_location, with_input=True
        )
        items = ui.select(
            at[kept["location"]], label="item", value=kept["item"], on_change=other_item, with_input=True
        )
    place = ui.element("div").classes("w-full")
    ui.timer(0, drawn, once=True)


def whole_number(name: str, value: Any, least: int, most: int) -> int:
    """A whole number that was typed.

    Raises:
        InputError: it is none, or out of range.
    """
    if not isinstance(value, int | float) or value != int(value) or not least <= value <= most:
        raise InputError(f"{name}: expected a whole number from {least} to {most}, found {value}")
    return int(value)


def watch(job: Job, done: Callable[[Job], None], again: Callable[[], None]) -> None:
    """A job's progress with a button that ends it; then what ``done`` shows, or what went wrong.

    ``again`` is called when it was cancelled or failed.
    """
    box = ui.element("div").classes("w-full").props('aria-live="polite"')

    def ended() -> None:
        box.clear()
        with box:
            if job.cancelled:
                paragraph(f"Cancelled after {job.seconds:.0f} s.", "note")
                again()
            elif job.error:
                error(job.error)
                again()
            else:
                done(job)

    if not job.running:
        ended()
        return
    with box:
        said = ui.label(job.said).classes("note")
        bar = ui.linear_progress(0.0, show_value=False, size="14px").props('aria-label="progress" rounded')
        ui.button("Cancel", icon="stop", on_click=job.cancel).props("outline no-caps")

    def look() -> None:
        said.set_text(f"{job.said} ({job.elapsed:.0f} s)")
        bar.set_value(round(job.share, 3))
        if not job.running:
            timer.deactivate()
            ended()

    with box:
        timer = ui.timer(_OFTEN, look)
