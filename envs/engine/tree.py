"""Choosing between two states market by market; states are nested dataclasses, market axis first."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import Any

import torch
from torch import Tensor


def where(mask: Tensor, new: Any, old: Any) -> Any:
    """``new`` for the markets in ``mask`` (B,) bool, ``old`` for the others.

    Tensors may sit in dataclasses, tuples, lists and dicts of any depth; anything else is taken from ``old``.
    """
    if isinstance(old, Tensor):
        return torch.where(mask.view(-1, *([1] * (old.dim() - 1))), new, old)
    if is_dataclass(old) and not isinstance(old, type):
        names = [f.name for f in fields(old)]
        return replace(old, **{n: where(mask, getattr(new, n), getattr(old, n)) for n in names})
    if isinstance(old, dict):
        return {key: where(mask, new[key], old[key]) for key in old}
    if isinstance(old, tuple | list):
        return type(old)(where(mask, n, o) for n, o in zip(new, old, strict=True))
    return old
