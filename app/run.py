"""The whole path from a sales table to a report, in one folder: fit, card, forecast, policies, decisions.

The fit, the card, the forecast and each policy leave a file or a folder. A run that was interrupted goes on
from them and plays the rest again, to the same result; one that was asked for something else starts afresh.
All of it is done beside the run's folder, which is replaced when the run has ended: until then an old one is
whole.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from ..agents.evaluation import usual_episodes
from ..agents.learned import FORMAT as FORMAT_OF_POLICIES
from ..agents.learned import LearnedPolicy
from ..agents.learner import Validation
from ..agents.pathwise import PathwiseSettings
from ..agents.policy import Policy
from ..agents.train import DQNSettings, PPOSettings, best_base
from ..agents.tuning import tune_baselines
from ..agents.workers import HERE, Workers
from ..envs.economics import Economics
from ..envs.folders import sole_writer, take_place
from ..envs.market import Market
from ..envs.store import FORMAT as FORMAT_OF_MARKETS
from ..envs.store import fit_market, load_market
from ..forecasters.errors import InputError
from ..forecasters.evaluation import Forecaster
from ..forecasters.events import Records
from ..forecasters.market_model import Recipe, shipped
from ..forecasters.model import FitSettings
from ..forecasters.network import TrainingSettings
from ..forecasters.panel import SalesPanel
from ..forecasters.progress import Progress
from ..forecasters.reading import Reading
from ..forecasters.seal import of_file
from .benchmarking import Benchmark, compare
from .card.card import market_card
from .coming import keep_forecast
from .decisions import decide
from .headline import headline
from .output import kept_result, plain, write_json, write_text
from .reading import Beside, account, account_beside, read_all
from .report.card import render_card
from .report.coming import USUAL
from .report.contents import Contents
from .report.gather import Subject, gather
from .report.page import render
from .runtime import device
from .stock import read_stock
from .training import LearnerSettings, Training, train

Say = Callable[[str], None]  # hears what a person should know
CARD, RECORD, DECISIONS = "card.html", "run.json", "decisions.csv"


@dataclass(frozen=True)
class RunSettings:
    """How much work a run does."""

    fit: FitSettings = field(default_factory=FitSettings)
    ppo: PPOSettings = field(default_factory=PPOSettings)
    dqn: DQNSettings = field(default_factory=DQNSettings)
    pathwise: PathwiseSettings | None = None  # a third learner, where its minutes can be afforded
    validation: Validation = field(default_factory=Validation)  # of the baseline that learners start from
    episodes: int = 32
    horizon: int = 26  # at most half the history
    shift_episodes: int = 12  # for each thing that is changed to see what hangs on it
    card: bool = True  # which takes about as long as the fit
    forecast: bool = True  # of the coming periods
    recipe: Recipe | None = Recipe(trees=False)  # of the forecast that levels follow; None for their own
    caveat: str = ""  # what the report says of so much work


def rehearsal() -> RunSettings:
    """The same path with little training: to see that all of it works, not what it earns."""
    glance = Validation(times=1, episodes=1, horizon=13)
    return RunSettings(
        fit=FitSettings(training=TrainingSettings(steps=30)),
        recipe=None,
        forecast=False,
        ppo=PPOSettings(steps=20_000, markets=1, validation=glance),
        dqn=DQNSettings(steps=20_000, markets=1, warm_up=5_000, validation=glance),
        episodes=8,
        horizon=13,
        shift_episodes=2,
        caveat="a rehearsal with little training (--quick): it shows that all of it works, not what it earns",
    )


def work(quick: bool, pathwise: bool) -> RunSettings:
    """How much of it: a rehearsal or the whole, and whether a third learner trains.

    That one gets a fifth of the unit-periods, for each costs it more.
    """
    settings = rehearsal() if quick else RunSettings()
    if not pathwise:
        return settings
    ppo = settings.ppo
    third = PathwiseSettings(steps=ppo.steps // 5, markets=ppo.markets, validation=ppo.validation)
    return replace(settings, pathwise=third)


@dataclass(frozen=True)
class Case:
    """What a run is about."""

    name: str
    panel: SalesPanel
    economics: Economics
    stock: tuple[np.ndarray, np.ndarray] | None = None  # (S, I) on hand and on order, as ``decide`` has them
    truth: Path | None = None  # folder of the truth behind the table
    acknowledgement: str = ""
    records: Records | None = None  # what customers did, and what is known of items


@dataclass(frozen=True)
class Finished:
    """What a run leaves behind."""

    benchmark: Benchmark
    contents: Contents


def run_table(
    folder: Path,
    table: Path | None,
    reading: Reading,
    beside: Beside,
    economics: Economics,
    stock: Path | None,
    seed: int,
    settings: RunSettings,
    progress: Progress,
    say: Say,
    workers: Workers = HERE,
) -> Finished:
    """Go the whole way from a person's own sales table, or from receipts, of which one is made.

    Raises:
        InputError: a table or the stock file does not fit, or the folder holds something that is not a run.
    """
    panel, records = read_all(table, reading, beside)
    source = table or beside.events or Path()
    told = (*account(source, panel), *account_beside(panel, records), economics.assumed())
    for line in filter(None, told):
        say(line)
    others = {name: getattr(beside, name) for name in ("events", "items", "relations")}
    asked = {
        "table": {"name": source.name, "content": of_file(source)},
        "reading": asdict(reading),
        "beside": {name: None if path is None else of_file(path) for name, path in others.items()},
        "named": [beside.map, beside.busy],
        "economics": economics.model_dump(exclude_unset=True),
        "stock": None if stock is None else of_file(stock),
    }
    case = Case(
        source.stem,
        panel,
        economics,
        records=records,
        stock=None if stock is None else read_stock(stock, panel, panel.reading.map),
    )
    with begun(folder, asked, seed, settings, say) as (work, _):
        return go(work, case, seed, settings, progress, workers)


@contextmanager
def begun(
    folder: Path, asked: Mapping[str, Any], seed: int, settings: RunSettings, say: Say
) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The folder to work in, which takes the place of ``folder`` at the end, and the run's record.

    They are those of an interrupted run of the same, or new ones. Nobody else runs there meanwhile.

    Raises:
        InputError: the folder holds something that is not a run, or somebody else is at it.
    """
    there = folder.resolve()
    if there.is_file() or (there.is_dir() and not (there / RECORD).is_file() and any(there.glob("[!.]*"))):
        raise InputError(f"{folder}: expected a new folder or that of a run, found something else there")
    written_as = {"version": version("mercato"), "market": FORMAT_OF_MARKETS, "policies": FORMAT_OF_POLICIES}
    told = {**asked, "seed": seed, "settings": asdict(settings), "written as": written_as}
    work = there.with_name(f".{there.name}-unfinished")
    with sole_writer(there):
        record, interrupted = _record(work, plain(told))
        if interrupted:
            say(f"going on with the run of {folder} that was interrupted")
        yield work, record
        take_place(work, there)


