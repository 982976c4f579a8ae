"""Jobs elsewhere: the same results in the same order, lost workers, errors, interruption."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from multiprocessing import active_children
from pathlib import Path
from types import ModuleType

import pytest
import torch

from mercato.agents.baselines.myopic import MyopicPrice
from mercato.agents.baselines.orders import BaseStock
from mercato.agents.baselines.prices import CostPlus
from mercato.agents.baselines.random import RandomPolicy
from mercato.agents.evaluation import evaluate
from mercato.agents.policy import Pair
from mercato.agents.workers import HERE, Workers, employ
from mercato.forecasters.errors import InputError
from mercato.forecasters.progress import SILENT, Progress
from tests.agents.shops import shop

POLICIES = [
    Pair("mine", MyopicPrice(), BaseStock()),
    Pair("low", CostPlus(0.2), BaseStock()),
    RandomPolicy(3),
]


@pytest.fixture(scope="module")
def processes() -> Iterator[Workers]:
    with employ(2) as workers:
        yield workers


@pytest.fixture(scope="module")
def cluster() -> Iterator[Workers]:
    pytest.importorskip("ray")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        with employ(2, "local") as workers:
            yield workers


@pytest.fixture(
    params=[
        "here",
        "processes",
        pytest.param("cluster", marks=[pytest.mark.slow, pytest.mark.filterwarnings("ignore")]),
    ]
)
def workers(request: pytest.FixtureRequest) -> Workers:
    return HERE if request.param == "here" else request.getfixturevalue(request.param)


@pytest.fixture(
    params=[
        "processes",
        pytest.param("cluster", marks=[pytest.mark.slow, pytest.mark.filterwarnings("ignore")]),
    ]
)
def elsewhere(request: pytest.FixtureRequest) -> Workers:
    return request.getfixturevalue(request.param)


class Counting:
    """A progress that counts."""

    def __init__(self) -> None:
        self.done: dict[str, int] = {}

    @contextmanager
    def stage(self, name: str, total: int) -> Iterator[Counting]:
        self.name, self.total = name, total
        self.done[name] = 0
        yield self

    def advance(self, n: int = 1) -> None:
        self.done[self.name] += n

    def curve(self, *_: object) -> None:
        pass

    def note(self, text: str) -> None:
        raise AssertionError(text)


def first_is_last(jobs: int, job: int, progress: Progress) -> int:
    time.sleep(0.05 * (jobs - job))
    return job * job


def touch(folder: Path, name: str) -> int:
    """How often it was called for ``name``, this time included."""
    (folder / f"{name}.{os.getpid()}.{time.monotonic_ns()}").touch()
    return len(list(folder.glob(f"{name}.*")))


def dies_at_first(folder: Path, job: str, progress: Progress) -> str:
    if touch(folder, job) == 1 and job == "b":
        os._exit(1)
    return job.upper()


def refuses(folder: Path, job: str, progress: Progress) -> str:
    touch(folder, job)
    if job == "b":
        raise InputError("expected bread, found none")
    return job


class Awkward(Exception):
    """Cannot be packed and unpacked."""

    def __init__(self, one: str, other: str) -> None:
        super().__init__(f"{one} and {other}")


def is_awkward(job: int, progress: Progress) -> None:
    raise Awkward("this", "that")


def always_dies(job: int, progress: Progress) -> None:
    os._exit(1)


def sleeps(job: int, progress: Progress) -> int:
    time.sleep(60 * job)
    return os.getpid()


def circumstances(job: int, progress: Progress) -> tuple[int, int, str | None]:
    return os.getpid(), torch.get_num_threads(), os.environ.get("OMP_WAIT_POLICY")


def test_results_come_in_the_order_of_the_jobs_and_progress_hears_of_each(workers: Workers) -> None:
    heard = Counting()
    assert list(workers.map("count", partial(first_is_last, 5), range(5), heard)) == [0, 1, 4, 9, 16]
    assert (heard.done, heard.total) == ({"count": 5}, 5)
    assert list(workers.map("nothing", partial(first_is_last, 0), [])) == []


def test_an_evaluation_is_the_same_bit_for_bit(elsewhere: Workers) -> None:
    market = shop([[-2.0, 0.4], [0.3, -3.0]], locations=90)  # two batches
    asked = (market, POLICIES, 100, 6, 1)
    here, there = evaluate(*asked), evaluate(*asked, SILENT, elsewhere)
    assert here.names == there.names
    for metric, values in here.values.items():
        assert values.tobytes() == there.values[metric].tobytes(), metric


def test_a_job_has_the_threads_of_who_asks_and_a_process_of_its_own(elsewhere: Workers) -> None:
    for process, threads, policy in elsewhere.map("look", circumstances, range(4)):
        assert process != os.getpid()
        assert (threads, policy) == (torch.get_num_threads(), "PASSIVE")


def test_a_lost_workers_job_is_run_again(elsewhere: Workers, tmp_path: Path) -> None:
    assert list(elsewhere.map("x", partial(dies_at_first, tmp_path), "abc")) == ["A", "B", "C"]
    assert len(list(tmp_path.glob("b.*"))) == 2


@pytest.mark.slow
def test_a_job_that_kills_its_workers_is_given_up(elsewhere: Workers) -> None:
    with pytest.raises(ChildProcessError, match="lost its worker 3 times"):
        list(elsewhere.map("x", always_dies, [0]))
    assert list(elsewhere.map("y", partial(first_is_last, 2), range(2))) == [0, 1]


def test_an_error_goes_up_as_it_is_and_is_not_tried_again(workers: Workers, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        list(workers.map("x", partial(refuses, tmp_path), "ab"))
    assert str(caught.value) == "expected bread, found none"
    assert len(list(tmp_path.glob("b.*"))) == 1


def test_an_error_that_cannot_travel_says_the_same(elsewhere: Workers) -> None:
    with pytest.raises(RuntimeError) as caught:
        list(elsewhere.map("x", is_awkward, [0]))
    assert str(caught.value) == "Awkward: this and that"
    assert "in is_awkward" in "".join(caught.value.__notes__)


def test_whoever_is_interrupted_leaves_nobody_at_work() -> None:
    before = set(active_children())
    began = time.monotonic()

    def interrupted(workers: Workers) -> None:
        for _ in workers.map("x", sleeps, [0, 1]):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), employ(2) as workers:
        interrupted(workers)
    assert set(active_children()) == before
    assert time.monotonic() - began < 50


def test_one_worker_is_this_process() -> None:
    with employ() as workers:
        assert workers is HERE
    with employ(1) as workers:
        assert workers is HERE


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with (
        pytest.raises(InputError, match=r"expected Ray, found none; pip install 'mercato\[ray\]'"),
        employ(2, "auto"),
    ):
        pass


def test_a_cluster_that_is_not_there_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", ModuleType("ray"))
    with (
        pytest.raises(InputError, match=r"expected a Ray cluster at 127\.0\.0\.1:1, found none"),
        employ(2, "127.0.0.1:1"),
    ):
        pass
