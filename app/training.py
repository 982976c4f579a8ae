"""Trainings as jobs, so that several can run side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from ..agents.learned import LearnedPolicy
from ..agents.pathwise import PathwiseSettings, ShopsSettings, train_pathwise, train_shops
from ..agents.policy import Pair
from ..agents.train import DQNSettings, PPOSettings, train_dqn, train_ppo
from ..agents.workers import HERE, Workers
from ..envs.folders import sole_writer
from ..envs.market import Market
from ..forecasters.progress import SILENT, Progress
from ..forecasters.tensorboard import drawn

LearnerSettings = PPOSettings | DQNSettings | PathwiseSettings
Markets = Market | Sequence[Market]  # several are for ``ShopsSettings``


@dataclass(frozen=True)
class Training:
    """What to train, and where the state of an interrupted training is kept."""

    settings: LearnerSettings
    seed: int
    checkpoint: Path  # in a folder of the machine that asks, who removes it
    base: Pair | None = None  # the baseline to correct; the best one is found where None
    curves: Path | None = None  # folder for TensorBoard, of the machine that trains
    start: LearnedPolicy | None = None  # the policy to go on from, for ``PathwiseSettings``


def train(market: Markets, training: Training, progress: Progress) -> LearnedPolicy:
    """Do one, or go on with it where it was interrupted."""
    with TemporaryDirectory() as passing:
        folder = training.checkpoint.parent
        place = folder if folder.is_dir() else Path(passing)  # another machine has no such folder
        kept, base, seed = place / training.checkpoint.name, training.base, training.seed
        progress = drawn(progress, training.curves)
        trainers: dict[type, Callable[..., LearnedPolicy]] = {
            PPOSettings: train_ppo,
            DQNSettings: train_dqn,
            PathwiseSettings: train_pathwise,
            ShopsSettings: train_shops,
        }
        trained, start = trainers[type(training.settings)], training.start
        given = {name: one for name, one in (("base", base), ("start", start)) if one is not None}
        return trained(market, training.settings, seed, progress, checkpoint=kept, **given)


def train_into(
    market: Markets,
    settings: LearnerSettings,
    files: Mapping[int, Path],
    progress: Progress = SILENT,
    workers: Workers = HERE,
    wrote: Callable[[Path], None] = lambda _: None,
    base: Pair | None = None,
    curves: Path | None = None,
    start: LearnedPolicy | None = None,
) -> None:
    """Train a policy for each seed of ``files`` and write it there; ``wrote`` hears of each.

    Each corrects ``base``, or the best baseline that it finds where None; or it goes on from ``start``, where
    one is given. Its curves go to the folder ``curves``, where one is given, under the name of its file.

    A file is as it was until its training has ended. Interrupted, the same trainings go on from what they
    left beside their files.

    Raises:
        InputError: another process writes one of the files.
    """
    trainings = {
        file: Training(
            settings,
            seed,
            file.resolve().with_name(f".{file.stem}-training.safetensors"),
            base,
            None if curves is None else curves.resolve() / file.stem,
            start,
        )
        for seed, file in files.items()
    }
    with sole_writer(*trainings):
        trained = workers.map(
            "train the policies", partial(train, market), list(trainings.values()), progress
        )
        for file, policy in zip(trainings, trained, strict=True):
            policy.save(file)
            wrote(file)
        for training in trainings.values():  # only now: one that goes on from its end is soon done again
            training.checkpoint.unlink(missing_ok=True)
