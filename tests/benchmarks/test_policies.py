"""The study of policies played before customers they were not trained on."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from benchmarks import policies
from benchmarks.policies import (
    FITTED,
    KNOWING,
    NAIVE,
    OWN_EYES,
    PROMISED,
    TRUE,
    figures,
    markets,
    one_panel,
    share,
)
from mercato.agents.learner import Validation
from mercato.agents.train import PPOSettings
from mercato.envs.engine.types import Decision
from mercato.envs.market import Market
from mercato.envs.simulator import Simulator
from mercato.envs.structural import Size


def test_a_share_of_the_same_noise_has_no_interval() -> None:
    whole = np.random.default_rng(0).lognormal(size=40)
    assert share(0.9 * whole, whole, seed=1) == pytest.approx((0.9, 0.9, 0.9))


def test_a_share_s_interval_holds_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    covered = []
    for seed in range(150):
        whole = 100 + 20 * rng.normal(size=64)
        part = 0.5 * whole + 30 + 5 * rng.normal(size=64)  # 80 to 100 in the mean
        _, low, high = share(part, whole, seed)
        covered.append(low <= 0.8 <= high)
    assert 0.88 <= np.mean(covered) <= 0.99


def test_the_lead_is_over_the_baseline_that_earns_most() -> None:
    same = np.arange(10.0)
    learned = dict.fromkeys((FITTED, TRUE, NAIVE, OWN_EYES, KNOWING, PROMISED), same + 100)
    found = figures(learned, {"poor": same + 40, "good": same + 90, "better": same + 102}, seed=0)
    assert found["best_baseline"] == "better"
    assert found["lead_over_best_baseline"] == pytest.approx((-2, -2, -2))
    assert (found["baselines_beaten"], found["baselines"]) == (2, 3)
    assert found["share_of_true"].keys() == {FITTED, NAIVE, OWN_EYES, KNOWING}


def test_a_trial_is_printed_and_not_kept(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    same = np.arange(10.0)
    learned = dict.fromkeys((FITTED, TRUE, NAIVE, OWN_EYES, KNOWING, PROMISED), same + 100)

    def panel(family: str, seed: int, *_: object) -> dict:
        found = figures(learned, {"rule": same + 60}, seed)
        return {"family": family, "seed": seed, **found, "seconds": 1.0}

    kept: list[str] = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(policies, "one_panel", panel)
    monkeypatch.setattr(policies, "write_result", lambda name, result: kept.append(name))
    for words in (["--seeds", "101"], ["--steps", "100"], ["--size", "4", "2", "60"], []):
        assert kept == []
        monkeypatch.setattr(sys, "argv", ["policies", *words])
        policies.main()
    assert kept == ["policies"]
    assert "| nested-logit | 9003 | 1.000 [1.000 … 1.000] |" in capsys.readouterr().out


@pytest.mark.slow
def test_the_true_market_has_the_same_customers_whoever_watches() -> None:
    shop = markets("log-linear", 104, Size(locations=4, items=2, weeks=60))

    def wanted(market: Market) -> Tensor:
        simulator = Simulator(market, 8, 13, seed=2, evaluation=True)
        state, price = simulator.reset(), market.terms.reference_price.expand(8, 4, 2)
        demand = []
        for _ in range(13):
            state, outcome = simulator.step(state, Decision(price, torch.full_like(price, 40.0)))
            demand.append(outcome.demand)
        return torch.stack(demand)

    first, *others = (wanted(market) for market in (shop.true, shop.true_by_naive, shop.known))
    assert all(torch.equal(other, first) for other in others)
    assert not torch.equal(wanted(shop.fitted), first)


@pytest.mark.slow
def test_a_panel_goes_the_whole_way() -> None:
    glance = Validation(times=1, episodes=1, horizon=4)
    settings = PPOSettings(steps=2000, markets=2, horizon=8, validation=glance)
    found = one_panel("nested-logit", 104, Size(locations=4, items=2, weeks=60), settings)
    for middle, low, high in found["share_of_true"].values():
        assert low <= middle <= high
        assert 0.5 < middle < 1.5
    assert found["baselines"] >= 8
