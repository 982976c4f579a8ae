"""What the benchmark of known optima says of policies whose loss is known, and what it is asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from benchmarks.known_optima import (
    BASELINE,
    OPTIMUM,
    QUICK,
    RULES,
    TRAININGS,
    WHOLE,
    Case,
    Effort,
    by_problem,
    chosen,
    measured,
    pieces_of,
    policies_of,
    table,
)
from benchmarks.learners import LEARNERS
from benchmarks.optima import seeds
from benchmarks.optima.curves import picture
from mercato.agents.baselines.orders import BaseStock
from mercato.agents.baselines.prices import LastPrice
from mercato.agents.policy import Pair
from mercato.envs.problems import CATALOGUE
from mercato.forecasters.errors import InputError

CELL = "lost-sales/poisson-L1-p4"


def test_a_rule_loses_in_simulation_what_it_loses_exactly(monkeypatch: pytest.MonkeyPatch) -> None:
    """The best base-stock level costs 3.0% more than the optimum, the best constant order 30.5%."""
    for kind in ("base-stock", "constant order"):
        monkeypatch.setitem(RULES, kind, lambda case, kind=kind: case.best.rules[kind].policy)
        optimum, played = measured(QUICK, [[CELL, OPTIMUM, 0], [CELL, kind, 0]])
        lost, low, high = played["gap"]
        assert low <= optimum["rules"][kind]["gap"] <= high
        assert high - low < 0.06
    told = table({CELL: {OPTIMUM: optimum, kind: played}}, [kind])
    assert f"{lost:.2%}" in told


def test_a_learner_is_told_against_the_baseline_that_it_started_from(monkeypatch: pytest.MonkeyPatch) -> None:
    newsvendor = Pair("newsvendor", LastPrice(), BaseStock())
    monkeypatch.setattr(Case, "baseline", newsvendor)
    effort = replace(QUICK, training=1e-4)
    pieces = [[CELL, BASELINE, 0], [CELL, "pathwise", 0], [CELL, "pathwise", 1]]
    found = list(measured(effort, pieces))
    for one in found[1:]:
        assert one["gain"][0] == pytest.approx(found[0]["gap"][0] - one["gap"][0])
        assert one["curve"][-1][0] > 0
    assert found[1]["curve"] != found[2]["curve"]
    rows = [{"problem": CELL, "name": name, **one} for (_, name, _), one in zip(pieces, found, strict=True)]
    assert "| lost-sales | pathwise | 1, 2 |" in seeds.table(by_problem(rows), ["pathwise"])
    assert picture(by_problem(rows), ["pathwise"]).startswith("<svg ")


def test_a_learner_is_trained_several_times_where_its_problem_is_reported_by_itself() -> None:
    def trainings(problem: str, effort: Effort = WHOLE) -> int:
        return sum(name == "PPO" for _, name, _ in pieces_of(problem, ["PPO", BASELINE], effort.trainings))

    assert trainings("lost-sales/geometric-L4-p9") == trainings("fresh-food/fifo-m2") == TRAININGS
    assert trainings("lost-sales/geometric-L3-p9") == trainings("newsvendor/poisson-m20-h1-p4") == 1
    assert trainings("fresh-food/fifo-m2", QUICK) == 1


def runs_of(*gaps: float, error: float = 0.0) -> list[dict[str, Any]]:
    return [{"gap": (gap, gap - 1.96 * error, gap + 1.96 * error)} for gap in gaps]


def test_the_interquartile_mean_leaves_out_a_quarter_at_each_end() -> None:
    assert seeds.interquartile([runs_of(-9.0, 1.0, 2.0, 3.0, 50.0)])[0] == 2.0
    mean, low, high = seeds.interquartile([runs_of(1.0, 1.0, 1.0), runs_of(5.0, 5.0, 5.0)])
    assert low == mean == high == 3.0  # drawn within each problem: none weighs more by chance


@pytest.mark.parametrize("trainings", [1, 5])
def test_trainings_that_come_to_the_same_are_as_unsure_as_the_customers_make_them(trainings: int) -> None:
    _, low, high = seeds.interquartile([runs_of(*[0.1] * trainings, error=0.02)])
    assert high - low == pytest.approx(2 * 1.96 * 0.02, rel=0.1)


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
