"""The Newton system of a regression whose coefficients mostly belong to levels of factors.

A family is k coefficients for each level of one factor, such as a level and a slope for each location. Within
one the Hessian is block-diagonal. The family that leaves least behind is eliminated by Schur complement, with
a factor nested in it (price spells in locations) before it; what is left, the core, is as small as the dense
columns and the smaller factor. No column is ever written out for a level, so that work and memory grow with
rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import torch
from torch import Tensor


@dataclass(frozen=True)
class Family:
    """k coefficients for each of L levels of a factor."""

    index: Tensor  # (N,) int64 level of each row
    levels: int
    columns: Tensor  # (N, k) what the coefficients multiply; ones for levels alone
    names: tuple[str, ...]  # (k,) the group of each coefficient

    @property
    def size(self) -> int:
        return self.levels * len(self.names)

    def sums(self, rows: Tensor) -> Tensor:
        """Sums (L, …) over each level of ``rows`` (N, …)."""
        return rows.new_zeros(self.levels, *rows.shape[1:]).index_add_(0, self.index, rows)

    def times(self, effect: Tensor) -> Tensor:
        """(N,) what effects (L, k) add to each row."""
        return (effect[self.index] * self.columns).sum(1)

    def along(self, rows: Tensor) -> Tensor:
        """Sums (L, k, …) over each level of ``rows`` (N, …) times the columns."""
        out = rows.new_empty(self.levels, len(self.names), *rows.shape[1:])
        for i, column in enumerate(self.columns.unbind(1)):
            out[:, i] = self.sums(rows * column.view(-1, *[1] * (rows.dim() - 1)))
        return out

    def across(self, other: Family, weight: Tensor) -> Tensor:
        """(L, k, L', k') Gram block with another family."""
        at = self.index * other.levels + other.index
        out = weight.new_empty(self.levels, len(self.names), other.levels, len(other.names))
        for i, one in enumerate(self.columns.unbind(1)):
            for j, two in enumerate(other.columns.unbind(1)):
                cells = weight.new_zeros(self.levels * other.levels).index_add_(0, at, weight * one * two)
                out[:, i, :, j] = cells.view(self.levels, other.levels)
        return out


@dataclass(frozen=True)
class Parts:
    """Numbers that go with the coefficients, a column each of n right-hand sides."""

    core: Tensor  # (C, n) of the dense columns, then of the families that stay
    outer: Tensor  # (L, k, n) of the family that is eliminated
    inner: Tensor  # (M, n) of the factor nested in it

    def each(self, other: Parts, do: Callable[[Tensor, Tensor], Tensor]) -> Parts:
        """``do`` with the numbers of both."""
        return Parts(do(self.core, other.core), do(self.outer, other.outer), do(self.inner, other.inner))

    def dot(self, other: Parts) -> Tensor:
        """(n, n') products summed over all coefficients."""
        total = self.core.T @ other.core + self.outer.flatten(0, 1).T @ other.outer.flatten(0, 1)
        return total + self.inner.T @ other.inner

    def longest(self) -> float:
        return max(
            (float(x.abs().max()) for x in (self.core, self.outer, self.inner) if x.numel()), default=0
        )


@dataclass(frozen=True)
class Layout:
    """Which coefficients are eliminated, and where those of each group are."""

    dense: Tensor  # (N, P)
    outer: Family  # eliminated; without columns where there is no factor
    inner: Family | None  # levels of a factor nested in ``outer``, eliminated before
    parent: Tensor  # (M,) int64 level of ``outer`` in which each level of ``inner`` lies
    core: tuple[Family, ...]  # stay beside the dense columns

    @staticmethod
    def of(dense: Tensor, families: Sequence[Family]) -> Layout:
        """The elimination that leaves the smallest core."""
        nowhere = torch.zeros(len(dense), dtype=torch.int64, device=dense.device)
        found = [Layout(dense, Family(nowhere, 1, dense[:, :0], ()), None, nowhere[:0], tuple(families))]
        for outer in families:
            others = [f for f in families if f is not outer]
            found.append(Layout(dense, outer, None, nowhere[:0], tuple(others)))
            for inner in others:
                parent = _parent(inner, outer)
                if parent is not None:
                    core = tuple(f for f in others if f is not inner)
                    found.append(Layout(dense, outer, inner, parent, core))
        return min(found, key=Layout.width)

    def width(self) -> int:
        return self.dense.shape[1] + sum(f.size for f in self.core)

    def spans(self) -> list[tuple[Family, slice]]:
        """Families of the core, and where in it they are."""
        start, out = self.dense.shape[1], []
        for family in self.core:
            out.append((family, slice(start, start + family.size)))
            start += family.size
        return out

    def zeros(self, n: int = 1) -> Parts:
        """Zero for every coefficient."""
        new, inner = self.dense.new_zeros, 0 if self.inner is None else self.inner.levels
        return Parts(new(self.width(), n), new(self.outer.levels, len(self.outer.names), n), new(inner, n))

    def units(self) -> Parts:
        """A column for each coefficient of the core."""
        empty = self.zeros(self.width())
        return Parts(torch.eye(self.width()).to(empty.core), empty.outer, empty.inner)

    def group(self, name: str, parts: Parts) -> Tensor:
        """(L, n) the numbers of a family's group: a view, which may be written to."""
        if name in self.outer.names:
            return parts.outer[:, self.outer.names.index(name)]
        if self.inner is not None and name in self.inner.names:
            return parts.inner
        for family, span in self.spans():
            if name in family.names:
                shape = (family.levels, len(family.names), parts.core.shape[1])
                return parts.core[span].view(shape)[:, family.names.index(name)]
        raise KeyError(name)

    def predicted(self, coefficients: Parts) -> Tensor:
        """(N,) from one column of coefficients."""
        total = self.dense @ coefficients.core[: self.dense.shape[1], 0]
        for family, span in self.spans():
            total = total + family.times(coefficients.core[span, 0].view(family.levels, -1))
        total = total + self.outer.times(coefficients.outer[..., 0])
        return total if self.inner is None else total + coefficients.inner[self.inner.index, 0]

    def moments(self, score: Tensor) -> Parts:
        """Sums of a score (N,) times every column."""
        core = [self.dense.T @ score, *(f.along(score).flatten() for f, _ in self.spans())]
        inner = self.parent.to(score) if self.inner is None else self.inner.sums(score)
        return Parts(
            torch.cat(core).unsqueeze(-1), self.outer.along(score).unsqueeze(-1), inner.unsqueeze(-1)
        )

    def moments_by(self, block: Tensor, blocks: int, score: Tensor) -> Parts:
        """The same, apart for each of the blocks that rows belong to, (N,) int64."""
        by = Family(block, blocks, torch.ones_like(score).unsqueeze(1), ("",))
        core = [by.sums(score.unsqueeze(1) * self.dense).T]
        core += [f.across(by, score).reshape(f.size, blocks) for f, _ in self.spans()]
        outer, inner = self.outer.across(by, score)[..., 0], self.parent.to(score).expand(blocks, -1).T
        if self.inner is not None:
            inner = self.inner.across(by, score)[:, 0, :, 0]
        return Parts(torch.cat(core), outer, inner)


def _parent(inner: Family, outer: Family) -> Tensor | None:
    """(M,) level of ``outer`` that each level of ``inner`` lies in; None where one lies in several."""
    if len(inner.names) != 1:
        return None
    parent = inner.index.new_zeros(inner.levels).index_copy_(0, inner.index, outer.index)
    return parent if bool((parent[inner.index] == outer.index).all()) else None


def _squares(family: Family, weight: Tensor) -> Tensor:
    """(L, k, k) a family's own Gram blocks."""
    return torch.stack([family.along(weight * c) for c in family.columns.unbind(1)], dim=1)


@dataclass(frozen=True)
class System:
    """A Hessian with its priors, factors eliminated."""

    layout: Layout
    core: Tensor  # (C, C) what is left
    block: Tensor  # (L, k, k) inverse of the outer family's blocks, the inner factor eliminated
    follow: Tensor  # (L, k, C) how much the outer family gives way to the core
    diagonal: Tensor  # (M,) of the inner factor
    lean: Tensor  # (M, k) how much a level gives way to the level it lies in
    share: Tensor  # (M, C) and to the core

    @staticmethod
    def of(layout: Layout, weight: Tensor, precision: Parts) -> System:
        """From the weights (N,) of rows, and prior precisions (one column)."""
        weighted = weight.unsqueeze(1) * layout.dense
        outer, inner, spans, wide = layout.outer, layout.inner, layout.spans(), layout.dense.shape[1]
        core = precision.core[:, 0].diag()
        core[:wide, :wide] += layout.dense.T @ weighted
        for family, span in spans:
            mixed = family.along(weighted).reshape(family.size, wide)
            core[span, :wide] += mixed
            core[:wide, span] += mixed.T
            cells = core[span, span].view(family.levels, len(family.names), family.levels, -1)
            cells.diagonal(dim1=0, dim2=2).add_(_squares(family, weight).permute(1, 2, 0))
        for (one, rows), (two, columns) in combinations(spans, 2):
            mixed = one.across(two, weight).reshape(one.size, two.size)
            core[rows, columns] += mixed
            core[columns, rows] += mixed.T
        block = precision.outer[..., 0].diag_embed()
        if outer.names:
            block = block + _squares(outer, weight)
        beside = torch.cat(
            [outer.along(weighted), *(outer.across(f, weight).flatten(2) for f, _ in spans)], 2
        )
        diagonal = precision.inner[:, 0]
        lean, share = diagonal.new_zeros(len(diagonal), len(outer.names)), diagonal.new_zeros(0, len(core))
        if inner is not None:
            diagonal = diagonal + inner.sums(weight)
            lean = inner.sums(weight.unsqueeze(1) * outer.columns)
            share = torch.cat(
                [inner.sums(weighted), *(inner.across(f, weight).flatten(1) for f, _ in spans)], 1
            )
            shrunk = share / diagonal.unsqueeze(1)
            core = core - share.T @ shrunk
            for i, column in enumerate((lean / diagonal.unsqueeze(1)).unbind(1)):
                block[:, i].index_add_(0, layout.parent, lean * column.unsqueeze(1), alpha=-1)
                beside[:, i].index_add_(0, layout.parent, share * column.unsqueeze(1), alpha=-1)
            lean, share = lean / diagonal.unsqueeze(1), shrunk
        inverse = torch.linalg.inv(block)
        follow = inverse @ beside
        core = core - beside.flatten(0, 1).T @ follow.flatten(0, 1)
        return System(layout, core, inverse, follow, diagonal, lean, share)

    @cached_property
    def inverse(self) -> Tensor:
        """(C, C) of the core."""
        return torch.linalg.inv(self.core)

    def solve(self, right: Parts) -> Parts:
        """The coefficients that a right-hand side calls for, a column each."""
        inner = right.inner / self.diagonal.unsqueeze(1)
        outer, core = right.outer, right.core - self.share.T @ right.inner
        if self.layout.inner is not None:
            pull = self.lean.unsqueeze(-1) * right.inner.unsqueeze(1)
            outer = outer.index_add(0, self.layout.parent, pull, alpha=-1)
        core = torch.linalg.solve(self.core, core - self.follow.flatten(0, 1).T @ outer.flatten(0, 1))
        outer = self.block @ outer - self.follow @ core
        inner = inner - self.share @ core
        if self.layout.inner is not None:
            inner = inner - (self.lean.unsqueeze(-1) * outer[self.layout.parent]).sum(1)
        return Parts(core, outer, inner)

    def _beside(self) -> Tensor:
        """(M, C) how much a level of the inner factor gives way to the core, the outer family with it."""
        return self.share - (self.lean.unsqueeze(1) @ self.follow[self.layout.parent]).squeeze(1)

    def variances(self) -> Parts:
        """Diagonal of the inverse: posterior variances."""
        outer = (self.block.diagonal(dim1=1, dim2=2) + _squared(self.follow, self.inverse)).unsqueeze(-1)
        inner = self.diagonal.reciprocal()
        if self.layout.inner is not None:
            lean = self.lean.unsqueeze(1)
            alone = (lean @ self.block[self.layout.parent] @ lean.mT).flatten()
            inner = inner + alone + _squared(self._beside(), self.inverse)
        return Parts(self.inverse.diag().unsqueeze(1), outer, inner.unsqueeze(1))

    def outer_sandwich(self, middle: Parts) -> Tensor:
        """(L, k) diagonal of inverse · diag(middle) · inverse for the outer family."""
        follow, block = self.follow, self.block
        pull = middle.outer * follow  # (L, k, C)
        within = middle.outer[..., 0].diag_embed()
        core = middle.core[:, 0].diag() + follow.flatten(0, 1).T @ pull.flatten(0, 1)
        if self.layout.inner is not None:
            beside, lean = self._beside(), middle.inner * self.lean
            core = core + beside.T @ (middle.inner * beside)
            pull, within = pull.clone(), within.clone()
            for i, column in enumerate(lean.unbind(1)):
                pull[:, i].index_add_(0, self.layout.parent, column.unsqueeze(1) * beside, alpha=-1)
                within[:, i].index_add_(0, self.layout.parent, column.unsqueeze(1) * self.lean)
        middle_core = self.inverse @ core @ self.inverse
        alone = (block @ within @ block).diagonal(dim1=1, dim2=2)
        mixed = ((block @ pull @ self.inverse) * follow).sum(-1)
        return alone + 2 * mixed + _squared(follow, middle_core)


def _squared(rows: Tensor, form: Tensor) -> Tensor:
    """x'·F·x of each of the rows (…, C)."""
    return ((rows @ form) * rows).sum(-1)
