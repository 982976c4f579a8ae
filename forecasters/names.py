"""Names of locations and items as people write them elsewhere: in a stock file, in a scenario."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from .errors import InputError

SHOWN = 60  # characters of a name in a message


def positions(names: Sequence[str], known: Sequence[str], expected: str) -> np.ndarray:
    """(N,) int64 position of each name among those that are ``known``.

    A number that a spreadsheet wrote another way, 12 for 12.0 or 007, is the one it equals, if only one does.

    Args:
        expected: what is named, for the message: "items of the market".

    Raises:
        InputError: a name that is not known; says the nearest that is.
    """
    exact, by_number = _places(tuple(known))

    def position(name: str) -> int:
        if name in exact:
            return exact[name]
        equal = by_number.get(_number(name), [])
        if len(equal) == 1:
            return equal[0]
        some = ", ".join(f"{one:.{SHOWN}}" for one in known[:5]) + (" …" if len(known) > 5 else "")
        raise InputError(f"expected {expected} ({some}), found {name!r:.{SHOWN}}{meant(name, known)}")

    return np.array([position(name) for name in names], dtype=np.int64)


def renumbered(index: np.ndarray, names: Sequence[str], known: Sequence[str]) -> np.ndarray:
    """(N,) int64 each index among ``names`` as one among those that are ``known``; -1 where it is none, or
    the index is -1."""
    at = {name: number for number, name in enumerate(known)}
    return np.array([*(at.get(name, -1) for name in names), -1], dtype=np.int64)[index]


@lru_cache(maxsize=16)
def _places(known: tuple[str, ...]) -> tuple[dict[str, int], dict[float, list[int]]]:
    """The position of each name, and those of each number that names are written as."""
    exact = {name: at for at, name in enumerate(known)}
    by_number: dict[float, list[int]] = {}
    for name, at in exact.items():
        by_number.setdefault(_number(name), []).append(at)
    return exact, by_number


def meant(name: str, known: Sequence[str]) -> str:
    """The nearest of the names that are ``known``, to end an error with; empty where none is near."""
    near = difflib.get_close_matches(name, known, 1, cutoff=0.5)
    return f"; did you mean {near[0]!r:.{SHOWN}}?" if near else ""


def _number(name: str) -> float:
    """The number that a name is written as; NaN, which equals nothing, where it is none."""
    try:
        return float(name) if name.replace(".", "", 1).isdigit() else float("nan")
    except ValueError:
        return float("nan")
