"""Kills at random moments: what was there stays whole, and the same work begun again ends as ever.

Work is done in a fork of this process, which has all libraries loaded, so that a kill meets the work and not
the imports.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mercato.agents.baselines.myopic import MyopicPrice
from mercato.agents.baselines.orders import BaseStock
from mercato.agents.learned import LearnedPolicy
from mercato.agents.learner import Validation
from mercato.agents.policy import Pair
from mercato.agents.train import DQNSettings, PPOSettings
from mercato.app import demo
from mercato.app.commands import benchmark
from mercato.app.run import RunSettings
from mercato.app.training import train_into
from mercato.envs.economics import Economics
from mercato.envs.store import fit_market, load_market
from mercato.envs.structural import FAMILIES, ROLES, Size
from mercato.forecasters.model import FitSettings
from mercato.forecasters.network.training import TrainingSettings
from mercato.forecasters.panel import read_panel
from mercato.forecasters.progress import SILENT
from mercato.forecasters.seal import of_file, of_values

from .damage import make

HARMED, DIFFERS, LEFT = "old result harmed", "rerun differs", "left over"
FAULTS = (HARMED, DIFFERS, LEFT)
_ODD_FAILURE = 70  # exit status of work that raised

_SIZE = Size(2, 2, 40)
_OFTEN = Validation(times=3, episodes=1, horizon=3)
_PPO = PPOSettings(steps=400, markets=2, horizon=8, rollout=8, hidden=(8,), validation=_OFTEN)
_DQN = DQNSettings(
    steps=400, markets=2, horizon=8, warm_up=80, batch=64, margins=(0.0,), hidden=(8,), validation=_OFTEN
)
_FIT = FitSettings(training=TrainingSettings(steps=24, check_every=4))
_RUN = RunSettings(fit=_FIT, ppo=_PPO, dqn=_DQN, episodes=4, horizon=5, shift_episodes=2)


@dataclass(frozen=True)
class Verb:
    """What is killed."""

    work: Callable[[Path, Path, int], None]  # with the market of a home, in a folder, under a seed
    result: Callable[[Path, Path], str]  # fingerprint of what it makes, and of what it must not touch
    replaces: bool  # an old result; one that does not begins in an empty folder


def _fit(home: Path, folder: Path, seed: int) -> None:
    frame, _ = FAMILIES["log-linear"].make(0, _SIZE)
    fit_market(read_panel(frame, roles=ROLES), Economics(), folder / "market", _FIT, seed)


def _train(home: Path, folder: Path, seed: int) -> None:
    how = _PPO if seed % 2 else _DQN
    base = Pair("base", MyopicPrice(), BaseStock(1.0))  # whose tuning would take most of the time
    train_into(load_market(home / "market"), how, {seed // 2: folder / "policy.safetensors"}, base=base)


def _run(home: Path, folder: Path, seed: int) -> None:
    demo.MADE = {demo.REFERENCE: replace(demo.MADE[demo.REFERENCE], size=_SIZE)}
    demo.run_demo(folder / "run", demo.REFERENCE, seed, _RUN, SILENT, lambda _: None)


def _benchmark(home: Path, folder: Path, seed: int) -> None:
    with (folder / "printed.json").open("w") as out, contextlib.redirect_stdout(out):
        benchmark.run(
            home / "market", [home / "policy.safetensors"], None, 8, 8, None, True, seed, None, None
        )


def _files(folder: Path) -> dict[str, str]:
    """Fingerprints of all files that show; of policies, whose headers have no order, of what they hold."""
    found = {str(path.relative_to(folder)): path for path in sorted(folder.rglob("*")) if path.is_file()}
    shown = {name: path for name, path in found.items() if not _hidden(name)}
    return {name: _policy(path) if "polic" in name else of_file(path) for name, path in shown.items()}


def _hidden(name: str) -> bool:
    """A file under way, or a card, which tells how long it took."""
    return any(part.startswith((".", "card.")) for part in Path(name).parts)


def _policy(path: Path) -> str:
    policy = LearnedPolicy.load(path)
    return of_values(policy.name, policy.network, policy.training)


def _made(home: Path, folder: Path) -> str:
    return of_values(_files(folder))


def _printed(home: Path, folder: Path) -> str:
    return of_values(_files(home), _files(folder))


VERBS = {
    "fit": Verb(_fit, _made, replaces=True),
    "train": Verb(_train, _made, replaces=True),
    "run": Verb(_run, _made, replaces=True),
    "benchmark": Verb(_benchmark, _printed, replaces=False),
}


def forked(work: Callable[[], None], after: float | None = None) -> float:
    """Do ``work`` in a fork, killed ``after`` some seconds if it is still at it; seconds that it took.

    Raises:
        RuntimeError: the work failed, which it said on standard error.
    """
    began = time.monotonic()
    child = os.fork()
    if not child:
        status = _ODD_FAILURE
        try:
            work()
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    if after is not None:
        time.sleep(after)
        os.kill(child, signal.SIGKILL)
    _, ended = os.waitpid(child, 0)
    if os.waitstatus_to_exitcode(ended) == _ODD_FAILURE:
        raise RuntimeError("work failed")
    return time.monotonic() - began


def tries(pieces: list[tuple[str, int]]) -> Iterator[dict[str, Any]]:
    """What became of a kill of each (verb, seed): ``moment``, a share of the work; ``fault``, "" for none."""
    with tempfile.TemporaryDirectory() as name:
        home = Path(name) / "home"
        home.mkdir()
        forked(lambda: make(home))
        whole: dict[tuple[str, int], _Whole] = {}
        for what, seed in pieces:
            verb, kind = VERBS[what], seed % 2
            for of in (kind, kind + 2):  # what is wanted, and another as the old result
                if (what, of) not in whole and (of == kind or verb.replaces):
                    folder = Path(name) / f"{what}-{of}"
                    folder.mkdir()
                    took = forked(partial(verb.work, home, folder, of))
                    whole[what, of] = _Whole(folder, verb.result(home, folder), took)
            yield _killed(
                verb, home, Path(name) / "work", seed, whole[what, kind], whole.get((what, kind + 2))
            )


@dataclass(frozen=True)
class _Whole:
    """What work leaves that nobody kills."""

    folder: Path
    result: str
    seconds: float


def _killed(
    verb: Verb, home: Path, folder: Path, seed: int, wanted: _Whole, old: _Whole | None
) -> dict[str, Any]:
    shutil.rmtree(folder, ignore_errors=True)
    if old is None:
        folder.mkdir()
    else:
        shutil.copytree(old.folder, folder)
    before, moment = _files(home), float(np.random.default_rng(seed).random())
    work = partial(verb.work, home, folder, seed % 2)
    forked(work, after=moment * wanted.seconds)
    whole = old is None or verb.result(home, folder) in (old.result, wanted.result)
    fault = "" if whole and _files(home) == before else HARMED
    try:
        forked(work)
    except RuntimeError:
        return {"moment": moment, "fault": fault or DIFFERS}
    if verb.result(home, folder) != wanted.result:
        fault = fault or DIFFERS
    elif _names(folder) != _names(wanted.folder):
        fault = fault or LEFT
    return {"moment": round(moment, 3), "fault": fault}


def _names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def pieces(first: int, count: int) -> list[tuple[str, int]]:
    """``count`` kills of each verb, verbs in turn, so that whatever is done in time has some of each."""
    return [(verb, seed) for seed in range(first, first + count) for verb in VERBS]


def counted(found: list[tuple[tuple[str, int], dict[str, Any]]]) -> dict[str, dict[str, Any]]:
    """Counts by verb."""
    table: dict[str, dict[str, Any]] = {
        verb: {"kills": 0, **dict.fromkeys(FAULTS, 0), "faults": []} for verb in VERBS
    }
    for (verb, seed), told in found:
        row = table[verb]
        row["kills"] += 1
        if told["fault"]:
            row[told["fault"]] += 1
            row["faults"].append({"seed": seed, **told})
    return json.loads(json.dumps(table))
