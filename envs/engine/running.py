"""How a pure step of the market is run: as it is written, or compiled into few fused kernels.

A runner takes a function of tensors (in dataclasses of any depth) and returns one that gives the same.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from types import CodeType, FunctionType
from typing import Any, Protocol, TypeVar

import torch

from ...forecasters.errors import InputError

F = TypeVar("F", bound=Callable[..., Any])


_COMPILERS = ("c++", "g++", "clang++", "cl")


class Runner(Protocol):
    """Makes a function run in some way of its own."""

    def __call__(self, function: F, /) -> F: ...


def as_written(function: F) -> F:
    """The function itself: nothing to wait for."""
    return function


@dataclass(frozen=True)
class Compiled:
    """The function compiled whole (``torch.compile``) at its first call, which takes half a minute.

    The shapes of the first call are the only ones it is made for. Whatever would ask the device in the midst
    of the step (a branch on a value, a number read off a tensor) cannot be compiled and raises there.

    Raises:
        InputError: the machine has no C++ compiler.
    """

    backend: str = "inductor"  # of torch.compile; "aot_eager" traces alone, to see that it can be compiled

    def __call__(self, function: F) -> F:
        if self.backend == "inductor" and not any(map(shutil.which, _COMPILERS)):
            raise InputError(f"compiled: expected a C++ compiler ({', '.join(_COMPILERS)}), found none")

        def whole(*arguments: Any) -> Any:
            with torch.no_grad():
                return function(*arguments)

        # torch keeps what it compiled by the code object, up to a limit: each function gets its own
        code: CodeType = whole.__code__.replace()
        own = FunctionType(code, whole.__globals__, closure=whole.__closure__)
        return torch.compile(own, fullgraph=True, dynamic=False, backend=self.backend)  # type: ignore[return-value]
