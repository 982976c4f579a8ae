"""What the benchmark of known optima says of policies whose loss is known, and what it is asked for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.known_optima import (
    BASELINE,
    COMPETITORS,
    OPTIMUM,
    QUICK,
    Case,
    chosen,
    measured,
    policies_of,
    table,
)
from benchmarks.learners import LEARNERS
from mercato.agents.baselines.orders import BaseStock
from mercato.agents.baselines.prices import LastPrice
from mercato.agents.policy import Pair
from mercato.envs.problems import CATALOGUE
from mercato.forecasters.errors import InputError

CELL = "lost-sales/poisson-L1-p4"


def test_a_rule_loses_in_simulation_what_it_loses_exactly(monkeypatch: pytest.MonkeyPatch) -> None:
    """The best base-stock level costs 3.0% more than the optimum, the best constant order 30.5%."""
    for kind in ("base-stock", "constant order"):
        monkeypatch.setitem(COMPETITORS, kind, lambda case, kind=kind: case.best.rules[kind].policy)
        optimum, played = measured(QUICK, [[CELL, OPTIMUM], [CELL, kind]])
        lost, low, high = played["gap"]
        assert low <= optimum["rules"][kind]["gap"] <= high
        assert high - low < 0.06
    told = table({CELL: {OPTIMUM: optimum, kind: played}}, [kind])
    assert f"{lost:.2%}" in told


def test_a_learner_is_told_against_the_baseline_that_it_started_from(monkeypatch: pytest.MonkeyPatch) -> None:
    newsvendor = Pair("newsvendor", LastPrice(), BaseStock())
    monkeypatch.setattr(Case, "baseline", newsvendor)
    effort = replace(QUICK, training=1e-4)
    baseline, learned = measured(effort, [[CELL, BASELINE], [CELL, "pathwise"]])
    assert learned["gain"][0] == pytest.approx(baseline["gap"][0] - learned["gap"][0])


def test_a_family_has_settings_of_its_own() -> None:
    settings = {
        name: LEARNERS["pathwise"].settings_in(Case(CATALOGUE[name], QUICK).market)
        for name in (CELL, "slow-supply/L2")
    }
    assert settings[CELL].window == 10
    assert settings["slow-supply/L2"] == LEARNERS["pathwise"].settings


def test_problems_and_policies_are_chosen_by_name() -> None:
    assert chosen(None) == list(CATALOGUE)
    assert len(chosen(1)) == len({name.partition("/")[0] for name in CATALOGUE})
    assert chosen(1, ["clearance", "lost-sales/poisson-L4-p4"]) == [
        "lost-sales/poisson-L4-p4",
        "clearance/n30-s0.3",
    ]
    assert policies_of("PPO, DQN") == ["PPO", "DQN"]
    with pytest.raises(InputError, match=r"--only: expected a problem .* found 'clearing'"):
        chosen(None, ["clearing"])
    with pytest.raises(InputError, match=r"--policies: expected some of .* found 'SAC'"):
        policies_of("SAC")
