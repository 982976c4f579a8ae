"""What can go wrong at the environments' door, said in one line each."""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec

from gymnasium import error

from ...forecasters.errors import InputError
from ...forecasters.names import positions

P = ParamSpec("P")


class ResetNeeded(InputError, error.ResetNeeded):
    """A step or a picture was asked for where no episode is being played."""


class InvalidAction(InputError, error.InvalidAction):
    """An action is not of the action space: its shape, its kind, or a number that is none."""


def named(begin: Callable[P, None]) -> Callable[P, None]:
    """A constructor that refuses arguments it does not know, by the nearest that it does, and missing ones.

    Raises:
        InputError: when it is called so.
    """
    signature = inspect.signature(begin)
    known = list(signature.parameters)[1:]

    @wraps(begin)
    def checked(*args: P.args, **kwargs: P.kwargs) -> None:
        whose = type(args[0]).__name__
        positions(list(kwargs), known, f"arguments of {whose}")
        try:
            signature.bind(*args, **kwargs)
        except TypeError as wrong:
            raise InputError(f"{whose}: expected arguments {', '.join(known)}; {wrong}") from None
        begin(*args, **kwargs)

    return checked


def at_least_one(name: str, value: Any) -> int:
    """``value``, a whole number of 1 or more.

    Raises:
        InputError: it is none.
    """
    try:
        number = 0 if isinstance(value, bool) else operator.index(value)
    except TypeError:
        number = 0
    if number < 1:
        raise InputError(f"{name}: expected a whole number, 1 or more, found {value!r:.60}")
    return number
