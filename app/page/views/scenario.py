"""What if: build a scenario by form or as YAML, run it, and see what it changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...output import to_json
from ...report import answer
from ...report.words import count
from .. import charts, form, parts
from ..jobs import Job
from ..nice import ui
from ..policies import choices, sources
from ..view import Desk, View

_SETTINGS = "name, length, episodes"
_FIRST = {"name": "scenario", "text": "cost: 1.05\n", "policies": ["usual"], "seed": 0}
_LEAD = (
    "The same episodes are simulated with and without the scenario, with the same customers. A scenario is a"
    " few lines: one key an effect."
)


async def build(desk: Desk) -> None:
    parts.paragraph(_LEAD)
    about = await parts.opened(desk)
    kept = desk.kept.setdefault("scenario", dict(_FIRST))
    with ui.element("div").classes("halves"):
        with ui.element("section").props('aria-label="form"'):
            parts.heading("Form")
            form_place = ui.element("div").classes("w-full")
        with ui.element("section").props('aria-label="YAML"'):
            parts.heading("YAML")
            text = ui.textarea("scenario", value=kept["text"]).props("outlined rows=14 spellcheck=false")
            text.classes("w-full").bind_value(kept, "text")
    with form_place:
        _form(desk, about, kept)
    with ui.element("div").classes("controls"):
        ui.input("keep it as").bind_value(kept, "name")
        known = choices(desk.home, about["rules"])
        chosen = [one for one in kept["policies"] if one in known] or ["usual"]
        policies = ui.select(known, multiple=True, label="policies", value=chosen).props("use-chips")
        policies.bind_value(kept, "policies")
        ui.number("seed", min=0, max=2**31 - 1, precision=0).bind_value(kept, "seed")
        ui.button("Run", icon="play_arrow", on_click=lambda: run()).props("no-caps")
    place = ui.element("div").classes("w-full")

    def run() -> None:
        place.clear()
        with place, parts.told():
            file = desk.home.save(str(kept["name"]), str(kept["text"]))
            seed = parts.whole_number("seed", kept["seed"], 0, 2**31 - 1)
            who = sources(desk.home, about["rules"], kept["policies"])
            follow(desk.start("scenario", "whatif", desk.home.market, file, who, seed, None))

    def follow(job: Job) -> None:
        with place:
            parts.watch(
                job, lambda done: _show(done.result, f"{about['currency']} per episode"), lambda: None
            )

    if (job := desk.under_way.get("scenario")) is not None and not job.cancelled:
        follow(job)


def _form(desk: Desk, about: Mapping[str, Any], kept: dict[str, Any]) -> None:
    """Ready scenarios to start from, and one effect at a time to add."""
    schema = about["schema"]
    ready = {**about["ready"], **desk.home.saved()}
    kinds = {_SETTINGS: "", **form.effects(schema)}
    typed: dict[str, Any] = {}

    def begin(event: Any) -> None:
        if event.value in ready:
            kept["text"] = ready[event.value]

    def choose(event: Any) -> None:
        place.clear()
        typed.clear()
        with place:
            if kinds.get(event.value):
                parts.paragraph(kinds[event.value], "note")
            for field in _fields(schema, event.value):
                _input(field, about, typed)

    async def add() -> None:
        said.clear()
        with said, parts.told():
            kind = str(kind_choice.value)
            found = form.values(_fields(schema, kind), typed)
            file = desk.home.save(str(kept["name"]), str(kept["text"]))
            if kind == _SETTINGS:
                kept["text"] = await desk.ask("added", file, found, "", {})
            else:
                kept["text"] = await desk.ask("added", file, {}, kind, found)

    with ui.element("div").classes("controls"):
        ui.select(sorted(ready), label="start from", on_change=begin, with_input=True)
        kind_choice = ui.select(
            list(kinds), label="what changes", value="price", on_change=choose, with_input=True
        )
    place = ui.element("div").classes("w-full")
    ui.button("Add to the scenario", icon="add", on_click=add).props("outline no-caps").classes("mt-2")
    said = ui.element("div").classes("w-full")
    with place:
        for field in _fields(schema, "price"):
            _input(field, about, typed)


def _fields(schema: Mapping[str, Any], kind: str) -> list[form.FormField]:
    return form.settings(schema) if kind == _SETTINGS else form.fields(schema, kind)


def _input(field: form.FormField, about: Mapping[str, Any], typed: dict[str, Any]) -> None:
    """One field of the form; what is typed lands in ``typed``."""
    label = field.name.replace("_", " ")
    if field.kind == "names":
        box: Any = ui.select(about[field.name], multiple=True, label=f"{label} (all)", with_input=True)
        box.props("use-chips")
    elif field.kind == "choice":
        box = ui.select(list(field.choices), label=label, value=field.default)
    elif field.kind == "window":
        typed["window"] = ["", ""]
        with ui.element("div").classes("controls"):
            for n, end in enumerate(("from", "to")):
                ui.input(f"{end} period or date", on_change=_ends(typed, n)).classes("grow")
        return
    else:
        placeholder = "" if field.default is None else str(field.default)
        box = ui.input(label, placeholder=placeholder)
    box.classes("w-full").props(f'hint="{_hint(field.about)}"' if field.about else "")
    box.on_value_change(lambda event: typed.__setitem__(field.name, event.value))


def _ends(typed: dict[str, Any], n: int) -> Any:
    return lambda event: typed["window"].__setitem__(n, event.value)


def _hint(text: str) -> str:
    return text.replace('"', "'")


def _show(answers: Sequence[dict[str, Any]], unit: str) -> None:
    """What was found, as ``mercato whatif`` tells it."""
    parts.heading("What it changes")
    told: Any = answers[0] if len(answers) == 1 else answers
    parts.download("The whole answer as JSON", "whatif.json", lambda: to_json(told), "answer (JSON)")
    if len(answers) == 1:
        _one(answers[0], unit)
        return
    rows = [_difference(f"{one['scenario']}, {one['policy']}", one["differences"][0]) for one in answers]
    about = "Difference of profit per episode with and without each scenario, 95% intervals."
    parts.figure(charts.intervals("What each scenario changes", about, unit, rows, zero=True))
    parts.rows(answer.OVERVIEW, answer.overview(answers), text=(1,))
    place = ui.element("div").classes("w-full")

    def choose(event: Any) -> None:
        place.clear()
        with place:
            _one(answers[event.value], unit)

    names = {n: answer.title(one) for n, one in enumerate(answers)}
    ui.select(names, label="show one", value=0, on_change=choose).classes("w-full")
    place.move(target_index=-1)
    with place:
        _one(answers[0], unit)


def _one(told: Mapping[str, Any], unit: str) -> None:
    parts.paragraph(answer.title(told), "subtitle")
    parts.rows(answer.CHANGES, answer.changes(told))
    for line in answer.remarks(told):
        parts.paragraph(line)
    with parts.gallery():
        for what, key in (("item", "items"), ("location", "locations"), ("kind of customers", "customers")):
            name = "customers" if key == "customers" else what
            rows = [_difference(row[name], row) for row in told[key]]
            if len(rows) > 1:
                title = f"Profit by {what}"
                about = f"Difference per episode of {count(told['horizon'], 'period')}, 95% intervals."
                parts.figure(charts.intervals(title, about, unit, rows, zero=True))


def _difference(name: str, row: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": name, "mean": row["diff_mean"], "lo": row["diff_lo"], "hi": row["diff_hi"]}


VIEW = View("/scenario", "Scenarios", build)
