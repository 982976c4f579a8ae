"""The study of policies played before customers they were not trained on."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from benchmarks import record, transfer
from benchmarks.transfer import (
    CAREFUL,
    ECONOMICS,
    FITTED,
    KNOWING,
    LOGGED,
    NAIVE,
    OWN_EYES,
    QUICK,
    TRUE,
    Played,
    figures,
    one_panel,
    share,
)
from benchmarks.transfers.adversary import PriceList
from benchmarks.transfers.shops import open_shop
from mercato.envs.engine.types import Decision
from mercato.envs.market import Market
from mercato.envs.problems import LostSales
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


def played(rules: dict[str, float]) -> Played:
    same, learned = np.arange(10.0), (FITTED, CAREFUL, TRUE, NAIVE, OWN_EYES, KNOWING)
    earned = {name: same + profit for name, profit in {**rules, LOGGED: 30, "adversary": 20}.items()}
    promised = {**earned, "adversary": same + 400, FITTED: same + 90, CAREFUL: same + 80}
    return Played(dict.fromkeys(learned, same + 100), earned, promised)


def test_the_lead_is_over_the_baseline_that_earns_most() -> None:
    found = figures(played({"poor": 40, "good": 90, "better": 102}), seed=0)
    assert found["best_baseline"] == "better"
    assert found["lead_over_best_baseline"] == pytest.approx((-2 / 104.5,) * 3, abs=1e-3)
    assert (found["baselines_beaten"], found["baselines"]) == (3, 4)
    assert found["share_of_true"].keys() == {FITTED, CAREFUL, NAIVE, OWN_EYES, KNOWING}


def test_what_an_adversary_finds_is_told_and_is_no_rule() -> None:
    found = figures(played({"good": 90}), seed=0)
    assert found["adversary"]["promised"] > 3 * found["adversary"]["earned"]
    assert "adversary" not in found["promised"]
    assert found["rank_correlation"] < 1  # trained policies earn as promised less than the rule below them


def test_a_trial_is_printed_and_not_kept(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def panel(family: str, seed: int, economics: str, *_: object) -> dict:
        found = figures(played({"rule": 60}), seed)
        return {"family": family, "seed": seed, "economics": economics, **found, "seconds": 1.0}

    kept: list[str] = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(transfer, "one_panel", panel)
    monkeypatch.setattr(transfer, "write_result", lambda name, result: kept.append(name))
    monkeypatch.setattr(record, "RESULTS", tmp_path)
    for words in (["--quick"], []):
        assert kept == []
        monkeypatch.setattr(sys, "argv", ["transfer", *words])
        transfer.main()
    assert kept == ["transfer"]
    assert "| nested-logit | 9003 | fresh food | 1.000 [1.000 … 1.000] |" in capsys.readouterr().out


def test_a_price_list_is_kept_within_what_was_tried() -> None:
    market = LostSales(1, 4.0).market()
    simulator = Simulator(market, 2, 4, seed=0)
    view = simulator.view(simulator.reset())
    assert torch.equal(PriceList(torch.tensor([[[0.2]], [[9.0]]])).price(view), torch.ones(2, 1, 1))


@pytest.mark.slow
def test_the_true_market_has_the_same_customers_whoever_watches() -> None:
    shop = open_shop("log-linear", 104, Size(locations=4, items=2, weeks=60), ECONOMICS["default"])

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
    found = one_panel("nested-logit", 104, "fresh food", QUICK)
    for middle, low, high in found["share_of_true"].values():
        assert low <= middle <= high
        assert 0.5 < middle < 1.5
    assert found["baselines"] >= 8
    assert found["adversary"]["promised"] > found["adversary"]["earned"]
