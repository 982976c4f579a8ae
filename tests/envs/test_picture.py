"""What ``render`` draws."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import gymnasium
import numpy as np
import pytest
from gymnasium import error
from gymnasium.vector import AutoresetMode
from gymnasium.wrappers import RenderCollection
from small_markets import make_market

from mercato.envs.adapters.gym_env import MarketplaceEnv
from mercato.envs.adapters.picture import Episode
from mercato.envs.adapters.vector_env import MarketplaceVectorEnv
from mercato.envs.economics import Economics

MARKET = make_market(2, 2, economics=Economics(lead_time=1))
MARKETPLACE = "mercato.envs:Marketplace-v0"
ACTION = np.zeros(8, np.float32)


def test_a_picture_is_rgb_and_shows_the_episode_so_far() -> None:
    env = gymnasium.make(MARKETPLACE, market=MARKET, horizon=3, render_mode="rgb_array")
    assert env.metadata["render_modes"] == ["rgb_array"]
    assert env.metadata["render_fps"] > 0
    env.reset(seed=0)
    pictures = [env.render()]
    for _ in range(3):
        env.step(ACTION)
        pictures.append(env.render())
    for picture in pictures:
        assert picture.dtype == np.uint8
        assert picture.shape == (540, 720, 3)
        assert picture.min() < 60
        assert picture.max() == 255
    changed = [(a != b).mean() for a, b in pairwise(pictures)]
    assert min(changed) > 0.001
    assert np.array_equal(env.render(), pictures[-1])
    env.reset(seed=0)
    assert np.array_equal(env.render(), pictures[0])


def test_what_is_drawn_is_what_was_played() -> None:
    env = MarketplaceEnv(MARKET, horizon=3, render_mode="rgb_array")
    env.reset(seed=0)
    profit = sum(env.step(ACTION)[4]["profit"] for _ in range(3))
    drawn = env._episode.periods
    assert len(drawn) == 3
    assert sum(period["profit"] for period in drawn) == pytest.approx(profit, rel=1e-4)
    assert all(period["sales"] <= period["demand"] for period in drawn)
    assert [period["price"] for period in drawn] == pytest.approx([1.0] * 3, rel=1e-4)  # the middle


def test_without_a_mode_nothing_is_drawn_and_gymnasium_warns() -> None:
    env = MarketplaceEnv(MARKET)
    env.reset(seed=0)
    with pytest.warns(UserWarning, match="render_mode"):
        assert env.render() is None


def test_a_picture_before_the_first_reset_asks_for_one() -> None:
    for env in (
        MarketplaceEnv(MARKET, render_mode="rgb_array"),
        MarketplaceVectorEnv(2, MARKET, render_mode="rgb_array"),
    ):
        with pytest.raises(error.ResetNeeded, match=r"expected reset\(\) before render\(\)"):
            env.render()


def test_a_list_of_pictures_is_gymnasiums_to_collect() -> None:
    env = gymnasium.make(MARKETPLACE, market=MARKET, horizon=3, render_mode="rgb_array_list")
    assert isinstance(env, RenderCollection)
    env.reset(seed=0)
    env.step(ACTION)
    assert len(env.render()) == 2


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_copies_are_drawn_one_by_one(mode: AutoresetMode) -> None:
    env = MarketplaceVectorEnv(2, MARKET, horizon=2, render_mode="rgb_array", autoreset_mode=mode)
    env.reset(seed=0)
    periods = []
    for _ in range(3 if mode is not AutoresetMode.DISABLED else 2):
        env.step(np.stack([ACTION, ACTION]))
        periods.append([len(episode.periods) for episode in env._episodes])
    assert periods[:2] == [[1, 1], [0, 0] if mode is AutoresetMode.SAME_STEP else [2, 2]]
    if mode is AutoresetMode.NEXT_STEP:
        assert periods[2] == [0, 0]
    pictures = env.render()
    assert len(pictures) == 2
    assert pictures[0].shape == (540, 720, 3)


def test_any_name_can_be_drawn() -> None:
    for name in ("$x$ and $", "\x1b[31m", "橙汁", "a" * 5000):
        episode = Episode(replace(MARKET, name=name), horizon=2)
        assert episode.picture().shape == (540, 720, 3)
