"""Independent jobs: here in turn, in processes of this machine or on a Ray cluster, with the same results.

A job is ``work(job, progress)``: a function of a module, or a ``functools.partial`` of one, that returns all
it has to say. Wherever it runs, it gets as many threads as torch has in the process that asks: sums over
another number of threads round differently, and a trained policy comes out another. Machines are taken to be
alike: another kind of processor or device rounds differently, too.
"""

from __future__ import annotations

import os
import pickle
import signal
import socket
import sys
import traceback
from abc import ABC, abstractmethod
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from typing import Any, Protocol, TypeVar

import torch

from ..forecasters.errors import InputError
from ..forecasters.progress import SILENT, Progress

Job = TypeVar("Job")
Result = TypeVar("Result")
Work = Callable[[Job, Progress], Result]

_LIVES = 3  # workers that a job may lose before it is taken to kill them
_PASSIVE = {"OMP_WAIT_POLICY": "PASSIVE"}  # threads that spin while they wait starve the other workers'


class Workers(Protocol):
    """Whoever does the jobs; one ``map`` at a time."""

    def map(
        self, name: str, work: Work[Job, Result], jobs: Sequence[Job], progress: Progress = SILENT
    ) -> Iterator[Result]:
        """Results in the order of ``jobs``, each as soon as it and all before it are there.

        Args:
            name: of the stage of ``progress`` that advances as jobs finish.
            work: called with a job and the ``progress`` of its own stages, which is heard only here.

        Raises:
            ChildProcessError: a job lost its worker again and again (one that raises is not tried again: its
                error goes up, and the other jobs end).
        """
        ...


class _Here:
    """In this process, in turn."""

    def map(
        self, name: str, work: Work[Job, Result], jobs: Sequence[Job], progress: Progress = SILENT
    ) -> Iterator[Result]:
        with progress.stage(name, total=len(jobs)) as stage:
            for job in jobs:
                result = work(job, progress)
                stage.advance()
                yield result


HERE: Workers = _Here()


