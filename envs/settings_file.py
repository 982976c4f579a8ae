"""What a person writes in YAML or JSON, read into a validated model or refused in one clear line.

Numbers mean what they look like: ``1:30``, ``0o17`` and ``NO`` are text, ``true`` is no number, a key that is
given twice is a mistake, and there are no references that a few lines could unfold to gigabytes.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from ..forecasters.errors import InputError

AnySettings = TypeVar("AnySettings", bound="Settings")

_LARGEST_FILE = 2**20  # bytes
_LARGEST = 1e12  # nothing that a shop counts is beyond
_SHOWN = 60  # characters of a value in a message


class _Refused(yaml.YAMLError):
    """What the plain YAML below does not have."""


class _PlainYaml(yaml.SafeLoader):
    """YAML of mappings, lists, text, numbers, true and false: no aliases, no duplicate keys."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 (PyYAML copies it before it adds to it)

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise _Refused(f"line {self.peek_event().start_mark.line + 1}: aliases (*) are not read")
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
            raise InputError(f"{type(self).__name__}: {_first_fault(error, type(self))}") from None

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
        data = _plain(Path(source), name)
    else:
        raise InputError(f"{what}: expected a path or a mapping {holds}, found {type(source).__name__}")
    if not isinstance(data, dict):
        raise InputError(f"{name}: expected a mapping {holds}, found {_kind(data)}")
    data = _checked(data, name, "")
    try:
        return model.model_validate_json(json.dumps(data), strict=True)
    except ValidationError as error:
        raise InputError(f"{name}: {_first_fault(error, model)}; {fields}") from None


def _first_fault(error: ValidationError, model: type[BaseModel]) -> str:
    """Where, what was expected, and what was found."""
    first = error.errors()[0]
    where = ".".join(_cut(str(part)) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return f"{where}: no such field{_nearest(str(first['loc'][-1]), model)}"
    found = "" if first["type"] == "missing" else f", found {_short(first['input'])}"
    said = first["msg"].removeprefix("Value error, ") + found
    return f"{where}: {said}" if where else said


def _plain(path: Path, name: str) -> Any:
    """Mappings, lists and scalars of a file."""
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise InputError(f"{name}: expected at most 1 MiB, found {path.stat().st_size:,} bytes")
        text = path.read_text(encoding="utf-8-sig")
        if path.suffix == ".json":
            return json.loads(text, object_pairs_hook=_once)
        return yaml.load(text, Loader=_PlainYaml)
    except OSError as error:
        raise InputError(f"{name}: cannot be read ({error.strerror})") from None
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        said = "nested too deeply" if isinstance(error, RecursionError) else str(error).splitlines()[0]
        raise InputError(f"{name}: not valid YAML or JSON ({said})") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{_short(twice)} is given twice")
    return found


def _checked(value: Any, file: str, where: str) -> Any:
    """``value`` with 2.0 as 2; numbers that are none, or beyond all that a shop counts, are refused."""
    if isinstance(value, dict):
        if odd := [name for name in value if not isinstance(name, str)]:
            raise InputError(f"{file}: expected names of fields, found {_short(odd[0])}")
        return {k: _checked(part, file, f"{where}.{_cut(k)}".strip(".")) for k, part in value.items()}
    if isinstance(value, list | tuple):
        return [_checked(part, file, f"{where}.{number}") for number, part in enumerate(value)]
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | str):
        return value
    if not isinstance(value, int | float):
        raise InputError(f"{file}: {where}: expected text, a number or a list, found {type(value).__name__}")
    if not abs(value) <= _LARGEST:  # nor is NaN
        raise InputError(f"{file}: {where}: expected a number up to {_LARGEST:g}, found {_short(value)}")
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
    near = difflib.get_close_matches(name, names, 1)
    return f" (did you mean {near[0]}?)" if near else ""


def _kind(value: Any) -> str:
    kinds = {list: "a list", str: "text", type(None): "nothing", bool: "a truth value"}
    return kinds.get(type(value), "a number")
