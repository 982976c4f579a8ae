"""Results on their way out, and back: JSON that any reader accepts, files that are whole or not there."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from types import NoneType
from typing import Any

from ..envs.folders import sole_writer
from ..forecasters.errors import InputError
from ..forecasters.files import replace_file


def plain(value: Any) -> Any:
    """``value`` in JSON's own types; a number that is not finite becomes null."""
    if type(value) in (str, int, bool, NoneType):  # most are, and need no look
        return value
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if hasattr(value, "tolist"):  # numpy and torch, scalars and arrays
        return plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def to_json(value: Any) -> str:
    return json.dumps(plain(value), indent=2, allow_nan=False, ensure_ascii=False)


def write_file(path: Path, write: Callable[[Path], Any]) -> None:
    """Let ``write`` fill a file that then becomes ``path`` at once: a failure leaves what was there before.

    Raises:
        InputError: another process writes it.
        OSError: the folder cannot be made or written to.
    """
    with sole_writer(path):
        replace_file(path, write)


def write_text(path: Path, text: str) -> None:
    """Write ``text`` to ``path`` at once."""
    write_file(path, lambda new: new.write_text(text, encoding="utf-8"))


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` to ``path`` as JSON, at once."""
    write_text(path, to_json(value) + "\n")


def kept_result(file: Path) -> dict[str, Any] | None:
    """A result that was written whole; None where there is none.

    Raises:
        InputError: the file holds something else.
    """
    try:
        return dict(json.loads(file.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        raise InputError(f"{file}: expected a result of mercato, found something else ({error})") from None
