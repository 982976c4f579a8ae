"""How far policies are from the optimum where it is known: ``python -m benchmarks.known_optima``.

The problems of ``mercato problem --list``. Exact: the optimum and the best of simpler rules. Simulated in the
problem's market: the optimal policy, which has to be worth what the exact value says, the baseline that
``mercato train`` would start from, tuned as it tunes it, learners trained from it, and whoever else is among
``COMPETITORS``. All meet the same customers, so that what a policy loses is told by 95% intervals of paired
differences to the optimal policy.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
import torch

from mercato.agents.baselines.prices import LastPrice
from mercato.agents.optimal import Solution, mean_error, runs, solve
from mercato.agents.policy import Pair, Policy
from mercato.agents.rolling import ROLLING, rolling_horizon
from mercato.agents.seeds import seed_for
from mercato.agents.train import best_base
from mercato.agents.tuning import Trials, TuningSettings, order_families, tune_baselines
from mercato.envs.market import Market
from mercato.envs.problems import CATALOGUE, Problem
from mercato.forecasters.errors import InputError

from .learners import LEARNERS, SEED, Learner
from .record import resumed, write_result

OPTIMUM, BASELINE = "optimum", "mercato's baseline"


@dataclass(frozen=True)
class Effort:
    """How much work a measurement is worth."""

    problems: int | None  # the first of each family; None: all
    markets: int  # independent runs of a simulated policy
    tuning: TuningSettings
    training: float  # share of a learner's usual steps


WHOLE = Effort(None, 4096, TuningSettings(), 1.0)
QUICK = Effort(1, 512, TuningSettings(volume=2_000, rounds=2, price_volume=20_000), 0.01)


@dataclass(frozen=True, eq=False)
class Case:
    """A problem that policies are made for, and what several of them need."""

    problem: Problem
    effort: Effort

    @cached_property
    def market(self) -> Market:
        return self.problem.market()

    @cached_property
    def best(self) -> Solution:
        return solve(self.problem)

    @cached_property
    def baseline(self) -> Pair:
        """The baseline that ``mercato train`` would start from."""
        return best_base(self.market, tune_baselines(self.market, SEED, self.effort.tuning), SEED)

    def runs(self, policy: Policy, dearer: int = 1) -> np.ndarray:
        """(N,) what a policy makes of each run, the first of them where a run is so many times dearer."""
        return runs(self.problem, policy, SEED, markets=self.effort.markets // dearer)

    @cached_property
    def optimal_runs(self) -> np.ndarray:
        return self.runs(self.best.policy)

    @cached_property
    def baseline_runs(self) -> np.ndarray:
        return self.runs(self.baseline)

    def gap(self, value: float) -> float:
        """What is lost of the optimum, as a share of it."""
        return self.problem.objective.sign * (self.best.value - value) / abs(self.best.value)

    def shares(self, lost: np.ndarray) -> list[float]:
        """Mean of what is lost in each run (N,), as a share of the optimum, with its 95% interval."""
        mean, error = mean_error(self.problem.objective.sign * lost / abs(self.best.value))
        return [mean, mean - 1.96 * error, mean + 1.96 * error]


def of_learner(learner: Learner, case: Case) -> Policy:
    return learner.policy(case.market, case.baseline, case.effort.training)


def tuned_orders(kind: str, case: Case) -> Policy:
    """Orders of one kind, tuned as those of every baseline are, at the last price."""
    families = {family.name: family for family in order_families(case.market.economics)}
    plain = families.get("base-stock", next(iter(families.values())))  # capped only where lead times make
    family = families.get(kind, plain)  # orders pile up, and none where nothing is ordered
    trials = Trials.of(case.market, case.effort.tuning, seed_for("tune", SEED))
    return Pair(f"last price, {kind}", LastPrice(), trials.tuned_orders(LastPrice(), family))


COMPETITORS: dict[str, Callable[[Case], Policy]] = {
    BASELINE: lambda case: case.baseline,
    ROLLING: lambda case: rolling_horizon(case.baseline, SEED),
    "tuned base-stock": partial(tuned_orders, "base-stock"),
    "tuned capped base-stock": partial(tuned_orders, "capped base-stock"),
    **{name: partial(of_learner, learner) for name, learner in LEARNERS.items()},
}
"""Policies beside the optimum by name, each made for the case that it plays."""

DEARER = {ROLLING: 16}
"""Those whose decisions cost so much that they play fewer runs, by how many times fewer; only if named."""


def optimal(case: Case) -> dict[str, Any]:
    """The exact values, and what the optimal policy is worth in simulation."""
    began = time.process_time()
    rules = {
        kind: {"value": rule.value, "gap": case.gap(rule.value)} for kind, rule in case.best.rules.items()
    }
    solved = time.process_time() - began
    value, error = mean_error(case.optimal_runs)
    return {
        "of": str(case.problem.objective),
        "optimum": case.best.value,
        "rules": rules,
        "simulated": {"value": value, "error": error},
        "seconds": solved,
    }


def played_by(case: Case, name: str) -> dict[str, Any]:
    """What a competitor loses of the optimum, and gains on the baseline, in shares of the optimum."""
    base = case.baseline if name in LEARNERS or name in DEARER else None
    began = time.process_time()
    policy = COMPETITORS[name](case)
    made = time.process_time() - began
    earned = case.runs(policy, DEARER.get(name, 1))
    found = {
        "policy": policy.name,
        "value": float(earned.mean()),
        "gap": case.shares(case.optimal_runs[: len(earned)] - earned),
        "seconds": made,
    }
    return (
        found if base is None else {**found, "gain": case.shares(earned - case.baseline_runs[: len(earned)])}
    )


def measured(effort: Effort, pieces: Sequence[Sequence[str]]) -> Iterator[dict[str, Any]]:
    """A policy in a problem each."""
    case: Case | None = None
    for problem, name in pieces:
        if case is None or case.problem.name != problem:
            case = Case(CATALOGUE[problem], effort)
        yield optimal(case) if name == OPTIMUM else played_by(case, name)


def table(problems: Mapping[str, Mapping[str, Any]], policies: Sequence[str]) -> str:
    """One row a problem, in Markdown: the optimum, what each policy loses of it, standard errors off it."""
    heads = ("problem", "of", "optimum", "best simpler rules", *policies, "optimal policy, simulated")
    lines = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    for problem, row in problems.items():
        exact = row[OPTIMUM]
        rules = ", ".join(f"{kind} {rule['gap']:.1%}" for kind, rule in exact["rules"].items())
        fields = [problem, exact["of"], f"{exact['optimum']:.4g}", rules or "-"]
        fields += [_told(name, row[name]) for name in policies]
        own = exact["simulated"]
        off = (own["value"] - exact["optimum"]) / own["error"]
        fields.append(f"{own['value']:.4g} ({off:+.1f} standard errors)")
        lines.append(f"| {' | '.join(fields)} |")
    return "\n".join(lines)


def _told(name: str, played: Mapping[str, Any]) -> str:
    lost = "{:.2%} [{:.2%}, {:.2%}]".format(*played["gap"])
    return lost if name in LEARNERS else f"{lost} ({played['policy']})"


def chosen(first: int | None, only: Sequence[str] = ()) -> list[str]:
    """Problems, or the first of each family; of those named alone, or of the families named.

    Raises:
        InputError: there is no such problem and no such family.
    """
    families: dict[str, list[str]] = {}
    for name in CATALOGUE:
        families.setdefault(name.partition("/")[0], []).append(name)
    if strange := [name for name in only if name not in CATALOGUE and name not in families]:
        raise InputError(
            f"--only: expected a problem of `mercato problem --list` or a family ({', '.join(families)}),"
            f" found {strange[0]!r}"
        )
    firsts = [name for names in families.values() for name in names[:first]]
    if not only:
        return firsts
    named = [name for name in CATALOGUE if name in only]
    return named + [name for name in firsts if name.partition("/")[0] in only and name not in named]


def policies_of(names: str | None) -> list[str]:
    """Competitors by name, all but the dear ones where None.

    Raises:
        InputError: there is none of that name.
    """
    usual = [name for name in COMPETITORS if name not in DEARER]
    found = usual if names is None else [name.strip() for name in names.split(",")]
    if strange := [name for name in found if name not in COMPETITORS]:
        raise InputError(f"--policies: expected some of {', '.join(COMPETITORS)}, found {strange[0]!r}")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="the result as JSON on standard output")
    parser.add_argument(
        "--quick", action="store_true", help="a problem of each family, little work; not kept"
    )
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="these problems or families")
    parser.add_argument("--policies", metavar="NAMES", help=f"some of: {', '.join(COMPETITORS)}")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    effort = QUICK if arguments.quick else WHOLE
    try:
        names, policies = chosen(effort.problems, arguments.only), policies_of(arguments.policies)
    except InputError as error:
        parser.error(str(error))
    pieces = [[name, policy] for name in names for policy in (OPTIMUM, *policies)]
    problems: dict[str, dict[str, Any]] = {}
    kept = f"known_optima-{effort.markets}"
    for (name, policy), found in resumed(kept, pieces, partial(measured, effort)):
        problems.setdefault(name, {})[policy] = found
        lost = "" if policy == OPTIMUM else f" {found['gap'][0]:+.2%},"
        print(f"{name}, {policy}:{lost} {found['seconds']:.0f} s", file=sys.stderr)
    result = {"seed": SEED, "markets": effort.markets, "problems": problems}
    if not (arguments.quick or arguments.only or arguments.policies):
        print(f"wrote {write_result('known_optima', result)}", file=sys.stderr)
    print(json.dumps(result) if arguments.json else table(problems, policies))


if __name__ == "__main__":
    main()
