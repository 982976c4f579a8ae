"""One fingerprint for what belongs together: files of a folder, or the parts of one.

Whatever is damaged, cut off, or comes from another market is found before it is read, in one line.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from .errors import InputError

SEAL = "fingerprint"
_CHUNK = 2**20


def fingerprint(parts: Iterable[bytes]) -> str:
    """SHA-256 of some bytes, each part apart from the next."""
    whole = hashlib.sha256()
    for part in parts:
        whole.update(hashlib.sha256(part).digest())
    return whole.hexdigest()


def of_file(path: Path) -> str:
    whole = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            whole.update(chunk)
    return whole.hexdigest()


def sealed(about: Mapping[str, Any], folder: Path, files: Iterable[str]) -> dict[str, Any]:
    """``about`` with the fingerprints of ``files`` in a folder, and its own."""
    told = {**about, "files": {name: of_file(folder / name) for name in files}}
    return {**told, SEAL: _own(told)}


def _own(about: Mapping[str, Any]) -> str:
    rest = {name: value for name, value in about.items() if name != SEAL}
    return fingerprint([json.dumps(rest, sort_keys=True).encode()])


def unsealed(folder: Path, name: str, what: str, version: int) -> dict[str, Any]:
    """What ``folder / name`` tells, if it and its files are as they were written.

    Args:
        what: what the folder should hold, for the message: "a fitted market".
        version: of the format.

    Raises:
        InputError: it is absent, damaged, of another version, or a file beside it is not the one it tells of.
    """
    place = f"{folder}: expected {what}"
    try:
        about = json.loads((folder / name).read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{place}, found that {name} cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError):
        raise InputError(f"{place}, found that {name} is damaged; make it again") from None
    if not isinstance(about, dict):
        raise InputError(f"{place}, found that {name} is damaged; make it again")
    if about.get("format") != version:
        raise InputError(f"{place} of format {version}, found {about.get('format')!r:.40}; make it again")
    if about.get(SEAL) != _own(about):
        raise InputError(f"{place} as it was written, found that {name} was changed; make it again")
    for file, told in about["files"].items():
        path = folder / file
        if not path.is_file():
            raise InputError(f"{place}, found no {file} in it; make it again")
        if of_file(path) != told:
            raise InputError(f"{place}, found that {file} is damaged or another market's; make it again")
    return about
