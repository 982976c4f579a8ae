"""What a person writes in YAML or JSON, read into a validated model or refused in one clear line.

Numbers mean what they look like: ``1:30``, ``0o17`` and ``NO`` are text, ``true`` is no number, a key that is
given twice is a mistake, and there are no references that a few lines could unfold to gigabytes.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping, Sequence
from math import inf
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from ..forecasters.errors import InputError

AnySettings = TypeVar("AnySettings", bound="Settings")

_LARGEST_FILE = 2**20  # bytes
_MOST = 50_000  # names and values in a file; the slowest text of 1 MiB has half a million, ten seconds' work
_LARGEST = 1e12  # nothing that a shop counts is beyond
_SHOWN = 60  # characters of a value in a message
_DIGITS, _DEPTH = 100, 20  # of a whole number, and levels of lists and mappings, beyond all that is meant


_TOO_MANY = f"expected at most {_MOST:,} names and values, found more"

Place = tuple[str | int, ...]
"""Where in a file something is: names of fields, and numbers of entries of lists from 0."""


class _Refused(yaml.YAMLError):
    """What the plain YAML below does not have."""


class Fault(Exception):
    """What is wrong, and where; whoever knows the file says so in one line."""

    def __init__(self, place: Place, said: str) -> None:
        super().__init__(said)
        self.place, self.said = place, said

    def __str__(self) -> str:
        return f"{dotted(self.place)}: {self.said}" if self.place else self.said


def dotted(place: Place) -> str:
    """A place as a message names it: demand.0.items."""
    return ".".join(_cut(str(part)) for part in place)


class _PlainYaml(yaml.SafeLoader):
    """YAML of mappings, lists, text, numbers, true and false: no aliases, tags or duplicate keys."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 (PyYAML copies it before it adds to it)

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._nodes = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        self._nodes += 1
        if self._nodes > _MOST:
            raise _Refused(f"line {self.peek_event().start_mark.line + 1}: {_TOO_MANY}")
        if self.check_event(yaml.AliasEvent):
            raise _Refused(f"line {self.peek_event().start_mark.line + 1}: aliases (*) are not read")
        if getattr(self.peek_event(), "tag", None) is not None:
            raise _Refused(f"line {self.peek_event().start_mark.line + 1}: tags (!) are not read")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise _Refused(f"line {line}: expected the name of a field")
            if key.value in seen:
                raise _Refused(f"line {line}: {_short(key.value)} is given twice")
            seen.add(key.value)
        return super().construct_mapping(node, deep)


_PlainYaml.add_constructor("tag:yaml.org,2002:int", lambda _, node: _whole(str(node.value)))

for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("int", r"[-+]?(0|[1-9][0-9]*)", "-+0123456789"),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+(?=[eE]))([eE][-+]?[0-9]+)?", "-+.0123456789"),
    ("float", r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", "-+."),
):
    _PlainYaml.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), list(_first)
    )


