"""Long work of the page, each job in a process of its own that can be ended at any time.

The page's own process loads nothing heavy, so that it answers at once; a process that has finished stays,
with the market open, for the next job.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib import import_module
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any, SupportsFloat

from ..verbs import told

_OFTEN = 0.1  # seconds between two words of progress
_WORK = f"{__package__}.work"  # loaded where it is done


@dataclass
class Stretch:
    """A stage of a job: how far it is."""

    name: str
    total: int
    done: int = 0
    note: str = ""


@dataclass
class Job:
    """One piece of work, under way or ended."""

    name: str
    args: tuple[Any, ...] = ()
    started: float = field(default_factory=time.monotonic)
    stages: list[Stretch] = field(default_factory=list)  # the open ones, from the outermost
    result: Any = None
    error: str = ""  # one line
    cancelled: bool = False
    seconds: float = 0.0  # that it took
    _hand: _Hand | None = None
    _ended: threading.Event = field(default_factory=threading.Event)

    @property
    def running(self) -> bool:
        return not self._ended.is_set()

    @property
    def elapsed(self) -> float:
        """Seconds so far."""
        return time.monotonic() - self.started if self.running else self.seconds

    @property
    def share(self) -> float:
        """How much of the outermost stage is done, with what the stage within it adds."""
        share, width = 0.0, 1.0
        for stage in self.stages:
            share += width * stage.done / max(stage.total, 1)
            width /= max(stage.total, 1)
        return min(share, 1.0)

    @property
    def said(self) -> str:
        """What it does now, in words."""
        if not self.stages:
            return "waiting for the job before it" if self._hand is None else "opening the market"
        last = self.stages[-1]
        return f"{last.name}: {last.done:,} of {last.total:,}" + (f"; {last.note}" if last.note else "")

    def wait(self, seconds: float | None = None) -> bool:
        """Whether it has ended, after so many seconds at most."""
        return self._ended.wait(seconds)

    def cancel(self) -> None:
        """End it at once, whatever it is doing."""
        hand = self._hand
        if self.running:
            self.cancelled = True
            if hand is not None:
                hand.end()


class Jobs:
    """The jobs of a page, in two lanes: questions that are answered at once need not wait for long work.

    A lane has one process, which does one job after another.
    """

    def __init__(self, module: str = _WORK) -> None:
        """module: whose functions are called, with their arguments and ``progress``."""
        self._lanes = {name: _Lane(module) for name in ("questions", "work")}

    def ask(self, name: str, *args: Any) -> Job:
        """A short job: the function of that name."""
        return self._lanes["questions"].start(name, args)

    def start(self, name: str, *args: Any) -> Job:
        """A long one."""
        return self._lanes["work"].start(name, args)

    def close(self) -> None:
        """End both processes."""
        for lane in self._lanes.values():
            lane.close()


class _Lane:
    def __init__(self, module: str) -> None:
        self._module = module
        self._hand: _Hand | None = None
        self._turn = threading.Lock()

    def start(self, name: str, args: tuple[Any, ...]) -> Job:
        job = Job(name, args)
        threading.Thread(target=self._follow, args=(job, args), daemon=True).start()
        return job

    def close(self) -> None:
        if self._hand is not None:
            self._hand.end()

    def _follow(self, job: Job, args: tuple[Any, ...]) -> None:
        with self._turn:
            try:
                if not job.cancelled:
                    self._hand = job._hand = self._hand or _Hand(self._module)
                    self._hand.pipe.send((job.name, args))
                    _hear_out(job, self._hand.pipe)
            except (EOFError, OSError) as error:
                if not job.cancelled:
                    job.error = f"its process ended, perhaps because memory ran out ({type(error).__name__})"
                self.close()
                self._hand = None
            finally:
                job._hand = None
                job.seconds = time.monotonic() - job.started
                job._ended.set()


def _hear_out(job: Job, pipe: Connection) -> None:
    """Note what a process says of a job until it has ended."""
    while True:
        kind, *said = pipe.recv()
        if kind == "result":
            job.result = said[0]
            return
        if kind == "error":
            job.error = said[0]
            return
        _heard(job, kind, *said)


def _heard(job: Job, kind: str, depth: int, *said: Any) -> None:
    """Progress of the stage at a depth; those within it are over."""
    if kind == "stage":
        job.stages = [*job.stages[:depth], Stretch(*said)]
    elif kind == "done":
        job.stages = job.stages[: depth + 1]
        job.stages[depth].done = said[0]
    else:
        job.stages[depth].note = said[0]


class _Hand:
    """A process that does one job after another."""

    def __init__(self, module: str) -> None:
        context = get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, module), daemon=True)
        self._process.start()
        theirs.close()

    def end(self) -> None:
        with suppress(ValueError):  # closed already
            self._process.kill()
            self._process.join()


def _serve(pipe: Connection, module: str) -> None:
    """The life of a process: jobs, until nobody asks any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the page is interrupted, and ends this process
    from ...agents.workers import employ

    with suppress(EOFError, OSError), employ():
        while True:
            name, args = pipe.recv()
            try:
                answer = ("result", _function(module, name)(*args, progress=_Told(pipe)))
            except (EOFError, BrokenPipeError):
                raise
            except Exception as error:
                answer = ("error", told(error)[0])
            pipe.send(answer)


def _function(module: str, name: str) -> Callable[..., Any]:
    """The function of a name: of the module, or, as ``beside.name``, of one beside it."""
    beside, _, alone = name.rpartition(".")
    home = f"{module.rpartition('.')[0]}.{beside}" if beside else module
    return getattr(import_module(home), alone)


class _Told:
    """A ``Progress`` that travels to the page."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe, self._depth = pipe, 0

    @contextmanager
    def stage(self, name: str, total: int) -> Iterator[_ToldStage]:
        depth, self._depth = self._depth, self._depth + 1
        self._pipe.send(("stage", depth, name, total))
        yield _ToldStage(self._pipe, depth)
        self._depth = depth


class _ToldStage:
    def __init__(self, pipe: Connection, depth: int) -> None:
        self._pipe, self._depth, self._done, self._last = pipe, depth, 0, 0.0

    def advance(self, n: int = 1) -> None:
        self._done += n
        now = time.monotonic()
        if now - self._last >= _OFTEN:
            self._last = now
            self._pipe.send(("done", self._depth, self._done))

    def note(self, text: str) -> None:
        self._pipe.send(("note", self._depth, text))

    def curve(self, step: int, values: Mapping[str, SupportsFloat]) -> None:
        pass  # a page that shows none leaves tensors where they are
