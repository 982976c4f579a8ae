"""One fingerprint for what belongs together: files of a folder, or the parts of one.

Whatever is damaged, cut off, or comes from another market is found before it is read, in one line.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from types import FunctionType
from typing import Any

import numpy as np
from torch import Tensor, nn

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


def of_values(*values: object) -> str:
    """The fingerprint of anything made of numbers, names and tensors, whatever it has worked out since."""
    return fingerprint(_told(values))


def _told(value: Any) -> Iterator[bytes]:
    """All that a value is made of; what a class works out once and keeps (``cached_property``) is no part."""
    yield type(value).__qualname__.encode()
    if isinstance(value, Tensor):
        yield from _told(value.detach().cpu().numpy())
    elif isinstance(value, np.ndarray):
        yield f"{value.dtype} {value.shape}".encode()
        yield (
            np.ascontiguousarray(value).tobytes() if value.dtype != object else repr(value.tolist()).encode()
        )
    elif isinstance(value, nn.Module):
        yield from _told(value.state_dict())
    elif isinstance(value, Mapping):
        for key, part in value.items():
            yield from _told(key)
            yield from _told(part)
    elif isinstance(value, (tuple, list)):
        yield str(len(value)).encode()
        for part in value:
            yield from _told(part)
    elif isinstance(value, (type, FunctionType)):
        yield value.__qualname__.encode()
    elif hasattr(value, "__dict__"):
        kept = (
            name for name in vars(value) if not isinstance(getattr(type(value), name, None), cached_property)
        )
        yield from _told({name: vars(value)[name] for name in sorted(kept)})
    else:
        yield repr(value).encode()