class Settings(BaseModel):
    """Settings that a person writes, in a file or in Python, where a mistake is one line, too."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def __init__(self, **fields: Any) -> None:
        """Raises InputError for a field that is unknown or out of range."""
        try:
            super().__init__(**fields)
        except ValidationError as error:
            raise InputError(f"{type(self).__name__}: {first_fault(error, type(self))}") from None

    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]  # pydantic: it validates as ever


def read_settings(
    source: str | Path | Mapping[str, Any], what: str, model: type[AnySettings], holds: str, fields: str
) -> AnySettings:
    """The ``model`` in a YAML or JSON file, or in a mapping.

    Args:
        source: the file, or what it would hold.
        what: what to call it in an error: "economics".
        model: what it should hold.
        holds: what the mapping is of, for the error of a file that is none.
        fields: which fields there are, for the error of an unknown one.

    Raises:
        InputError: the file is absent, too large or not a mapping, or a field is unknown or out of range.
    """
    if isinstance(source, Mapping):
        name, data = what, dict(source)
    elif isinstance(source, str | Path):
        name = f"{what} file {source}"
        data = plain(Path(source), name)
    else:
        raise InputError(f"{what}: expected a path or a mapping {holds}, found {type(source).__name__}")
    if not isinstance(data, dict):
        raise InputError(f"{name}: expected a mapping {holds}, found {kind_of(data)}")
    try:
        data = checked(data)
    except Fault as fault:
        raise InputError(f"{name}: {fault}") from None
    try:
        return model.model_validate_json(json.dumps(data), strict=True)
    except ValidationError as error:
        raise InputError(f"{name}: {first_fault(error, model)}; {fields}") from None


def first_fault(error: ValidationError, model: type[BaseModel]) -> Fault:
    """Where, what was expected, and what was found."""
    first = error.errors()[0]
    place = first["loc"]
    if first["type"] == "extra_forbidden":
        return Fault(place, f"no such field{_nearest(str(place[-1]), model)}")
    if first["type"] == "model_type":
        return Fault(place, f"expected a mapping of fields, found {_short(first['input'])}")
    found = "" if first["type"] == "missing" else f", found {_short(first['input'])}"
    return Fault(place, first["msg"].removeprefix("Value error, ") + found)


def plain(path: Path, name: str) -> Any:
    """Mappings, lists and scalars of a file, which is called ``name`` in errors.

    Raises:
        InputError: it cannot be read, is too large, or neither YAML nor JSON.
    """
    return plain_with_lines(path, name)[0]


def plain_with_lines(path: Path, name: str) -> tuple[Any, dict[Place, int]]:
    """The same, and the line, from 1, of each place in it; none for JSON.

    Raises:
        InputError: likewise.
    """
    text = _text(path, name)
    try:
        if path.suffix == ".json":
            told = json.loads(text, object_pairs_hook=_once, parse_int=_whole)
            if _size(told) > _MOST:
                raise ValueError(_TOO_MANY)
            return told, {}
        loader = _PlainYaml(text)
        try:
            node = loader.get_single_node()
            return None if node is None else loader.construct_document(node), _lines(node)
        finally:
            loader.dispose()
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        raise InputError(f"{name}: not valid YAML or JSON ({_reason(error)})") from None


def _lines(node: yaml.Node | None) -> dict[Place, int]:
    found: dict[Place, int] = {}

    def walk(node: yaml.Node | None, place: Place) -> None:
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                found[(*place, key.value)] = key.start_mark.line + 1
                walk(value, (*place, key.value))
        elif isinstance(node, yaml.SequenceNode):
            for number, value in enumerate(node.value):
                found[(*place, number)] = value.start_mark.line + 1
                walk(value, (*place, number))

    walk(node, ())
    return found


def _size(value: Any) -> int:
    """How many names and values there are, as YAML would count them."""
    if isinstance(value, dict):
        return 1 + len(value) + sum(map(_size, value.values()))
    return 1 + sum(map(_size, value)) if isinstance(value, list) else 1


def _text(path: Path, name: str) -> str:
    try:
        size = path.stat().st_size
        text = path.read_text(encoding="utf-8-sig") if size <= _LARGEST_FILE else ""
    except OSError as error:
        raise InputError(f"{name}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        raise InputError(
            f"{name}: expected text in UTF-8, found byte 0x{byte:02x} at position {error.start}"
        ) from None
    except ValueError as error:
        raise InputError(f"{name}: not valid YAML or JSON ({_reason(error)})") from None
    if size > _LARGEST_FILE:
        raise InputError(f"{name}: expected at most 1 MiB, found {size:,} bytes")
    return text


def _whole(text: str) -> int | float:
    """The whole number that is written; one that nobody counts to is infinite."""
    return int(text) if len(text) <= _DIGITS else inf


def _reason(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "nested too deeply"
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        return f"line {error.problem_mark.line + 1}: {error.problem}"
    return str(error).splitlines()[0]


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{_short(twice)} is given twice")
    return found


def checked(value: Any, place: Place = ()) -> Any:
    """``value`` with 2.0 as 2.

    Raises:
        Fault: a number that is none, or beyond all that a shop counts; something else than text, numbers,
            lists and mappings of names; or these within each other without end.
    """
    if len(place) > _DEPTH:
        raise Fault(place[:1], f"expected at most {_DEPTH} levels, found more")
    if isinstance(value, Mapping):
        if odd := [name for name in value if not isinstance(name, str)]:
            raise Fault(place, f"expected names of fields, found {_short(odd[0])}")
        return {k: checked(part, (*place, k)) for k, part in value.items()}
    if isinstance(value, list | tuple):
        return [checked(part, (*place, number)) for number, part in enumerate(value)]
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | str):
        return value
    if not isinstance(value, int | float):
        raise Fault(place, f"expected text, a number or a list, found {type(value).__name__}")
    if not abs(value) <= _LARGEST:  # nor is NaN
        raise Fault(place, f"expected a number up to {_LARGEST:g}, found {_short(value)}")
    return int(value) if value == int(value) else value


def _short(value: Any) -> str:
    return _cut(repr(value))


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else text[:_SHOWN] + " …"


def _nearest(name: str, model: type[BaseModel]) -> str:
    """The field that was perhaps meant, of the model or one within it."""
    names: list[str] = []
    models: list[Any] = [model]
    while models:
        for field, info in models.pop().model_fields.items():
            names.append(field)
            inner = info.annotation
            args = [inner, *getattr(inner, "__args__", ())]
            models += [part for part in args if isinstance(part, type) and issubclass(part, BaseModel)]
    return nearest(name, names)


def nearest(name: str, names: Sequence[str]) -> str:
    """The one of ``names`` that was perhaps meant, to end an error with."""
    near = difflib.get_close_matches(name, names, 1)
    return f" (did you mean {near[0]}?)" if near else ""


def kind_of(value: Any) -> str:
    """What a value is, in words."""
    kinds = {list: "a list", str: "text", type(None): "nothing", bool: "a truth value"}
    return kinds.get(type(value), "a number")
