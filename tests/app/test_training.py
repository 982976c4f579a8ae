"""Trainings as jobs: side by side they give the policies that they give one after the other."""

from __future__ import annotations

import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from mercato.agents.baselines.orders import BaseStock
from mercato.agents.baselines.prices import LastPrice
from mercato.agents.learned import LearnedPolicy
from mercato.agents.learner import Validation
from mercato.agents.policy import Pair
from mercato.agents.train import DQNSettings, PPOSettings
from mercato.agents.workers import HERE, Workers, employ
from mercato.app.training import Training, train, train_into
from mercato.envs.folders import sole_writer
from mercato.envs.store import load_market
from mercato.forecasters.errors import InputError
from mercato.forecasters.progress import SILENT
from tests.app.conftest import contents
from tests.listener import Listener

GLANCE = Validation(times=1, episodes=1, horizon=4, series=1)
PPO = PPOSettings(steps=400, markets=2, horizon=8, validation=GLANCE)
DQN = DQNSettings(steps=400, markets=2, horizon=8, warm_up=100, validation=GLANCE)
BASE = Pair("base", LastPrice(), BaseStock(1.0))


def trained(home: Path, folder: Path, workers: Workers) -> list[LearnedPolicy]:
    """PPO and DQN."""
    folder.mkdir()
    asked = [
        Training(PPO, 0, folder / "ppo-kept", base=BASE),
        Training(DQN, 1, folder / "dqn-kept", base=BASE),
    ]
    return list(workers.map("train", partial(train, load_market(home / "market")), asked))


@pytest.mark.slow
def test_policies_trained_side_by_side_are_the_same_bit_for_bit(home: Path, tmp_path: Path) -> None:
    with employ(2) as processes:
        there = trained(home, tmp_path / "there", processes)
    here = trained(home, tmp_path / "here", HERE)
    assert [policy.name for policy in here] == ["PPO", "DQN"]
    assert [contents(policy) for policy in here] == [contents(policy) for policy in there]


def test_a_machine_without_the_folder_trains_all_the_same(home: Path, tmp_path: Path) -> None:
    """The checkpoint is for the machine that asks; elsewhere nothing is written."""
    away = tmp_path / "away"
    asked = Training(PPO, 0, away / "kept", BASE)
    assert train(load_market(home / "market"), asked, SILENT).name == "PPO"
    assert not away.exists()


def test_an_interrupted_training_goes_on_up(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("stable_baselines3.PPO.learn", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train(load_market(home / "market"), Training(PPO, 0, tmp_path / "kept", BASE), SILENT)


def test_an_interrupted_training_in_a_learned_market_goes_on_and_leaves_only_its_policy(
    home: Path, tmp_path: Path
) -> None:
    """The market's state is a part of the training's; the old file stays until the new one is there."""
    market, brief = load_market(home / "market"), replace(GLANCE, times=3)
    file = {5: tmp_path / "ppo.safetensors"}
    settings = replace(PPO, steps=600, rollout=8, validation=brief)
    file[5].write_text("the old one")
    with pytest.raises(KeyboardInterrupt):
        train_into(market, settings, file, Listener(2), base=BASE)
    assert file[5].read_text() == "the old one"
    with (
        sole_writer(file[5]),
        pytest.raises(InputError, match="another process writes it"),
    ):
        train_into(market, settings, file, base=BASE)
    train_into(market, settings, file, base=BASE)
    assert [path.name for path in tmp_path.iterdir()] == ["ppo.safetensors"]
    whole = {5: tmp_path / "whole.safetensors"}
    train_into(market, settings, whole, base=BASE)
    assert contents(LearnedPolicy.load(file[5])) == contents(LearnedPolicy.load(whole[5]))


@pytest.mark.slow
def test_curves_are_of_each_policy_wherever_it_was_trained(home: Path, tmp_path: Path) -> None:
    market = load_market(home / "market")
    drawn = {"train/loss", "rollout/ep_rew_mean", "validation/profit", "validation/gain"}
    for settings, names in ((PPO, drawn | {"train/learning_rate"}), (DQN, drawn)):
        files = {seed: tmp_path / f"policy-{seed}.safetensors" for seed in (0, 1)}
        with employ(2) as processes:
            train_into(market, settings, files, workers=processes, base=BASE, curves=tmp_path / "curves")
        for file in files.values():
            (folder,) = (tmp_path / "curves" / file.stem).iterdir()
            assert names <= set(tags(folder))
        shutil.rmtree(tmp_path / "curves")


def tags(folder: Path) -> list[str]:
    found = EventAccumulator(str(folder))
    found.Reload()
    return list(found.Tags()["scalars"])
