"""What a person writes in YAML or JSON, read into a validated model or refused in one clear line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from ..forecasters.errors import InputError

Settings = TypeVar("Settings", bound=BaseModel)


def read_settings(path: Path, what: str, model: type[Settings], holds: str, fields: str) -> Settings:
    """The ``model`` in a YAML or JSON file.

    Args:
        path: the file.
        what: what to call it in an error.
        model: what it should hold.
        holds: what the mapping is of, for the error of a file that is none.
        fields: which fields there are, for the error of an unknown one.

    Raises:
        InputError: the file is absent or not a mapping, or a field is unknown or out of range.
    """
    try:
        text = path.read_text(encoding="utf-8")
        data = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    except OSError as error:
        raise InputError(f"{what} {path}: cannot be read ({error.strerror})") from None
    except (ValueError, yaml.YAMLError) as error:
        raise InputError(f"{what} {path}: not valid YAML or JSON ({str(error).splitlines()[0]})") from None
    if not isinstance(data, dict):
        raise InputError(f"{what} {path}: expected a mapping {holds}, found {type(data).__name__}")
    try:
        return model(**data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError(
            f"{what} {path}: {where}: {first['msg']}, found {first['input']!r}; {fields}"
        ) from None
