"""What if: build a scenario by form or as YAML, run it, and see what it changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ...output import to_json
from ...report import answer
from ...report.words import count
from .. import charts, form, parts
from ..jobs import Job
from ..nice import ui
from ..policies import choices, sources
from ..view import Desk, View

_SETTINGS, _USUAL = "name, length, episodes", "price"
_LARGEST_SEED = 2**31 - 1  # of the command line
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
        form_place = ui.element("section").props('aria-label="form"')
        with ui.element("section").props('aria-label="YAML"'):
            parts.heading("YAML")
            text = ui.textarea("scenario", value=kept["text"]).props("outlined rows=14 spellcheck=false")
            parts.remember(text.classes("w-full"), kept, "text")
    with form_place:
        _form(desk, about, kept, lambda yaml: text.set_value(yaml))
    with ui.element("div").classes("controls"):
        parts.remember(ui.input("keep it as", value=kept["name"]), kept, "name")
        known = choices(desk.home, about["rules"])
        chosen = [one for one in kept["policies"] if one in known] or ["usual"]
        policies = ui.select(known, multiple=True, label="policies", value=chosen).props("use-chips")
        parts.remember(policies, kept, "policies")
        seed = ui.number("seed", value=kept["seed"], min=0, max=_LARGEST_SEED, precision=0)
        parts.remember(seed, kept, "seed")
        ui.button("Run", icon="play_arrow", on_click=lambda: run()).props("no-caps")
    place = ui.element("div").classes("w-full")

    def run() -> None:
        place.clear()
        with place, parts.told():
            file = desk.home.save(str(kept["name"]), str(kept["text"]))
            seed = parts.whole_number("seed", kept["seed"], 0, _LARGEST_SEED)
            who = sources(desk.home, about["rules"], kept["policies"])
            desk.stop("scenario")  # its file may say something else than before
            out = desk.home.answer(file)
            follow(desk.start("scenario", "whatif", desk.home.market, file, who, seed, out))

    def follow(job: Job) -> None:
        unit = f"{about['currency']} per episode"
        with place:
            parts.watch(job, lambda done: _show(done.result, unit), lambda: None)

    if (job := desk.under_way.get("scenario")) is not None and not job.cancelled:
        follow(job)


def _form(desk: Desk, about: Mapping[str, Any], kept: Mapping[str, Any], put: Callable[[str], Any]) -> None:
    """Ready scenarios to start from, and one effect at a time to add; ``put`` shows the YAML."""
    schema = about["schema"]
    ready = {**about["ready"], **desk.home.saved()}
    kinds = {_SETTINGS: "", **form.effects(schema)}
    typed: dict[str, Any] = {}

    def begin(event: Any) -> None:
        if event.value in ready:
            put(ready[event.value])

    def choose(kind: str) -> None:
        place.clear()
        typed.clear()
        with place:
            if kinds.get(kind):
                parts.paragraph(kinds[kind], "note")
            for field in _fields(schema, kind):
                _input(field, about, typed)

    async def add() -> None:
        said.clear()
        with said, parts.told():
            kind = str(kind_choice.value)
            found = form.values(_fields(schema, kind), typed)
            file = desk.home.save(str(kept["name"]), str(kept["text"]))
            changed = (found, "", {}) if kind == _SETTINGS else ({}, kind, found)
            put(await desk.ask("added", file, *changed))

    parts.heading("Form")
    with ui.element("div").classes("controls"):
        ui.select(sorted(ready), label="start from", on_change=begin, with_input=True)
        kind_choice = ui.select(
            list(kinds), label="what changes", value=_USUAL, on_change=lambda event: choose(event.value)
        )
    place = ui.element("div").classes("w-full")
    ui.button("Add to the scenario", icon="add", on_click=add).props("outline no-caps").classes("mt-2")
    said = ui.element("div").classes("w-full")
    choose(_USUAL)


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
