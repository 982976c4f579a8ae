"""Work done for several at once: each gets its own answer or error, whoever else asks."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from mercato.app.service.together import MOST, Together
from mercato.forecasters.errors import InputError


def until(so: Callable[[], bool]) -> None:
    """Wait for something, ten seconds at most."""
    end = time.monotonic() + 10
    while not so():
        assert time.monotonic() < end
        time.sleep(0.001)


def test_who_asks_while_an_answer_is_worked_out_is_served_by_the_next_round() -> None:
    rounds: list[int] = []
    began, go_on = threading.Event(), threading.Event()

    def work(asked: Sequence[int]) -> list[int]:
        rounds.append(len(asked))
        began.set()
        assert go_on.wait(10)
        return [2 * number for number in asked]

    double = Together(work)
    with ThreadPoolExecutor(MOST + 3) as threads:
        first = threads.submit(double, 0)
        assert began.wait(10)
        rest = [threads.submit(double, number) for number in range(1, MOST + 3)]
        until(lambda: len(double._waiting) == len(rest))
        go_on.set()
        assert [first.result(10), *(one.result(10) for one in rest)] == [2 * n for n in range(MOST + 3)]
    assert rounds == [1, MOST, 2]
    assert double(7) == 14  # nobody is left to lead, and none is needed


def test_nobody_is_refused_for_what_others_asked() -> None:
    held, go_on = threading.Event(), threading.Event()

    def work(asked: Sequence[int]) -> list[float]:
        held.set()
        assert go_on.wait(10)
        if -1 in asked:
            raise InputError("expected a number, found -1")
        return [1 / number for number in asked]

    invert = Together(work)
    with ThreadPoolExecutor(8) as threads:
        first = threads.submit(invert, 1)
        assert held.wait(10)
        good, bad, other = (threads.submit(invert, number) for number in (2, -1, 4))
        until(lambda: len(invert._waiting) == 3)
        go_on.set()
        assert (first.result(10), good.result(10), other.result(10)) == (1.0, 0.5, 0.25)
        with pytest.raises(InputError, match="found -1"):
            bad.result(10)
        with pytest.raises(ZeroDivisionError):  # a bug is told to all who waited, and ends nobody's turn
            invert(0)
    assert invert(5) == 0.2
