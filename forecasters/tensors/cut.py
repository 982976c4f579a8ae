"""Sub-markets: some locations and items of what is fitted, known or simulated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import torch
from torch import Tensor

from ..errors import InputError
from ..names import SHOWN, meant

T = TypeVar("T")


@dataclass(frozen=True)
class Cut:
    """Which locations and items stay."""

    places: Tensor  # (S',) int64
    goods: Tensor  # (I',) int64

    @staticmethod
    def of(
        locations: Sequence[str],
        items: Sequence[str],
        wanted_locations: Sequence[str] | None,
        wanted_items: Sequence[str] | None,
        device: torch.device | str = "cpu",
    ) -> Cut:
        """By names, in the order of ``locations`` and ``items``; all of them where None.

        Raises:
            InputError: a wanted name is not there.
        """
        places, goods = positions(locations, wanted_locations), positions(items, wanted_items)
        return Cut(places.to(device), goods.to(device))

    def tensor(self, x: Tensor, axes: str) -> Tensor:
        """``x`` cut along its axes, named a letter each: S locations, I items, any other stays whole."""
        for at, axis in enumerate(axes):
            if axis in "SI":
                x = x.index_select(at, self.places if axis == "S" else self.goods)
        return x

    def record(self, record: T, axes: Mapping[str, str]) -> T:
        """A dataclass with the tensor fields named in ``axes`` cut; None stays None."""
        parts: dict[str, Any] = {name: getattr(record, name) for name in axes}
        cut = {name: None if x is None else self.tensor(x, axes[name]) for name, x in parts.items()}
        return replace(record, **cut)  # type: ignore[type-var]

    def names(
        self, locations: Sequence[str], items: Sequence[str]
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Names of what stays."""
        return (
            tuple(locations[i] for i in self.places.tolist()),
            tuple(items[i] for i in self.goods.tolist()),
        )


def positions(names: Sequence[str], wanted: Sequence[str] | None) -> Tensor:
    """Index tensor of ``wanted`` among ``names``, in the order of ``names``; all where None.

    Raises:
        InputError: a wanted name is not there.
    """
    if isinstance(wanted, str):
        raise InputError(f"expected a list of names, found {wanted!r:.60}")
    kept = set(names if wanted is None else wanted)
    if missing := kept - set(names):
        some = ", ".join(f"{name:.{SHOWN}}" for name in names[:5]) + (" …" if len(names) > 5 else "")
        first = min(missing, key=str)
        raise InputError(f"expected some of {some}, found {first!r:.{SHOWN}}{meant(str(first), names)}")
    return torch.tensor([i for i, name in enumerate(names) if name in kept], dtype=torch.int64)


def numbered(labels: Sequence[str]) -> Tensor:
    """(N,) int64 number of each label, distinct ones numbered in order of first appearance."""
    order = {label: number for number, label in enumerate(dict.fromkeys(labels))}
    return torch.tensor([order[label] for label in labels], dtype=torch.int64)
