"""What showing and telling do, in logs of a known making: the interval covers, the naive ratio does not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mercato.forecasters.customers.contagion import LIKENESS, NO_REFERRERS, following, word_of_mouth
from mercato.forecasters.customers.exposure import coupon_effect, exposure_effect
from mercato.forecasters.events import KINDS, Events
from tests.forecasters.customers.logs import events_of, kind

CUSTOMERS, ITEMS = 400, 8


def shown_log(seed: int, effect: float) -> Events:
    """Who likes an item is shown it more often, and buys it more often; showing multiplies by ``effect``."""
    rng = np.random.default_rng(seed)
    liking = np.exp(rng.normal(-2.5, 0.8, (CUSTOMERS, ITEMS)))
    n = 12_000
    customer, item, day = rng.integers(CUSTOMERS, size=n), rng.integers(ITEMS, size=n), rng.uniform(0, 90, n)
    like = liking[customer, item].clip(0, 0.4)
    propensity = (0.1 + 2 * like).clip(0, 0.9)
    shown = rng.random(n) < propensity
    bought = rng.random(n) < like * np.where(shown, effect, 1.0)
    rows = {
        "customer": np.concatenate([customer, customer[bought]]),
        "item": np.concatenate([item, item[bought]]),
        "day": np.concatenate([day, day[bought] + 0.01]),
        "kind": np.concatenate([kind("recommend", n), kind("buy", int(bought.sum()))]),
        "units": np.concatenate([shown, np.ones(int(bought.sum()))]),
        "propensity": np.concatenate([propensity, np.full(int(bought.sum()), np.nan)]),
    }
    return events_of(rows, CUSTOMERS, ITEMS)


def test_what_is_shown_to_those_who_like_it_seems_to_do_more_than_it_does() -> None:
    window = np.timedelta64(1, "D")
    found = [exposure_effect(shown_log(seed, 1.5), window) for seed in range(20)]
    covered = [low < 1.5 < high for low, high in (effect.interval() for effect in found)]
    assert np.mean(covered) >= 0.8
    assert abs(np.mean([effect.mean for effect in found]) - np.log(1.5)) < 0.05
    assert min(effect.naive or 0.0 for effect in found) > np.log(1.9)
    assert not found[0].assumed


def test_a_log_that_keeps_nothing_of_what_was_not_shown_leaves_the_effect_assumed() -> None:
    log = shown_log(0, 1.5)
    held_back = (log.kind == log.kind[0]) & (log.units == 0)
    assert "held back" in exposure_effect(log.rows(~held_back)).because
    unknown = replace(log, propensity=np.full_like(log.propensity, np.nan))
    assert "propensity" in exposure_effect(unknown).because


def told_log(seed: int, effect: float, by_a_coin: bool = True) -> Events:
    """Friends are alike in how often they buy; addressing one multiplies what its friend buys."""
    rng = np.random.default_rng(seed)
    pairs = 1500
    rate = np.repeat(np.exp(rng.normal(-0.5, 0.7, pairs)), 2)  # of 28 days; friends 2k and 2k + 1
    propensity = np.full(pairs, 0.5) if by_a_coin else (0.1 + rate[::2]).clip(0.1, 0.9)
    addressed = rng.random(pairs) < propensity
    before = rng.poisson(rate)
    after = rng.poisson(rate)
    after[1::2] = rng.poisson(rate[1::2] * np.where(addressed, effect, 1.0))
    customer = np.repeat(np.arange(2 * pairs), before), np.repeat(np.arange(2 * pairs), after)
    tellers, friends = np.arange(0, 2 * pairs, 2), np.arange(1, 2 * pairs, 2)
    bought = sum(map(len, customer))
    rows = {
        "customer": np.concatenate([friends, *customer, tellers]),
        "day": np.concatenate(
            [
                np.full(pairs, 1.0),
                rng.uniform(2, 30, len(customer[0])),
                rng.uniform(30, 57, len(customer[1])),
                np.full(pairs, 30.0),
            ]
        ),
        "kind": np.concatenate([kind("visit", pairs), kind("buy", bought), kind("coupon", pairs)]),
        "referrer": np.concatenate([tellers, np.full(bought + pairs, -1)]),
        "units": np.concatenate([np.full(pairs + bought, np.nan), addressed]),
        "propensity": np.concatenate([np.full(pairs + bought, np.nan), propensity]),
    }
    return events_of(rows, 2 * pairs)


@pytest.mark.parametrize("effect", [1.0, 1.6])
def test_friends_of_those_addressed_by_a_coin_tell_of_word_of_mouth(effect: float) -> None:
    found = [word_of_mouth(told_log(seed, effect)) for seed in range(10)]
    assert abs(np.mean([f.mean for f in found]) - np.log(effect)) < 0.06
    assert np.mean([low < effect < high for low, high in (f.interval() for f in found)]) >= 0.7


def test_without_a_coin_word_of_mouth_is_not_told_from_likeness() -> None:
    log = told_log(0, 1.6)
    nobody_held_back = log.rows(~((log.units == 0) & np.isfinite(log.propensity)))
    assert word_of_mouth(nobody_held_back).because == LIKENESS
    assert word_of_mouth(replace(log, referrer=np.full_like(log.referrer, -1))).because == NO_REFERRERS


def followed_log(seed: int, own: float, friends: float) -> Events:
    """Addressing a customer by a coin multiplies what he buys, and what his friend does."""
    log = told_log(seed, friends)
    rng = np.random.default_rng([seed, 1])
    tellers = {c for c, sent in zip(log.customer, log.kind == KINDS.index("coupon"), strict=True) if sent}
    addressed = log.rows((log.kind == KINDS.index("coupon")) & (log.units != 0)).customer
    after = (log.kind == KINDS.index("buy")) & (log.time > np.datetime64("2025-01-31"))
    dropped = after & np.isin(log.customer, list(tellers)) & ~np.isin(log.customer, addressed)
    return log.rows(~(dropped & (rng.random(len(log)) > 1 / own)))


def test_how_much_friends_follow_is_the_ratio_of_what_a_message_does_to_both() -> None:
    found = [
        following(log, word_of_mouth(log)) for log in (followed_log(seed, 1.6, 1.25) for seed in range(8))
    ]
    assert not any(one.because for one in found)
    true = np.log(1.25) / np.log(1.6)
    assert abs(np.mean([one.elasticity for one in found]) - true) < 0.1
    assert np.mean([abs(one.elasticity - true) < 1.645 * one.error for one in found]) >= 0.6


def test_where_nothing_tells_how_friends_follow_it_is_not_simulated() -> None:
    log = told_log(0, 1.6)
    unsent = log.rows(log.kind != KINDS.index("coupon"))
    assert "nothing tells it" in following(unsent, word_of_mouth(unsent)).because
    idle = following(log, word_of_mouth(log))  # nobody who was addressed buys more himself
    assert "do not buy more themselves" in idle.because
    assert idle.elasticity == 0


def test_a_coupon_is_worth_what_it_causes_and_is_assumed_without_a_coin() -> None:
    logs = [followed_log(seed, 1.5, 1.0) for seed in range(8)]
    found = [coupon_effect(log) for log in logs]
    assert abs(np.mean([one.mean for one in found]) - np.log(1.5)) < 0.06
    assert np.mean([low < 1.5 < high for low, high in (one.interval() for one in found)]) >= 0.6
    unsent = logs[0].rows(logs[0].kind != KINDS.index("coupon"))
    assert coupon_effect(unsent).because == "no coupon row has a propensity"
    coupons = logs[0].kind == KINDS.index("coupon")
    assert "held back" in coupon_effect(logs[0].rows(~(coupons & (logs[0].units == 0)))).because
