"""What attributes say of an item that has no history: its level, before anybody bought it.

A ridge regression of log units on the item's category path, text and image vectors, around the mean of its
nearest category. It is kept only where it predicts items that it has not seen better than that mean does, by
two standard errors and a share that is worth it: items that come later differ from those that are there. Else
the category's mean stands, and says so.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..events import Items
from .text import encoder

_PENALTIES = 10.0 ** np.arange(-2, 4)
_FOLDS, _SURE = 5, 2.0
_WORTH = 0.05  # of the squared error, that vectors must save to be worth their weights
_PSEUDO = 3.0  # items that a category counts its parent's mean for


@dataclass(frozen=True)
class Attributes:
    """Of N items: the category path, from the broadest down, and vectors of text or image."""

    path: tuple[tuple[str, ...], ...]  # (N,) of names; paths may differ in length
    vectors: np.ndarray  # (N, D); D = 0 where there are none

    @staticmethod
    def of(items: Items, known: Items | None = None) -> Attributes:
        """Texts as vectors, beside the image's: 0 for an item that has none.

        Args:
            items: N of them, each with an image's vector as long as those that are known.
            known: whose words say which are rare, and whether there are texts and images at all; the items
                themselves where None.
        """
        known = items if known is None else known
        parts = [np.zeros((len(items), 0))]
        if any(known.text):
            parts.append(encoder(known.text)(items.text))
        if known.image is not None:
            image = np.zeros((len(items), known.image.shape[1])) if items.image is None else items.image
            parts.append(np.nan_to_num(image))
        return Attributes(items.paths, np.concatenate(parts, axis=1))

    def rows(self, which: np.ndarray) -> Attributes:
        return Attributes(tuple(self.path[i] for i in which), self.vectors[which])


@dataclass(frozen=True)
class CategoryMeans:
    """Mean log level by category, each shrunk to its parent's."""

    means: dict[tuple[str, ...], float]

    @staticmethod
    def of(attributes: Attributes, level: np.ndarray) -> CategoryMeans:
        groups: dict[tuple[str, ...], list[float]] = {}
        for path, value in zip(attributes.path, level, strict=True):
            for depth in range(len(path) + 1):
                groups.setdefault(path[:depth], []).append(float(value))
        means: dict[tuple[str, ...], float] = {}
        for path in sorted(groups, key=len):  # parents first
            parent = means[path[:-1]] if path else float(np.mean(groups[()]))
            means[path] = (sum(groups[path]) + _PSEUDO * parent) / (len(groups[path]) + _PSEUDO)
        return CategoryMeans(means)

    def __call__(self, attributes: Attributes) -> np.ndarray:
        """(N,) of the nearest category that is known."""
        return np.array([self.means[self.nearest(path)] for path in attributes.path])

    def nearest(self, path: tuple[str, ...]) -> tuple[str, ...]:
        """The narrowest category of the path that is known."""
        return next(path[:d] for d in range(len(path), -1, -1) if path[:d] in self.means)


@dataclass(frozen=True)
class LevelOfNew:
    """Log units of a new item, from its attributes."""

    categories: CategoryMeans
    weights: np.ndarray  # (D,) of the vectors
    uses_attributes: bool  # whether they are worth it
    centre: np.ndarray  # (D,) of the vectors
    error: float  # standard deviation of what it gets wrong, on items that it had not seen
    gain: float  # mean of squared errors that vectors save beside the category's mean, as a share
    gain_error: float  # standard error of that share

    def __call__(self, attributes: Attributes) -> np.ndarray:
        """(N,) log units."""
        return self.of_vectors(attributes) if self.uses_attributes else self.categories(attributes)

    def of_vectors(self, attributes: Attributes) -> np.ndarray:
        """(N,) log units by the attributes, worth it or not."""
        level: np.ndarray = self.categories(attributes) + (attributes.vectors - self.centre) @ self.weights
        return level

    def text(self) -> str:
        """Whether attributes are used, and on which evidence."""
        if not len(self.weights):
            return "attributes: items have no words or pictures, the category's mean stands"
        told = f"they take {self.gain:+.1%} ± {_SURE * self.gain_error:.1%} off the squared error"
        if self.uses_attributes:
            return f"attributes: used for the level of new items; {told} of the category's mean"
        return f"attributes: dropped, the category's mean does as well; {told}"


def level_of_new(attributes: Attributes, level: np.ndarray, seed: int = 0) -> LevelOfNew:
    """Fit on items whose log ``level`` (N,) is known; attributes are dropped where they do not help."""
    n = len(level)
    fold = np.random.default_rng(seed).permutation(n) % min(_FOLDS, n)
    by_mean, by_penalty = np.zeros(n), np.zeros((len(_PENALTIES), n))
    for k in range(int(fold.max()) + 1):
        kept, held = np.flatnonzero(fold != k), np.flatnonzero(fold == k)
        known, new = attributes.rows(kept), attributes.rows(held)
        categories = CategoryMeans.of(known, level[kept])
        by_mean[held] = categories(new)
        centre = known.vectors.mean(0)
        fits = _ridges(known.vectors - centre, level[kept] - categories(known))
        by_penalty[:, held] = by_mean[held] + fits @ (new.vectors - centre).T
    plain = (level - by_mean) ** 2
    squared = (level - by_penalty) ** 2
    best = int(squared.mean(1).argmin())
    saved = plain - squared[best]
    gain, gain_error = saved.mean() / plain.mean(), saved.std() / np.sqrt(n) / plain.mean()
    categories, centre = CategoryMeans.of(attributes, level), attributes.vectors.mean(0)
    weights = _ridges(attributes.vectors - centre, level - categories(attributes))[best]
    used = gain > max(_WORTH, _SURE * gain_error)
    error = float(np.sqrt((squared[best] if used else plain).mean()))
    return LevelOfNew(categories, weights, bool(used), centre, error, float(gain), float(gain_error))


def _ridges(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(P, D) weights for each penalty, by one decomposition."""
    left, singular, right = np.linalg.svd(x, full_matrices=False)
    shrunk = singular / (singular**2 + _PENALTIES[:, None])
    weights: np.ndarray = (shrunk * (left.T @ y)) @ right
    return weights
