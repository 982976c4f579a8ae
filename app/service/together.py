"""Work that is cheaper done for several at once: who asks while it is going on is served by the next round.

So a busy service takes the fixed cost of an answer, or the write to disk that a transaction waits for, once
for all who wait, and a quiet one waits for nobody (group commit: DeWitt et al. 1984,
doi:10.1145/602259.602261).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from ...forecasters.errors import InputError

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")
MOST = 32  # asked at once


@dataclass
class _Turn(Generic[Asked, Answer]):
    """One who asks."""

    asked: Asked
    woken: threading.Event = field(default_factory=threading.Event)  # answered, or to lead the next round
    answer: list[Answer] = field(default_factory=list)  # none or one
    error: Exception | None = None

    @property
    def done(self) -> bool:
        return bool(self.answer) or self.error is not None


class Together(Generic[Asked, Answer]):
    """Callable from many threads; each gets the answer to what it asked, or the error.

    Args:
        work: answers to all that is asked, in order. Where it refuses (InputError) each is asked alone, so
            that nobody is refused for what others asked.
    """

    def __init__(self, work: Callable[[Sequence[Asked]], Sequence[Answer]]) -> None:
        self._work = work
        self._lock = threading.Lock()
        self._waiting: list[_Turn[Asked, Answer]] = []
        self._busy = False

    def __call__(self, asked: Asked) -> Answer:
        turn: _Turn[Asked, Answer] = _Turn(asked)
        with self._lock:
            self._waiting.append(turn)
            leads, self._busy = not self._busy, True
        if not leads:
            turn.woken.wait()
        if not turn.done:
            self._lead()
        if turn.error is not None:
            raise turn.error
        return turn.answer[0]

    def _lead(self) -> None:
        """Serve all who wait, then hand on to the first who has come since."""
        with self._lock:
            turns, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
        try:
            self._serve(turns)
        finally:
            with self._lock:
                self._busy = bool(self._waiting)
                following = self._waiting[:1]
            for turn in (*turns, *following):
                turn.woken.set()

    def _serve(self, turns: Sequence[_Turn[Asked, Answer]]) -> None:
        try:
            answers = self._work([turn.asked for turn in turns])
        except InputError as error:
            if len(turns) > 1:
                for turn in turns:
                    self._serve([turn])
            else:
                turns[0].error = error
        except BaseException as error:
            for turn in turns:
                turn.error = error if isinstance(error, Exception) else RuntimeError("was interrupted")
            if not isinstance(error, Exception):
                raise
        else:
            for turn, answer in zip(turns, answers, strict=True):
                turn.answer.append(answer)
