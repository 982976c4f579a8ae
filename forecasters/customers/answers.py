"""Answers to what customers ask, found in the shop's own table; nothing is written that is not there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..errors import InputError
from .text import Encoder, encoder

CHANCE = 0.05  # of a question that no entry answers to be given one all the same
_COLUMNS = ("question", "answer")


@dataclass(frozen=True)
class Answer:
    """What the table has for a question."""

    question: str  # as it was asked
    score: float  # how alike the nearest question of the table is, at most 1
    needed: float  # the score below which the table has no answer
    found: str | None  # the answer, as it stands in the table
    asked_there: str  # the nearest question in the table


@dataclass(frozen=True)
class Answers:
    """A shop's answer table, ready to be asked.

    A question is answered if it is more alike to an entry than entries with other answers are to each other:
    ``needed`` is the score that a question of the table reaches with a foreign answer's by ``CHANCE``.
    """

    questions: tuple[str, ...]
    answers: tuple[str, ...]
    vectors: np.ndarray  # (N, D) of the questions, length one
    encode: Encoder
    needed: float

    @staticmethod
    def of(frame: pd.DataFrame) -> Answers:
        """From a table of questions and answers.

        Raises:
            InputError: a column is missing, or fewer than two different answers are left.
        """
        if missing := [name for name in _COLUMNS if name not in frame]:
            raise InputError(
                f"answers: expected the columns question and answer, found no {missing[0]}"
                f" among {', '.join(map(str, frame.columns[:8]))}"
            )
        whole = frame[list(_COLUMNS)].dropna().astype(str)
        questions, answers = tuple(whole["question"]), tuple(whole["answer"])
        if len(set(answers)) < 2:
            raise InputError(f"answers: expected two different answers or more, found {len(set(answers))}")
        encode = encoder(questions)
        vectors = encode(questions)
        return Answers(questions, answers, vectors, encode, _foreign(vectors, answers))

    def ask(self, questions: Sequence[str]) -> list[Answer]:
        """The nearest entry of each question, and its answer if it is near enough."""
        alike = self.encode(questions) @ self.vectors.T
        best = alike.argmax(1)
        return [
            Answer(
                question,
                float(alike[row, at]),
                self.needed,
                self.answers[at] if alike[row, at] > self.needed else None,
                self.questions[at],
            )
            for row, (question, at) in enumerate(zip(questions, best, strict=True))
        ]


def _foreign(vectors: np.ndarray, answers: Sequence[str]) -> float:
    """The score that the nearest entry of another answer reaches at most, but by ``CHANCE``."""
    alike = vectors @ vectors.T
    label = np.unique(list(answers), return_inverse=True)[1]
    nearest = np.where(label[:, None] == label[None, :], -1.0, alike).max(1)
    return float(np.quantile(nearest, 1 - CHANCE))