@contextmanager
def employ(count: int | None = None, address: str | None = None) -> Iterator[Workers]:
    """The workers that a person asked for, for as long as the context lasts.

    Args:
        count: how many jobs at once: processes of this machine, or jobs on the cluster. None is 1 here, and
            on the cluster as many as it has processors for.
        address: of a Ray cluster, as ``ray.init`` takes it; ``local`` starts one on this machine. Meanwhile
            what is printed goes to standard error: Ray's own messages would spoil a result.

    Raises:
        InputError: no such cluster, or Ray is not installed.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(threads)  # as workers do it: left to itself the matrix library may take fewer
    if address is not None:
        with redirect_stdout(sys.stderr), _Cluster(address, count, threads) as cluster:
            yield cluster
    elif count is not None and count > 1:
        with _Processes(count, threads) as processes:
            yield processes
    else:
        yield HERE


class _Elsewhere(ABC):
    """Jobs under way in other processes."""

    def map(
        self, name: str, work: Work[Job, Result], jobs: Sequence[Job], progress: Progress = SILENT
    ) -> Iterator[Result]:
        packed, waiting, done = self._pack(work), deque(enumerate(jobs)), dict[int, Result]()
        with progress.stage(name, total=len(jobs)) as stage:
            try:
                for number in range(len(jobs)):
                    while number not in done:
                        while waiting and self._has_room():
                            self._begin(packed, *waiting.popleft())
                        for finished, outcome in self._finished():
                            done[finished] = _opened(outcome)
                            stage.advance()
                    yield done.pop(number)
            finally:
                self._abandon()

    @abstractmethod
    def _pack(self, work: Work[Any, Any]) -> Any:
        """``work`` as ``_begin`` needs it, packed once for all jobs."""

    @abstractmethod
    def _has_room(self) -> bool:
        """Whether a job more can begin."""

    @abstractmethod
    def _begin(self, work: Any, number: int, job: object) -> None:
        """Set one to work."""

    @abstractmethod
    def _finished(self) -> list[tuple[int, bytes]]:
        """Wait for a job under way; the number and outcome of each that finished."""

    @abstractmethod
    def _abandon(self) -> None:
        """End all that is under way; nobody waits for it any more."""


def _outcome(work: bytes, job: bytes) -> bytes:
    """What the work gave or the error that it raised, packed: ``(result, None)`` or ``(None, error)``."""
    try:
        return pickle.dumps((pickle.loads(work)(pickle.loads(job), SILENT), None))
    except Exception as error:
        known = _portable(error)
        known.add_note(f"In a worker:\n{traceback.format_exc()}")
        return pickle.dumps((None, known))


def _portable(error: Exception) -> Exception:
    """The error itself where it can travel, else one that says the same."""
    with suppress(Exception):
        pickle.loads(pickle.dumps(error))
        return error
    return RuntimeError(f"{type(error).__name__}: {error}")


def _opened(outcome: bytes) -> Any:
    result, error = pickle.loads(outcome)
    if error is not None:
        raise error
    return result


def _lost(times: int) -> ChildProcessError:
    return ChildProcessError(f"a job lost its worker {times} times: killed, perhaps because memory ran out")


class _Processes(_Elsewhere):
    """Processes of this machine, each started when it is first needed."""

    def __init__(self, count: int, threads: int) -> None:
        self._count, self._threads = count, threads
        self._idle: list[_Hand] = []
        self._busy: dict[Connection, _Hand] = {}
        self._losses = Counter[int]()  # by job

    def __enter__(self) -> _Processes:
        return self

    def __exit__(self, *failure: object) -> None:
        self._abandon()
        while self._idle:
            self._idle.pop().end()

    def _pack(self, work: Work[Any, Any]) -> bytes:
        self._losses.clear()
        return pickle.dumps(work)

    def _has_room(self) -> bool:
        return len(self._busy) < self._count

    def _begin(self, work: bytes, number: int, job: object) -> None:
        self._set_to(work, number, pickle.dumps(job))

    def _set_to(self, work: bytes, number: int, job: bytes) -> None:
        hand = self._idle.pop() if self._idle else _Hand(self._threads)
        self._busy[hand.pipe] = hand
        hand.begin(work, number, job)

    def _finished(self) -> list[tuple[int, bytes]]:
        outcomes = []
        for pipe in wait(list(self._busy)):
            hand = self._busy.pop(pipe)  # type: ignore[call-overload]
            try:
                outcomes.append((hand.number, hand.pipe.recv_bytes()))
                self._idle.append(hand)
            except (EOFError, OSError):
                hand.end()
                self._again(hand)
        return outcomes

    def _again(self, lost: _Hand) -> None:
        """Another hand for the job of one that is lost."""
        self._losses[lost.number] += 1
        if self._losses[lost.number] == _LIVES:
            raise _lost(_LIVES)
        self._set_to(lost.work, lost.number, lost.job)

    def _abandon(self) -> None:
        while self._busy:
            self._busy.popitem()[1].end()


class _Hand:
    """A process and the job that it is at."""

    def __init__(self, threads: int) -> None:
        context = get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, threads), daemon=True)
        with _environment(_PASSIVE):
            self._process.start()
        theirs.close()
        self.work = self.job = b""
        self.number = -1

    def begin(self, work: bytes, number: int, job: bytes) -> None:
        told = self.work is work
        self.work, self.number, self.job = work, number, job
        with suppress(OSError):  # one that is gone is found out by whoever waits for it
            if not told:
                self.pipe.send(("work", work))
            self.pipe.send(("job", job))

    def end(self) -> None:
        self._process.kill()
        self._process.join()
        self.pipe.close()


def _serve(pipe: Connection, threads: int) -> None:
    """The life of a worker process: jobs, until nobody asks any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the one who asks is interrupted, and ends this process
    torch.set_num_threads(threads)
    work = b""
    with suppress(EOFError, OSError):
        while True:
            kind, packed = pipe.recv()
            if kind == "work":
                work = packed
            else:
                pipe.send_bytes(_outcome(work, packed))


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    """Variables that a process started meanwhile finds, where it would find none."""
    new = {name: value for name, value in values.items() if name not in os.environ}
    os.environ.update(new)
    try:
        yield
    finally:
        for name in new:
            del os.environ[name]


