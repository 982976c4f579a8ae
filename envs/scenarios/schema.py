"""The JSON schema of scenario files, which editors check and complete them with."""

from __future__ import annotations

from typing import Any

from .reading import NUMERIC
from .scenario import EFFECTS, Scenario

_SCHEMA = "https://json-schema.org/draft/2020-12/schema"
_TOLD = ("default", "description", "title")
_NAMES = {"locations", "items", "categories"}  # one name, or a list of them


def schema() -> dict[str, Any]:
    """What a scenario file may hold, with its short forms, and lists of the values to try."""
    out = Scenario.model_json_schema()
    for kind, model in EFFECTS.items():
        fields = out["$defs"][model.__name__]["properties"]
        for name in NUMERIC[kind]:
            fields[name] = _or_several(fields[name])
        for name in _NAMES & fields.keys():
            fields[name] = _with_form(fields[name], {"type": ["string", "number"]})
        for name, field in fields.items():
            out["properties"][f"{kind}.{name}"] = {k: v for k, v in field.items() if k != "title"}
        out["properties"][kind] = _effects(model.__name__, model.__doc__ or "", fields.get("multiplier"))
    out["properties"]["changes"] = {
        "type": "array",
        "description": "older form: multiples of demand, cost and price with items, locations and window",
        "items": {"type": "object"},
    }
    return {"$schema": _SCHEMA, **out, "title": "mercato scenario"}


def _effects(model: str, about: str, multiplier: dict[str, Any] | None) -> dict[str, Any]:
    """One effect, a list of them, or the multiplier alone."""
    one = {"$ref": f"#/$defs/{model}"}
    forms = [one, {"type": "array", "items": one, "minItems": 1}]
    short = [] if multiplier is None else multiplier["anyOf"]
    return {"description": " ".join(about.split()), "anyOf": [*forms, *short]}


def _or_several(number: dict[str, Any]) -> dict[str, Any]:
    """A number, or the list of numbers to try."""
    values = {"anyOf": [form for form in _forms(number) if form.get("type") != "null"]}
    return _with_form(number, {"type": "array", "items": values, "minItems": 1})


def _with_form(field: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    """A field that may take one more form."""
    told = {k: v for k, v in field.items() if k in _TOLD}
    return told | {"anyOf": [*_forms(field), more]}


def _forms(field: dict[str, Any]) -> list[dict[str, Any]]:
    return field.get("anyOf") or [{k: v for k, v in field.items() if k not in _TOLD}]
