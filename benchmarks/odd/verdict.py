"""What became of an odd input."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from mercato.forecasters.errors import InputError

REFUSED, TAKEN, ERROR, HUNG, WRONG = "refused", "taken", "python error", "hung", "silently wrong"
FAULTS = (ERROR, HUNG, WRONG)
_SECONDS = 5


@dataclass(frozen=True)
class Verdict:
    """Outcome, and what was said or went wrong."""

    outcome: str
    said: str = ""


class _Late(BaseException):
    """Beyond what ``except Exception`` would catch."""


@contextmanager
def _within(seconds: int) -> Iterator[None]:
    def late(*_: Any) -> None:
        raise _Late

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def tried(
    use: Callable[[], Any], wrong: Callable[[Any], str] = lambda _: "", seconds: int = _SECONDS
) -> Verdict:
    """Use an input; ``wrong`` says what is wrong with a result that was not refused, if anything is."""
    try:
        with _within(seconds):
            found = use()
    except InputError as error:
        line = str(error)
        fault = "" if "\n" not in line and 0 < len(line) <= 2100 else "its message is no line"
        return Verdict(WRONG, fault) if fault else Verdict(REFUSED, line)
    except _Late:
        return Verdict(HUNG, f"over {seconds} s")
    except Exception as error:
        return Verdict(ERROR, f"{type(error).__name__}: {error}"[:300])
    fault = wrong(found)
    return Verdict(WRONG, fault) if fault else Verdict(TAKEN)
