"""States are nested dataclasses of tensors, market axis first; here is what is done to all of their tensors.

Tensors may sit in dataclasses, tuples, lists and dicts of any depth; anything else is left as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import fields, is_dataclass, replace
from typing import Any

import torch
from torch import Tensor


def each(function: Callable[..., Tensor], first: Any, *others: Any) -> Any:
    """``first`` with every tensor replaced by ``function`` of it and of the tensors of ``others`` there."""
    if isinstance(first, Tensor):
        return function(first, *others)
    if is_dataclass(first) and not isinstance(first, type):
        names = [f.name for f in fields(first)]
        parts = {n: each(function, getattr(first, n), *(getattr(o, n) for o in others)) for n in names}
        return replace(first, **parts)
    if isinstance(first, dict):
        return {key: each(function, first[key], *(o[key] for o in others)) for key in first}
    if isinstance(first, tuple | list):
        return type(first)(each(function, *parts) for parts in zip(first, *others, strict=True))
    return first


def where(mask: Tensor, new: Any, old: Any) -> Any:
    """``new`` for the markets in ``mask`` (B,) bool, ``old`` for the others."""

    def choose(before: Tensor, after: Tensor) -> Tensor:
        return torch.where(mask.view(-1, *([1] * (before.dim() - 1))), after, before)

    return each(choose, old, new)


def laid_out(state: Any) -> Any:
    """The same with every tensor contiguous, as steps leave them: compiled code is made for one layout."""
    return each(Tensor.contiguous, state)


def leaves(state: Any) -> list[Tensor]:
    """All tensors, in a fixed order."""
    found: list[Tensor] = []

    def keep(tensor: Tensor) -> Tensor:
        found.append(tensor)
        return tensor

    each(keep, state)
    return found


def refilled(state: Any, tensors: Iterable[Tensor]) -> Any:
    """The same with ``tensors`` in the places of its own, in the order of ``leaves``."""
    rest = iter(tensors)
    return each(lambda old: next(rest).to(old.device), state)


def size(state: Any) -> int:
    """Bytes of all tensors."""
    return sum(tensor.numel() * tensor.element_size() for tensor in leaves(state))
