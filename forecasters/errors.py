"""Errors that a person reads: one line each, without a traceback."""

import operator
from typing import Any

_LONGEST = 2000  # characters


def one_line(text: str) -> str:
    """Text as one line that any terminal and any file can show, and that ends."""
    text = " ".join(text.split())
    shown = "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)
    return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]} …"


class InputError(ValueError):
    """Bad input from outside: one clear line that says what was expected, what was found and where.

    The command line prints it without a traceback and exits with status 2. What was found may hold anything:
    whatever a terminal would take for a command or a new line is shown as an escape.
    """

    def __init__(self, message: object) -> None:
        super().__init__(one_line(str(message)))


class UnplayableError(Exception):
    """What was learned of a table does not simulate it; says of which series, and how far it is off.

    The command line prints it without a traceback and exits with status 1; nothing is written.
    """


def whole(name: str, value: Any, least: int = 1, most: int | None = None) -> int:
    """``value``, called ``name``, as the whole number that it has to be.

    Raises:
        InputError: it is none (True is none either), or lies outside ``least`` to ``most``.
    """
    try:
        number = least - 1 if isinstance(value, bool) else operator.index(value)
    except TypeError:
        number = least - 1
    if number < least or (most is not None and number > most):
        wanted = (
            f"a whole number of {least} or more" if most is None else f"a whole number, {least} to {most}"
        )
        raise InputError(f"{name}: expected {wanted}, found {value!r:.60}")
    return number


def share(name: str, value: Any) -> float:
    """``value`` as a number from 0 to 1.

    Raises:
        InputError: it is none.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise InputError(f"{name}: expected a share, 0 to 1, found {value!r:.60}")
    return float(value)
