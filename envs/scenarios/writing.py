"""How scenarios are written: short forms, several values at once, and YAML."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from ..settings_file import Fault, Place, nearest

_SCOPE = ("items", "locations", "window")
_CHANGES = ("demand", "cost", "price")
_MOST = 200  # scenarios of one grid


def in_fields(data: Mapping[str, Any]) -> tuple[dict[str, Any], dict[Place, Place]]:
    """A mapping with every effect as a list of mappings, and where in ``data`` each place of it was.

    Short forms: ``cost: 1.05`` and ``cost.multiplier: 1.05`` for ``cost: {multiplier: 1.05}``, and a list
    ``changes`` of multiples of demand, cost and price with the items, locations and window of all three.

    Raises:
        Fault: a change has an unknown field.
    """
    out: dict[str, Any] = {}
    was: dict[Place, Place] = {}
    for key, value in data.items():
        kind, dot, field = key.partition(".")
        if key == "changes":
            _put_changes(value, out, was)
        elif dot:
            _put_field(kind, field, key, value, out, was)
        else:
            _put_effects(key, value, out, was)
    return out, was


def _put_effects(key: str, value: Any, out: dict[str, Any], was: dict[Place, Place]) -> None:
    entries: list[Any]
    places: list[Place]
    if isinstance(value, Mapping):
        entries, places = [value], [(key,)]
    elif key in _SETTINGS:
        out[key] = value
        return
    elif _number(value) or (isinstance(value, list) and value and all(map(_number, value))):
        entries, places = [{"multiplier": value}], [(key,)]
        was[(key, len(out.get(key, ())), "multiplier")] = (key,)
    elif isinstance(value, list | tuple):
        entries, places = list(value), [(key, number) for number in range(len(value))]
    else:
        entries, places = [value], [(key,)]
    for entry, place in zip(entries, places, strict=True):
        was[(key, len(out.setdefault(key, [])))] = place
        out[key].append(entry)


def _put_field(
    kind: str, field: str, key: str, value: Any, out: dict[str, Any], was: dict[Place, Place]
) -> None:
    """A field of the kind's first effect."""
    if kind in _SETTINGS:
        raise Fault((key,), f"{kind} has no fields")
    was.setdefault((kind,), (key,))
    entries = out.setdefault(kind, [{}])
    if not isinstance(entries, list) or not isinstance(entries[0], Mapping):
        raise Fault((key,), f"expected no other {kind}, or one that is a mapping")
    if field in entries[0]:
        raise Fault((key,), f"{field} is given twice")
    entries[0] = {**entries[0], field: value}
    was[(kind, 0, field)] = (key,)


def _put_changes(changes: Any, out: dict[str, Any], was: dict[Place, Place]) -> None:
    for number, change in enumerate(changes if isinstance(changes, list | tuple) else [changes]):
        place: Place = ("changes", number)
        if not isinstance(change, Mapping):
            raise Fault(place, "expected a mapping with demand, cost or price, found something else")
        for field in change:
            if field not in _CHANGES + _SCOPE:
                raise Fault((*place, str(field)), f"no such field{nearest(str(field), _CHANGES + _SCOPE)}")
        kinds = [kind for kind in _CHANGES if kind in change]
        if not kinds:
            raise Fault(place, "expected a multiple of demand, cost or price, found none")
        for kind in kinds:
            at = len(out.setdefault(kind, []))
            out[kind].append(
                {"multiplier": change[kind], **{field: change[field] for field in _SCOPE if field in change}}
            )
            was[(kind, at)] = place
            was[(kind, at, "multiplier")] = (*place, kind)


_SETTINGS = ("name", "horizon", "episodes", "start")


def grid(fields: Mapping[str, Any], numeric: Mapping[str, frozenset[str]]) -> Iterator[dict[str, Any]]:
    """One mapping a combination of values, where a number is a list of them; its name says which.

    Args:
        fields: as ``in_fields`` makes them.
        numeric: the fields of each kind of effect that hold one number.

    Raises:
        Fault: too many combinations, or none.
    """
    axes: list[tuple[str, int, str, list[Any]]] = []
    for kind in numeric:
        entries = fields.get(kind, ())
        for number, entry in enumerate(entries if isinstance(entries, list | tuple) else ()):
            for field in entry if isinstance(entry, Mapping) else ():
                if field in numeric[kind] and isinstance(entry[field], list):
                    axes.append((kind, number, field, entry[field]))
                    if not entry[field]:
                        raise Fault((kind, number, field), "expected at least one value, found none")
    size = math.prod(len(values) for *_, values in axes)
    if size > _MOST:
        raise Fault((), f"expected at most {_MOST} combinations of values, found {size:,}")
    for values in itertools.product(*(values for *_, values in axes)):
        one = {key: list(value) if isinstance(value, list) else value for key, value in fields.items()}
        named = []
        for (kind, number, field, _), value in zip(axes, values, strict=True):
            one[kind][number] = {**one[kind][number], field: value}
            named.append(f"{kind}.{field} {value}")
        if named:
            one["name"] = f"{one.get('name', 'scenario')}: {', '.join(named)}"[:200]
        yield one


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


class _Dumper(yaml.SafeDumper):
    """Text in quotes wherever a reader could take it for something else."""


_WORDS = ("true", "false", "null", "yes", "no", "on", "off", "y", "n")
_Dumper.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar(
        "tag:yaml.org,2002:str",
        text,
        style=None if text.isidentifier() and text.lower() not in _WORDS else '"',
    ),
)


def to_yaml(mapping: Mapping[str, Any]) -> str:
    """A mapping as a YAML file that reads back the same."""
    return yaml.dump(
        dict(mapping), Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=None
    )
