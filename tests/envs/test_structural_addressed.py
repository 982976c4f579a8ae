"""True markets whose customers are shown items, sent coupons, and have friends: what is planted is found."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from mercato.envs.structural import (
    FAMILIES,
    Size,
    Truth,
    effect_of_showing,
    events_file,
    receipts,
    truth_folder,
)
from mercato.envs.structural.addressed import EVERY, LASTS, AddressedDemand, Slates, with_friends
from mercato.envs.structural.draw import draw_log_linear
from mercato.envs.structural.leaving import with_leaving
from mercato.forecasters.customers.contagion import LIKENESS, following, word_of_mouth
from mercato.forecasters.customers.exposure import coupon_effect, exposure_effect
from mercato.forecasters.events import Events, read_events
from mercato.forecasters.tensors import NoiseKey

DAY = np.timedelta64(1, "D")


def log(family: str, size: Size, seed: int = 1) -> Events:
    _, truth = FAMILIES[family].make(seed, size)
    return read_events(receipts(truth, seed))


def drawn() -> AddressedDemand:
    plain = with_leaving(draw_log_linear(Size(2, 3, 30), 2), 2, places=40)
    return with_friends(plain, coupon=0.5, sent=1.6, follow=0.5)


def test_an_effect_of_showing_is_found_where_the_naive_ratio_is_far_off() -> None:
    size = Size(2, 8, 52)
    found, true = exposure_effect(log("shown-customers", size), DAY), shown_in(size)
    assert not found.assumed
    assert abs(found.mean - np.log(true)) < 3 * found.sd
    assert found.naive is not None
    assert found.naive > np.log(1.4) + 5 * found.sd


def shown_in(size: Size, seed: int = 1) -> float:
    return effect_of_showing(FAMILIES["shown-customers"].make(seed, size)[1], seed)


def test_visitors_who_share_what_is_sold_buy_a_little_less_for_being_shown_than_they_like_it_more() -> None:
    """The fewer visitors share it, the less."""
    likes = np.array([[2.0, 1.0, 1.0], [1.0, 1.0, 1.0]])
    slates = Slates(np.array([[0], [0]]), np.full((2, 1), 0.5), np.array([[True], [False]]))
    shown, not_shown = slates.bought(likes, 1.5, np.array([10.0, 0.0, 0.0]))
    assert shown == pytest.approx(10 * 3 / (3 + 1) + 10 * 1.5 / (1.5 + 3))
    assert not_shown == pytest.approx(10 * 2 / (2 + 1) + 10 * 1 / (1 + 3))
    assert 1.3 < shown_in(Size(2, 4, 20)) < 1.4


def test_coupons_and_word_of_mouth_are_found_where_a_coin_sent_them() -> None:
    events = log("telling-customers", Size(2, 4, 100))
    coupon, words = coupon_effect(events), word_of_mouth(events)
    assert not coupon.assumed
    assert np.log(1.35) < coupon.mean < np.log(1.6) + 2 * coupon.sd
    follow = following(events, words)
    assert not follow.because
    assert abs(follow.elasticity - 0.5) < 2.5 * follow.error


def test_friends_who_are_merely_alike_are_not_called_word_of_mouth() -> None:
    events = log("alike-customers", Size(2, 3, 40))
    words = word_of_mouth(events)
    assert words.because == LIKENESS
    assert following(events, words).because
    assert coupon_effect(events).assumed
    assert (events.referrer >= 0).any()


def test_a_coupon_brings_its_holder_and_by_a_power_his_friend() -> None:
    demand = drawn()
    state = demand.rows(torch.zeros(1, dtype=torch.int64))
    state.holds[..., 4] = 1.0
    rate = demand.rate(state)
    taken = state.present[..., 4]
    torch.testing.assert_close(rate[..., 4], 1.6**taken)
    torch.testing.assert_close(rate[..., 5], 1.6 ** (0.5 * taken))
    others = [c for c in range(40) if c not in (4, 5)]
    assert (rate[..., others] == 1).all()
    many = demand.rows(torch.zeros(3000, dtype=torch.int64))
    many.holds[..., 4] = 1.0
    rows = torch.arange(3000)
    came = demand.visitors(many, NoiseKey(3, rows, rows * 0, rows * 0))[..., 4]
    chance = demand.parameters.visit[:, 4] * rate[0, :, 4] * state.present[0, :, 4]
    torch.testing.assert_close(came.float().mean(0), chance, atol=0.04, rtol=0)


def test_a_campaign_comes_to_half_of_those_who_tell_and_ends() -> None:
    _, truth = FAMILIES["telling-customers"].make(2, Size(2, 2, 20))
    demand = truth.demand
    assert isinstance(demand, AddressedDemand)
    held = demand.realised.holds
    begun, present = held[EVERY], demand.realised.present[EVERY] > 0
    assert abs(float(begun[:, ::2][present[:, ::2]].mean()) - 0.5) < 0.1
    assert (begun[:, 1::2] == 0).all()
    assert (begun[~present] == 0).all()
    assert (held[EVERY + LASTS] == 0).all()
    assert (held[:EVERY] == 0).all()
    events = read_events(receipts(truth, 2)).of("coupon")
    assert events.units.sum() == held[[EVERY, 2 * EVERY]].sum()


def test_a_slate_is_liked_and_every_chance_lies_between_nothing_and_all() -> None:
    rng = np.random.default_rng(0)
    likes = rng.gamma(0.7, 1.0, (500, 6))
    slates = Slates.drawn(likes, rng)
    assert ((slates.chance > 0.05) & (slates.chance < 0.9)).all()
    assert np.take_along_axis(likes, slates.item, 1).mean() > likes.mean()
    lifted = slates.lifted(likes, 2.0)
    assert ((lifted == likes) | (lifted == 2 * likes)).all()
    assert (lifted != likes).sum() == slates.given.sum()


@pytest.mark.parametrize("family", ["shown-customers", "telling-customers", "alike-customers"])
def test_table_truth_and_events_are_written_together(tmp_path: Path, family: str) -> None:
    out = FAMILIES[family].write(tmp_path / "shop.parquet", 3, Size(2, 2, 20))
    events, panel = read_events(events_file(out)), pd.read_parquet(out)
    assert events.of("buy").units.sum() == pytest.approx(panel["units"].sum())
    law = pd.read_csv(truth_folder(out) / "addressed.csv").set_index("name")["value"]
    truth = Truth.load(truth_folder(out))
    assert law["follow"] == truth.demand.parameters.follow
    assert (len(events.of("recommend")) > 0) == (law["shown"] != 1)
    assert (len(events.of("coupon")) > 0) == (law["coupon"] > 0)
