"""Frozen dataclasses of tensors: moved between devices, stacked in time, packed into plain files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, TypeVar, get_type_hints

import torch
from torch import Tensor

R = TypeVar("R")


def shallow(record: Any) -> dict[str, Any]:
    """The fields of ``record`` by name, as they are."""
    return {f.name: getattr(record, f.name) for f in fields(record)}


def map_tensors(record: R, change: Callable[[Tensor], Tensor]) -> R:
    """``record`` with every tensor in it, nested ones included, replaced by ``change(tensor)``."""

    def visit(value: Any) -> Any:
        if isinstance(value, Tensor):
            return change(value)
        return map_tensors(value, change) if is_dataclass(value) else value

    return type(record)(**{f.name: visit(getattr(record, f.name)) for f in fields(record)})  # type: ignore[arg-type]


def move(record: R, device: torch.device | str) -> R:
    """``record`` on another device."""
    return map_tensors(record, lambda tensor: tensor.to(device))


def concatenate(records: Sequence[R]) -> R:
    """Flat records of tensors joined along their first axis."""
    first = records[0]
    joined = {f.name: torch.cat([getattr(r, f.name) for r in records]) for f in fields(first)}  # type: ignore[arg-type]
    return type(first)(**joined)


def pack(record: Any, prefix: str = "") -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors of ``record`` under dotted names, and everything else as values that JSON can hold."""
    tensors: dict[str, Tensor] = {}
    values: dict[str, Any] = {}
    for name in (f.name for f in fields(record)):
        value = getattr(record, name)
        if isinstance(value, Tensor):
            tensors[prefix + name] = value.contiguous()
        elif is_dataclass(value):
            inner, values[name] = pack(value, f"{prefix}{name}.")
            tensors |= inner
        else:
            values[name] = value
    return tensors, values


def unpack(kind: type[R], tensors: dict[str, Tensor], values: dict[str, Any], prefix: str = "") -> R:
    """The record of class ``kind`` that ``pack`` took apart; a field that it did not know has its default."""

    def read(name: str, hint: Any) -> Any:
        if prefix + name in tensors:
            return tensors[prefix + name]
        if is_dataclass(hint):
            return unpack(hint, tensors, values[name], f"{prefix}{name}.")  # type: ignore[arg-type]
        return tuple(values[name]) if isinstance(values[name], list) else values[name]

    hints = get_type_hints(kind)
    told = [f for f in fields(kind) if f.default is MISSING or f.name in values or prefix + f.name in tensors]  # type: ignore[arg-type]
    return kind(**{f.name: read(f.name, hints[f.name]) for f in told})