def _record(work: Path, asked: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    """What an interrupted run of the same has written, and True; or what a new one begins with, and False."""
    try:
        known = json.loads((work / RECORD).read_text(encoding="utf-8"))
        if known["asked"] == asked:
            return known, True
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        pass
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    record = {"asked": asked}
    write_json(work / RECORD, record)
    return record, False


def go(
    folder: Path,
    case: Case,
    seed: int,
    settings: RunSettings,
    progress: Progress,
    workers: Workers,
) -> Finished:
    """Every stage that the folder does not hold yet."""
    market = _market(folder, case, settings, seed, progress).to(device())
    card = _card(folder, market, case.name, case.panel, seed, progress) if settings.card else None
    coming = _forecast(folder, case.panel, seed, progress) if settings.forecast else None
    played = market.remembered
    baselines = tune_baselines(played, seed, progress=progress)
    learned = _train(folder, played, baselines, settings, seed, progress, workers)
    horizon = min(settings.horizon, max(1, case.panel.periods // 2))
    episodes = min(settings.episodes, usual_episodes(market))
    benchmark = compare(played, learned, baselines, episodes, horizon, seed, case.truth, progress, workers)
    write_json(folder / "benchmark.json", benchmark.payload())
    best = benchmark.policy(headline(benchmark).learned)
    decisions = decide(market, best, case.panel, None, case.stock, seed, explain=True)
    write_text(folder / DECISIONS, decisions.csv())
    subject = Subject(
        case.name,
        case.panel,
        case.acknowledgement,
        caveat=settings.caveat,
        decisions=decisions,
        file=DECISIONS,
        stock_assumed=case.stock is None,
    )
    if card is not None:
        subject = replace(subject, verdict=card["verdict"], card=CARD)
    contents = gather(subject, benchmark, settings.shift_episodes, progress, workers)
    write_text(folder / "report.json", contents.model_dump_json(indent=1))
    write_text(folder / "report.html", render(contents, card, coming))
    return Finished(benchmark, contents)


def _market(folder: Path, case: Case, settings: RunSettings, seed: int, progress: Progress) -> Market:
    out = folder / "market"
    if not (out / "market.json").is_file():
        forecaster = None if settings.recipe is None else Forecaster(shipped(), settings.recipe)
        fit_market(
            case.panel,
            case.economics,
            out,
            settings.fit,
            seed,
            progress,
            device(),
            forecaster,
            records=case.records,
        )
    return load_market(out)


def _card(
    folder: Path, market: Market, name: str, panel: SalesPanel, seed: int, progress: Progress
) -> dict[str, Any]:
    path = folder / "card.json"
    if not path.is_file():
        card = market_card(replace(market, name=name), panel, seed, progress)
        write_text(folder / CARD, render_card(card))
        write_json(path, card)
    return dict(json.loads(path.read_text(encoding="utf-8")))


def _forecast(folder: Path, panel: SalesPanel, seed: int, progress: Progress) -> dict[str, Any]:
    path = folder / "forecast.json"
    return kept_result(path) or keep_forecast(panel, USUAL, seed, path, progress)


def _train(
    folder: Path,
    market: Market,
    baselines: list[Policy],
    settings: RunSettings,
    seed: int,
    progress: Progress,
    workers: Workers,
) -> list[LearnedPolicy]:
    """Every learner's policy, each from its file where an interrupted run left one."""
    base, home = best_base(market, baselines, seed, settings.validation), folder.resolve() / "policies"
    home.mkdir(exist_ok=True)
    learners: dict[str, LearnerSettings | None] = {
        "ppo": settings.ppo,
        "dqn": settings.dqn,
        "pathwise": settings.pathwise,
    }
    trainings = {
        home / f"{name}.safetensors": Training(how, seed, home / f".{name}-training.safetensors", base)
        for name, how in learners.items()
        if how is not None
    }
    missing = {path: training for path, training in trainings.items() if not path.is_file()}
    trained = workers.map("train the policies", partial(train, market), list(missing.values()), progress)
    for (path, training), policy in zip(missing.items(), trained, strict=True):
        policy.save(path)
        training.checkpoint.unlink(missing_ok=True)
    return [LearnedPolicy.load(path) for path in trainings]
