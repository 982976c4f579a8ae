"""What can go wrong at the environments' door, said in one line each."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

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
