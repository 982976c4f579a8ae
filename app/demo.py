"""The whole path in one run: data, fit, train, benchmark, decide, report.

Each stage leaves a file or a folder in the run's folder. A run that was interrupted goes on from them; one
that was finished, or asked for something else, starts afresh.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ..agents.learned import LearnedPolicy
from ..agents.learner import Validation
from ..agents.policy import Policy
from ..agents.train import DQNSettings, PPOSettings, best_base
from ..agents.tuning import tune_baselines
from ..agents.workers import HERE, Workers
from ..envs.economics import Economics
from ..envs.market import Market
from ..envs.store import fit_market, load_market
from ..envs.structural import truth_folder, write_reference
from ..forecasters.errors import InputError
from ..forecasters.model import FitSettings
from ..forecasters.panel import SalesPanel, read_panel
from ..forecasters.progress import Progress
from ..forecasters.sources import SOURCES, SourceUnavailable, write_source
from ..forecasters.training import TrainingSettings
from .benchmarking import Benchmark, compare
from .decisions import decide
from .output import plain, write_json, write_text
from .report.contents import Contents
from .report.gather import Subject, gather
from .report.page import render
from .runtime import device
from .training import Training, train

REFERENCE = "reference"
_CURRENCY = {"orange-juice": "$", "ta-feng": "NT$"}
_LEAVES = ("market", "policies", "panel.truth", "panel.parquet", "panel.parquet.terms.txt")


@dataclass(frozen=True)
class DemoSettings:
    """How much work a demo does."""

    fit: FitSettings = field(default_factory=FitSettings)
    ppo: PPOSettings = field(default_factory=PPOSettings)
    dqn: DQNSettings = field(default_factory=DQNSettings)
    episodes: int = 32
    horizon: int = 26
    shift_episodes: int = 12  # for each thing that is changed to see what hangs on it


def rehearsal() -> DemoSettings:
    """The same path with little training: to see that all of it works, not what it earns."""
    glance = Validation(times=1, episodes=1, horizon=13)
    return DemoSettings(
        fit=FitSettings(training=TrainingSettings(steps=30)),
        ppo=PPOSettings(steps=20_000, markets=1, validation=glance),
        dqn=DQNSettings(steps=20_000, markets=1, warm_up=5_000, validation=glance),
        episodes=8,
        horizon=13,
        shift_episodes=2,
    )


@dataclass(frozen=True)
class Finished:
    """What a demo leaves behind."""

    benchmark: Benchmark
    contents: Contents


def run_demo(
    folder: Path,
    name: str,
    seed: int,
    settings: DemoSettings,
    progress: Progress,
    say: Callable[[str], None],
    workers: Workers = HERE,
) -> Finished:
    """Go the whole way in ``folder``; ``say`` hears what a person should know.

    Raises:
        InputError: the folder holds something that is not a run.
    """
    record = _begin(folder, {"data": name, "seed": seed, "settings": plain(asdict(settings))}, say)
    name = _data(folder, record, seed, say)
    panel = read_panel(folder / "panel.parquet")
    market = _market(folder, panel, settings.fit, seed, progress).to(device())
    baselines = tune_baselines(market, seed, progress=progress)
    learned = _train(folder, market, baselines, settings, seed, progress, workers)
    truth = truth_folder(folder / "panel.parquet") if name == REFERENCE else None
    benchmark = compare(
        market, learned, baselines, settings.episodes, settings.horizon, seed, truth, progress, workers
    )
    write_json(folder / "benchmark.json", benchmark.payload())
    contents = gather(_subject(name, panel), benchmark, settings.shift_episodes, progress, workers)
    best = benchmark.policy(contents.headline.learned)
    write_text(folder / "decisions.csv", decide(market, best, panel, None, None, seed).csv())
    write_text(folder / "report.json", contents.model_dump_json(indent=1))
    write_text(folder / "report.html", render(contents))
    write_json(folder / "run.json", {**record, "finished": True})
    return Finished(benchmark, contents)


def _begin(folder: Path, asked: dict[str, Any], say: Callable[[str], None]) -> dict[str, Any]:
    """The run's record: that of an interrupted run of the same kind, or a new one in a cleared folder."""
    path, asked = folder / "run.json", {**asked, "version": version("mercato")}
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir()) and not path.is_file()):
        raise InputError(f"{folder}: expected a new folder or that of a run, found something else there")
    if path.is_file():
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if record.get("asked") == asked and not record.get("finished"):
            say(f"going on with the run that was interrupted in {folder}")
            return record
        for leaf in _LEAVES:
            old = folder / leaf
            if old.is_dir():
                shutil.rmtree(old)
            else:
                old.unlink(missing_ok=True)
    record = {"asked": asked, "data": None, "finished": False}
    write_json(path, record)
    return record


def _data(folder: Path, record: dict[str, Any], seed: int, say: Callable[[str], None]) -> str:
    """Write panel.parquet and return whose it is: ``reference`` where the source cannot be reached."""
    if record["data"]:
        return str(record["data"])
    name, out = record["asked"]["data"], folder / "panel.parquet"
    if name != REFERENCE:
        try:
            write_source(name, out)
            say(f"{name}: {SOURCES[name].acknowledgement} Terms: {SOURCES[name].terms}")
        except SourceUnavailable as error:
            say(f"{error}; going on with the reference market, whose truth is known")
            name = REFERENCE
    if name == REFERENCE:
        write_reference(out, seed)
    record["data"] = name
    write_json(folder / "run.json", record)
    return str(name)


def _market(folder: Path, panel: SalesPanel, settings: FitSettings, seed: int, progress: Progress) -> Market:
    out = folder / "market"
    if (out / "market.json").is_file():
        return load_market(out)
    return fit_market(panel, Economics(), out, settings, seed, progress, device())


def _train(
    folder: Path,
    market: Market,
    baselines: list[Policy],
    settings: DemoSettings,
    seed: int,
    progress: Progress,
    workers: Workers,
) -> list[LearnedPolicy]:
    """PPO and DQN, each from its file where an interrupted run left one."""
    base, home = best_base(market, baselines, seed), folder.resolve() / "policies"
    home.mkdir(exist_ok=True)
    trainings = {
        home / f"{name}.safetensors": Training(how, seed, home / f"{name}-unfinished.safetensors", base)
        for name, how in (("ppo", settings.ppo), ("dqn", settings.dqn))
    }
    missing = {path: training for path, training in trainings.items() if not path.is_file()}
    trained = workers.map("train the policies", partial(train, market), list(missing.values()), progress)
    for (path, training), policy in zip(missing.items(), trained, strict=True):
        policy.save(path)
        training.checkpoint.unlink(missing_ok=True)
    return [LearnedPolicy.load(path) for path in trainings]


def _subject(name: str, panel: SalesPanel) -> Subject:
    known = SOURCES.get(name)
    size = f"{len(panel.locations)} locations × {len(panel.items)} items × {panel.periods} periods"
    return Subject(
        title=f"What learned policies earn: {name}",
        subtitle=f"{size}, {panel.dates[0]} to {panel.dates[-1]}",
        acknowledgement=f"{known.acknowledgement} Terms: {known.terms}" if known else "",
        currency=_CURRENCY.get(name, "money"),
        panel=panel,
    )
