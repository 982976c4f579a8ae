"""The scenario form: fields as the schema of scenario files tells them, and what a person typed as values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ...forecasters.errors import InputError

Kind = Literal["window", "names", "choice", "mapping", "number", "numbers", "text"]
_NAMES = ("locations", "items", "categories")


@dataclass(frozen=True)
class FormField:
    """One field of an effect."""

    name: str
    kind: Kind
    about: str
    default: Any = None
    choices: tuple[str, ...] = ()
    required: bool = False


def effects(schema: Mapping[str, Any]) -> dict[str, str]:
    """What each effect does, by the key that names it."""
    told = schema["properties"]
    return {
        kind: told[kind]["description"]
        for kind in told
        if "." not in kind and any("$ref" in form for form in told[kind].get("anyOf", ()))
    }


def fields(schema: Mapping[str, Any], kind: str) -> list[FormField]:
    """The fields of an effect, what it does before where and when."""
    (model,) = (
        form["$ref"].rsplit("/")[-1] for form in schema["properties"][kind]["anyOf"] if "$ref" in form
    )
    told = schema["$defs"][model]
    made = [_field(name, part, name in told.get("required", ())) for name, part in told["properties"].items()]
    return sorted(made, key=lambda one: (not one.required, one.kind in ("names", "window")))


def settings(schema: Mapping[str, Any]) -> list[FormField]:
    """What a scenario has beside effects: its name, length, number of episodes and start."""
    told, kinds = schema["properties"], effects(schema)
    return [
        _field(name, part, False)
        for name, part in told.items()
        if "." not in name and name not in kinds and name != "changes"
    ]


def _field(name: str, told: Mapping[str, Any], required: bool) -> FormField:
    forms = told.get("anyOf", [told])
    types = {form.get("type") for form in forms if isinstance(form.get("type"), str)}
    choices = tuple(value for form in forms for value in form.get("enum", ()))
    kind: Kind = "text"
    if name == "window":
        kind = "window"
    elif name in _NAMES:
        kind = "names"
    elif choices:
        kind = "choice"
    elif "object" in types:
        kind = "mapping"
    elif types & {"number", "integer"}:
        kind = "number"
    elif "array" in types:
        kind = "numbers"
    return FormField(name, kind, told.get("description", ""), told.get("default"), choices, required)


def values(fields: list[FormField], typed: Mapping[str, Any]) -> dict[str, Any]:
    """What was typed, as the file holds it; what is empty is left out.

    Raises:
        InputError: a field that must be there is empty, or a number is none.
    """
    out = {}
    for field in fields:
        value = _value(field, typed.get(field.name))
        if value is not None:
            out[field.name] = value
        elif field.required:
            raise InputError(f"{field.name}: expected {field.about or 'a value'}, found nothing")
    return out


def _value(field: FormField, typed: Any) -> Any:
    if field.kind == "names":
        return list(typed or ()) or None
    if field.kind == "window":
        ends = [_end(str(end).strip()) for end in typed or () if end is not None and str(end).strip()]
        if len(ends) == 1:
            raise InputError("window: expected its first and its last period or date, found one of them")
        return ends or None
    text = "" if typed is None else str(typed).strip()
    if not text:
        return None
    if field.kind == "number":
        values = [_number(field.name, part) for part in text.split(",")]
        return values if len(values) > 1 else values[0]
    if field.kind == "numbers":
        return [_number(field.name, part) for part in text.split(",")]
    if field.kind == "mapping":
        pairs = [part.partition(":") for part in text.split(",")]
        return {name.strip(): _number(field.name, value) for name, _, value in pairs}
    return text


def _end(text: str) -> int | str:
    return int(text) if re.fullmatch(r"[0-9]{1,6}", text) else text


def _number(name: str, text: str) -> int | float:
    text = text.strip()
    try:
        return int(text) if re.fullmatch(r"[-+]?[0-9]{1,9}", text) else float(text)
    except ValueError:
        raise InputError(
            f"{name}: expected a number, or several with commas between them, found {text!r:.40}"
        ) from None
