"""What a shop sells, by what is told of it: which item one to come is like, and how much of it will sell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..errors import InputError
from ..events import Items
from .attributes import Attributes, LevelOfNew, level_of_new

_FEWEST = 20  # items with a level of their own, for attributes to be tried on
_EQUAL = 1e-6  # cosines of the same words differ by how they were added up


@dataclass(frozen=True)
class Assortment:
    """N items that sell."""

    items: Items  # (N,) what is told of them
    level: np.ndarray  # (N,) log units a period

    @staticmethod
    def of(items: Items, names: Sequence[str], units: np.ndarray) -> Assortment:
        """Those of I ``names`` of which ``units`` (I,) a period are sold, by a table of ``items``.

        Raises:
            InputError: they are too few to learn a level from.
        """
        sold = np.flatnonzero(units > 0)
        if len(sold) < _FEWEST:
            raise InputError(f"expected {_FEWEST} items to try attributes on, found {len(sold)}")
        return Assortment(items.of([names[i] for i in sold.tolist()]), np.log(units[sold]))

    @cached_property
    def attributes(self) -> Attributes:
        return Attributes.of(self.items)

    @cached_property
    def level_of_new(self) -> LevelOfNew:
        return level_of_new(self.attributes, self.level)

    def expected(self, new: Items) -> np.ndarray:
        """(M,) units a period of M items that nobody has bought yet."""
        units: np.ndarray = np.exp(self.level_of_new(self._beside(new)))
        return units

    def nearest(self, new: Items) -> str:
        """Which one a new item is like: of its nearest category, the nearest in words and picture.

        Of those that are equally near, the one of median level.
        """
        told = self._beside(new)
        shared = np.array([_shared(path, told.path[0]) for path in self.attributes.path])
        among = np.flatnonzero(shared == shared.max())
        alike = self._alike(told.vectors[0])[among]
        nearest = among[alike > alike.max() - _EQUAL]
        median = self.level[nearest].argsort()[len(nearest) // 2]
        return self.items.names[int(nearest[median])]

    def _beside(self, new: Items) -> Attributes:
        return Attributes.of(new, self.items)

    def _alike(self, vector: np.ndarray) -> np.ndarray:
        """(N,) cosine of words and that of pictures, summed: neither counts more for being longer."""
        words = len(vector) - (0 if self.items.image is None else self.items.image.shape[1])
        known = self.attributes.vectors
        return _cosine(known[:, :words], vector[:words]) + _cosine(known[:, words:], vector[words:])


def _shared(path: Sequence[str], other: Sequence[str]) -> int:
    """How many categories two paths have in common, from the widest down."""
    same = [one == another for one, another in zip(path, other, strict=False)]
    return (*same, False).index(False)


def _cosine(vectors: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """(N,) of (N, D) and (D,); 0 where either is 0."""
    length = np.linalg.norm(vectors, axis=1) * np.linalg.norm(vector)
    cosine: np.ndarray = vectors @ vector / np.maximum(length, 1e-12)
    return cosine
