"""Trainings as jobs: side by side they give the policies that they give one after the other."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from mercato.agents.learned import LearnedPolicy
from mercato.agents.learner import Validation
from mercato.agents.train import DQNSettings, PPOSettings
from mercato.agents.workers import HERE, Workers, employ
from mercato.app.training import Training, train
from mercato.envs.store import load_market
from mercato.forecasters.progress import SILENT
from tests.app.conftest import contents

GLANCE = Validation(times=1, episodes=1, horizon=4)
PPO = PPOSettings(steps=400, markets=2, horizon=8, validation=GLANCE)
DQN = DQNSettings(steps=400, markets=2, horizon=8, warm_up=100, validation=GLANCE)


def trained(home: Path, folder: Path, workers: Workers) -> list[LearnedPolicy]:
    """PPO and DQN."""
    folder.mkdir()
    asked = [Training(PPO, 0, folder / "ppo-kept"), Training(DQN, 1, folder / "dqn-kept")]
    return list(workers.map("train", partial(train, load_market(home / "market")), asked))


def test_policies_trained_side_by_side_are_the_same_bit_for_bit(home: Path, tmp_path: Path) -> None:
    with employ(2) as processes:
        there = trained(home, tmp_path / "there", processes)
    here = trained(home, tmp_path / "here", HERE)
    assert [policy.name for policy in here] == ["PPO", "DQN"]
    assert [contents(policy) for policy in here] == [contents(policy) for policy in there]


def test_a_machine_without_the_folder_trains_all_the_same(home: Path, tmp_path: Path) -> None:
    """The checkpoint is for the machine that asks; elsewhere nothing is written."""
    away = tmp_path / "away"
    assert train(load_market(home / "market"), Training(PPO, 0, away / "kept"), SILENT).name == "PPO"
    assert not away.exists()


def test_an_interrupted_training_goes_on_up(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("stable_baselines3.PPO.learn", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train(load_market(home / "market"), Training(PPO, 0, tmp_path / "kept"), SILENT)