class _Cluster(_Elsewhere):
    """A Ray cluster, which runs a lost worker's job again by itself.

    Ray: Moritz et al. 2018, a distributed framework for emerging AI applications.
    """

    def __init__(self, address: str, most: int | None, threads: int) -> None:
        self._address, self._most, self._threads = address, most, threads
        self._under_way: dict[Any, int] = {}
        self._path = [os.path.abspath(place) for place in sys.path]

    def __enter__(self) -> _Cluster:
        try:
            import ray
        except ImportError:
            raise InputError("--ray: expected Ray, found none; pip install 'mercato[ray]'") from None
        self._ray = ray
        variables = {**_PASSIVE, "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", f"{os.cpu_count()}")}
        try:
            _reach(self._address)
            ray.init(
                self._address,
                runtime_env={"env_vars": variables},
                log_to_driver=False,
                logging_level="error",
            )
        except (OSError, ValueError, ImportError) as error:
            raise InputError(
                f"--ray: expected a Ray cluster at {self._address}, found none that answers ({error});"
                " one that asks for a token needs RAY_AUTH_MODE=token here, too"
            ) from None
        try:
            self._hire()
        except BaseException:
            ray.shutdown()
            raise
        return self

    def _hire(self) -> None:
        """Settle what a job takes and how many run at once."""
        there, gpus = self._ray.cluster_resources(), int(torch.cuda.is_available())
        if gpus and not there.get("GPU"):
            raise InputError(
                f"--ray: expected a GPU in the cluster at {self._address}, as there is one here, found none;"
                " CUDA_VISIBLE_DEVICES= hides the one here"
            )
        self._room = self._most or max(1, int(there.get("CPU", 1)) // self._threads)
        self._run = self._ray.remote(_on_cluster).options(
            num_cpus=1, num_gpus=gpus, max_retries=_LIVES - 1, scheduling_strategy="SPREAD"
        )

    def __exit__(self, *failure: object) -> None:
        self._ray.shutdown()

    def _pack(self, work: Work[Any, Any]) -> Any:
        return self._ray.put(self._ray.cloudpickle.dumps(work))  # which packs a script's own functions, too

    def _has_room(self) -> bool:
        return len(self._under_way) < self._room

    def _begin(self, work: Any, number: int, job: object) -> None:
        packed = self._ray.cloudpickle.dumps(job)
        self._under_way[self._run.remote(work, packed, self._threads, self._path)] = number

    def _finished(self) -> list[tuple[int, bytes]]:
        ready, _ = self._ray.wait(list(self._under_way), num_returns=1)
        return [(self._under_way.pop(one), self._fetched(one)) for one in ready]

    def _fetched(self, one: Any) -> bytes:
        try:
            return self._ray.get(one)
        except self._ray.exceptions.RayTaskError as error:
            raise ChildProcessError(f"the cluster cannot do the job: {error.cause}") from None
        except self._ray.exceptions.RayError:
            raise _lost(_LIVES) from None

    def _abandon(self) -> None:
        while self._under_way:
            self._ray.cancel(self._under_way.popitem()[0], force=True)


def _reach(address: str) -> None:
    """Find out at once whether anything answers: Ray tries for minutes, and may end the process.

    Raises:
        OSError: nothing does.
    """
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()


def _on_cluster(work: bytes, job: bytes, threads: int, path: list[str]) -> bytes:
    """A job's outcome; what is imported is looked for where the one who asks finds it, too."""
    sys.path.extend(place for place in path if place not in sys.path)
    torch.set_num_threads(threads)
    return _outcome(work, job)
