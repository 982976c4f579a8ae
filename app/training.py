"""Trainings as jobs, so that several can run side by side."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from ..agents.learned import LearnedPolicy
from ..agents.policy import Pair
from ..agents.train import DQNSettings, PPOSettings, train_dqn, train_ppo
from ..envs.market import Market
from ..forecasters.progress import Progress


@dataclass(frozen=True)
class Training:
    """What to train, and where the best policy so far is kept."""

    settings: PPOSettings | DQNSettings
    seed: int
    checkpoint: Path  # in a folder of the machine that asks
    base: Pair | None = None  # the baseline to correct; the best one is found where None


def train(market: Market, training: Training, progress: Progress) -> LearnedPolicy:
    """Do one; interrupted, it goes on up and leaves its checkpoint."""
    with TemporaryDirectory() as passing:
        folder = training.checkpoint.parent
        place = folder if folder.is_dir() else Path(passing)  # another machine has no such folder
        kept, base, seed = place / training.checkpoint.name, training.base, training.seed
        if isinstance(training.settings, PPOSettings):
            return train_ppo(market, training.settings, seed, progress, base=base, checkpoint=kept)
        return train_dqn(market, training.settings, seed, progress, base=base, checkpoint=kept)
