"""Partitions: how series combine into what is decided or paid for together.

A decision unit is a (price group, item), numbered ``group * I + item``; a reward is shared within a category.
Sums run over a padded gather, so that they are the same on every run and device and need no loop.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Partition:
    """N members in G groups; ``dim`` is the axis of members on the way in, of groups on the way out."""

    index: Tensor  # (N,) int64 group of each member
    members: Tensor  # (G, M) int64 members of each group, short groups padded with their own first member
    present: Tensor  # (G, M) float32, 0 where a member only pads
    single: bool  # every group is one member, in order: nothing to combine

    @classmethod
    def of(cls, labels: Sequence[str], device: torch.device) -> Partition:
        """Groups of equal labels, in order of first appearance."""
        groups: dict[str, list[int]] = {}
        for member, label in enumerate(labels):
            groups.setdefault(label, []).append(member)
        width = max(len(group) for group in groups.values())
        order = {label: number for number, label in enumerate(groups)}
        padded = [group + group[:1] * (width - len(group)) for group in groups.values()]
        present = [[1.0] * len(group) + [0.0] * (width - len(group)) for group in groups.values()]
        return cls(
            index=torch.tensor([order[label] for label in labels], device=device),
            members=torch.tensor(padded, device=device),
            present=torch.tensor(present, device=device),
            single=len(groups) == len(labels),
        )

    def _gather(self, x: Tensor, dim: int) -> Tensor:
        """Members along a new last axis: (…, G, …, M) with ``dim`` negative on the way in."""
        taken = x.index_select(dim, self.members.flatten())
        at = dim % x.dim()
        return taken.unflatten(at, self.members.shape).movedim(at + 1, -1)

    def total(self, x: Tensor, dim: int) -> Tensor:
        """Sum over the members of each group."""
        if self.single:
            return x
        at = dim % x.dim()
        weight = self.present.view(self.present.shape[0], *([1] * (x.dim() - 1 - at)), -1)
        return (self._gather(x, dim) * weight).sum(-1)

    def mean(self, x: Tensor, dim: int) -> Tensor:
        """Mean over the members of each group."""
        if self.single:
            return x
        least = self.smallest(x, dim)  # and what is above it: the mean of equal values is that value exactly
        above = x - self.spread(least, dim)
        return least + self.total(above, dim) / self.total(torch.ones_like(x), dim)

    def smallest(self, x: Tensor, dim: int) -> Tensor:
        """Least over the members of each group."""
        return x if self.single else self._gather(x, dim).amin(-1)

    def largest(self, x: Tensor, dim: int) -> Tensor:
        """Greatest over the members of each group."""
        return x if self.single else self._gather(x, dim).amax(-1)

    def spread(self, x: Tensor, dim: int) -> Tensor:
        """Each member its group's value: from groups back to members."""
        return x if self.single else x.index_select(dim, self.index)
