"""Proposals with their reasons, to approve, change or reject, and the trail of who did."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from html import escape
from pathlib import Path
from typing import Any

from ....forecasters.errors import InputError
from ...output import to_json
from .. import parts
from ..jobs import Job
from ..nice import ui
from ..view import Desk, View

_LEAD = (
    "What the run's policy proposes for the period after the latest sales. What you approve is released: the"
    " shop's system fetches it (mercato serve), and it stays. Each step is kept in the audit trail below."
)
_WAITS = ("proposed", "held")
_ABOUT = ("date", "sheet", "series", "batch", "rows", "withdrawn", "reason")
_ON = ("Kill switch", "block", "approvals.kill")
_OFF = ("Switch it off again", "play_arrow", "approvals.resume")


async def build(desk: Desk) -> None:
    parts.paragraph(_LEAD)
    if desk.home.run is None:
        parts.paragraph("This is a market without a run: mercato run makes one, with a policy that decides.")
        return
    await parts.opened(desk)
    await _Decisions(desk, desk.home.run).show()


class _Decisions:
    """The view of one run."""

    def __init__(self, desk: Desk, run: Path) -> None:
        self._desk, self._run = desk, run
        self._kept: dict[str, Any] = desk.kept.setdefault("decisions", {})
        self._progress, self._place = (ui.element("div").classes("w-full") for _ in range(2))

    async def show(self) -> None:
        """Everything, as it stands now."""
        with parts.told():
            found = await self._desk.ask("approvals.standing", self._run)
            self._place.clear()
            with self._place:
                self._head(found)
                if found["sheet"] is not None:
                    await self._sheet(found["sheet"])
                self._trail(found)

    def _head(self, found: Mapping[str, Any]) -> None:
        counts, killed = found["counts"], found["killed"]
        told = ", ".join(f"{counts[name]:,} {name}" for name in counts if counts[name])
        parts.paragraph(f"Decisions so far: {told}." if told else "Nothing has been proposed yet.")
        if killed is not None:
            parts.error(f"The kill switch is on: {killed}. Only the last approved prices are released.")
        label, icon, name = _OFF if killed is not None else _ON
        with ui.element("div").classes("controls"):
            propose = ui.button("Propose for the coming period", icon="lightbulb")
            propose.props("no-caps").on_click(self._propose)
            reason = ui.input("reason").props("dense")
            button = ui.button(label, icon=icon).props("no-caps outline")
            button.on_click(lambda: self._do(name, reason.value or ""))

    def _propose(self) -> None:
        self._progress.clear()
        job = self._desk.start("decisions", "approvals.propose", self._run)

        def done(_: Job) -> None:
            ui.timer(0, self.show, once=True)

        with self._progress:
            parts.watch(job, done, lambda: None)

    async def _do(self, name: str, *args: Any) -> None:
        """One change, and everything anew; what went wrong is shown where it is."""
        try:
            await self._desk.ask(name, self._run, *args)
        except InputError as fault:
            close = {"label": "close", "color": "white"}
            ui.notify(str(fault), type="negative", multi_line=True, timeout=0, actions=[close])
            return
        await self.show()

    async def _sheet(self, sheet: Mapping[str, Any]) -> None:
        """The latest round of proposals, one location at a time."""
        gain = _range(sheet, "gain", sheet["currency"])
        parts.heading(f"Sheet {sheet['id']}, for {sheet['date']}")
        parts.paragraph(
            f"Expected gain over keeping all prices: {gain} in the period; the range is over customers that"
            " the data leave possible."
        )
        for line in sheet["notes"]:
            parts.paragraph(line, "note")
        touched = ", ".join(f"{name}: {count:,}" for name, count in sheet["steps"].items() if count)
        if touched:
            parts.paragraph(f"Series touched or held back, by step: {touched}.", "note")
        about = await self._desk.about()
        shops = list(dict.fromkeys(location for location, _ in about["series"]))
        if self._kept.get("location") not in shops:
            self._kept["location"] = shops[0]

        async def other(event: Any) -> None:
            self._kept["location"] = event.value
            await draw()

        with ui.element("div").classes("controls"):
            ui.select(shops, label="location", value=self._kept["location"], on_change=other, with_input=True)
            reason = ui.input("reason for all").props("dense")
            ui.button(
                "Approve all that is not held back",
                icon="done_all",
                on_click=lambda: self._do("approvals.approve_sheet", sheet["id"], reason.value or ""),
            ).props("no-caps outline")
        place = ui.element("div").classes("w-full scroll")

        async def draw() -> None:
            place.clear()
            with place, parts.told():
                rows = await self._desk.ask(
                    "approvals.decisions", self._run, sheet["id"], self._kept["location"]
                )
                if not rows:
                    parts.paragraph("Nothing was proposed here.", "note")
                for row in rows:
                    self._row(row, sheet["currency"])

        await draw()

    def _row(self, row: Mapping[str, Any], currency: str) -> None:
        """One decision: what is proposed and why, and what may be done with it."""
        with ui.element("section").classes("decision").props(f'aria-label="decision {row["id"]}"'):
            parts.heading(row["item"], level=3)
            change = row["price"] / row["current_price"] - 1
            moved = f"{change:+.1%}" if abs(change) >= 5e-4 else "kept"
            parts.paragraph(
                f"Price {row['current_price']:,.2f} → {row['price']:,.2f} {currency} ({moved}); order"
                f" {row['order']:,}; expected {row['expected_units']:,.1f} units, gain"
                f" {_range(row, 'expected_gain', currency)}."
            )
            parts.paragraph(f"Why: {row['why']}." + (f" Note: {row['note']}." if row["note"] else ""), "note")
            if row["would_change"]:
                parts.paragraph(f"What would change it: {row['would_change']}.", "note")
            if row["flags"]:
                parts.paragraph(f"{'Held back' if row['status'] == 'held' else 'Touched'}: {row['flags']}.")
            if row["status"] in _WAITS:
                self._choices(row)
            else:
                parts.paragraph(f"Decided: {row['status']}.")

    def _choices(self, row: Mapping[str, Any]) -> None:
        number = row["id"]
        with ui.element("div").classes("controls"):
            reason = ui.input("reason").props("dense")
            price = ui.number("price", value=row["price"], min=0).props("dense")
            order = ui.number("order", value=row["order"], min=0, precision=0).props("dense")

            def changed() -> Awaitable[None]:
                other = None if price.value == row["price"] else price.value
                units = None if order.value == row["order"] else int(order.value or 0)
                return self._do("approvals.change", number, other, units, reason.value or "")

            for label, icon, act in self._acts(number, reason, changed):
                button = ui.button(label, icon=icon, on_click=act).props("no-caps outline dense")
                button.props(f'aria-label="{label} {escape(row["item"])}"')

    def _acts(
        self, number: int, reason: Any, changed: Callable[[], Awaitable[None]]
    ) -> tuple[tuple[str, str, Callable[[], Awaitable[None]]], ...]:
        return (
            ("Approve", "done", lambda: self._do("approvals.approve", number, reason.value or "")),
            ("Change", "edit", changed),
            ("Reject", "close", lambda: self._do("approvals.reject", number, reason.value or "")),
        )

    def _trail(self, found: Mapping[str, Any]) -> None:
        count, last = found["verified"]["entries"], found["verified"]["last"][:16]
        parts.heading("Audit trail")
        if found["verified"]["fault"]:
            parts.error(f"The trail does not hold: {found['verified']['fault']}.")
        else:
            parts.paragraph(f"All {count:,} entries hold; the last one's hash is {last}…", "note")
        entries = found["trail"]
        rows = [
            [
                str(one["seq"]),
                one["at"][:19].replace("T", " "),
                one["actor"],
                one["action"],
                _short(one["body"]),
            ]
            for one in entries
        ]
        if rows:
            parts.rows(("entry", "at (UTC)", "who", "what", "about"), rows, text=(1, 2, 3, 4))
            parts.download("The entries shown", "audit.json", lambda: to_json(entries), "JSON")


def _range(row: Mapping[str, Any], mean: str, currency: str) -> str:
    """A gain with its range."""
    return f"{row[mean]:+,.2f} [{row['gain_lo']:+,.2f}, {row['gain_hi']:+,.2f}] {currency}"


def _minute(at: str) -> str:
    return at[:16].replace("T", " ")


def _short(body: Mapping[str, Any]) -> str:
    """What an entry is about, in a few words."""
    told = {name: body[name] for name in _ABOUT if name in body}
    told |= {"released": len(body["released"])} if "released" in body else {}
    told |= {"decisions": len(body["proposals"])} if "proposals" in body else {}
    words = [f"{name} {str(value)[:40]}" for name, value in told.items() if value not in ("", None)]
    return ", ".join(words)


VIEW = View("/decisions", "Decisions", build)
