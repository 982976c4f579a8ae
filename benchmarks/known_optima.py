"""How far policies are from the optimum where it is known: ``python -m benchmarks.known_optima``.

The problems of ``mercato problem --list``. Exact: the optimum and the best of simpler rules. Simulated in the
problem's market: the optimal policy, which has to be worth what the exact value says, the baseline that
``mercato train`` would start from, tuned as it tunes it, learners trained from it with several seeds, and
whoever else is among ``RULES``. All meet the same customers, so that what a policy loses is told by 95%
intervals of paired differences to the optimal policy.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
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
from mercato.envs.problems import CATALOGUE, LostSales, Problem
from mercato.forecasters.errors import InputError

from .learners import LEARNERS, SEED
from .optima import curves, seeds
from .record import resumed, with_earlier, write_result

OPTIMUM, BASELINE = "optimum", "mercato's baseline"
TRAININGS = 5  # of a learner where figures are reported by problem; one elsewhere
LONG = 4  # the lead time at which lost sales are


@dataclass(frozen=True)
class Effort:
    """How much work a measurement is worth."""

    problems: int | None  # the first of each family; None: all
    markets: int  # independent runs of a simulated policy
    tuning: TuningSettings
    training: float  # share of a learner's usual steps
    trainings: int | None = None  # of a learner in a problem; None: as ``pieces_of`` says


WHOLE = Effort(None, 4096, TuningSettings(), 1.0)
QUICK = Effort(1, 512, TuningSettings(volume=2_000, rounds=2, price_volume=20_000), 0.01, 1)


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


def tuned_orders(kind: str, case: Case) -> Policy:
    """Orders of one kind, tuned as those of every baseline are, at the last price."""
    families = {family.name: family for family in order_families(case.market.economics)}
    plain = families.get("base-stock", next(iter(families.values())))  # capped only where lead times make
    family = families.get(kind, plain)  # orders pile up, and none where nothing is ordered
    trials = Trials.of(case.market, case.effort.tuning, seed_for("tune", SEED))
    return Pair(f"last price, {kind}", LastPrice(), trials.tuned_orders(LastPrice(), family))


RULES: dict[str, Callable[[Case], Policy]] = {
    BASELINE: lambda case: case.baseline,
    ROLLING: lambda case: rolling_horizon(case.baseline, SEED),
    "tuned base-stock": partial(tuned_orders, "base-stock"),
    "tuned capped base-stock": partial(tuned_orders, "capped base-stock"),
}
"""Policies beside the optimum and the learners by name, each made for the case that it plays."""

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


def played_by(case: Case, name: str, seed: int = SEED) -> dict[str, Any]:
    """What a policy loses of the optimum, and what one that starts from the baseline gains on it.

    Args:
        seed: of training; rules are tuned with their own.
    """
    starts, curve = name in LEARNERS or name in DEARER, curves.Curve()
    base = case.baseline if starts else None
    began = time.process_time()
    if base is not None and name in LEARNERS:
        policy = LEARNERS[name].policy(case.market, base, case.effort.training, seed, curve)
    else:
        policy = RULES[name](case)
    made = time.process_time() - began
    earned = case.runs(policy, DEARER.get(name, 1))
    found = {
        "policy": policy.name,
        "value": float(earned.mean()),
        "gap": case.shares(case.optimal_runs[: len(earned)] - earned),
        "seconds": made,
    }
    if starts:
        found["gain"] = case.shares(earned - case.baseline_runs[: len(earned)])
    return {**found, "curve": curve.points} if name in LEARNERS else found


Piece = Sequence[Any]  # name of the problem, name of the policy, seed of training


def measured(effort: Effort, pieces: Sequence[Piece]) -> Iterator[dict[str, Any]]:
    """A policy in a problem each."""
    case: Case | None = None
    for problem, name, seed in pieces:
        if case is None or case.problem.name != problem:
            case = Case(CATALOGUE[problem], effort)
        if name == OPTIMUM:
            yield optimal(case)
        else:
            yield played_by(case, name, seed)


def pieces_of(problem: str, policies: Sequence[str], trainings: int | None) -> list[Piece]:
    """The optimum and each policy in a problem, learners with every seed; as many as usual where None."""
    cell = CATALOGUE[problem]
    long = isinstance(cell, LostSales) and cell.lead_time == LONG
    usual = TRAININGS if long or cell.objective.sign > 0 else 1
    of_learner = range(SEED, SEED + (usual if trainings is None else trainings))
    return [
        [problem, name, seed]
        for name in (OPTIMUM, *policies)
        for seed in (of_learner if name in LEARNERS else (SEED,))
    ]


def by_problem(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """What is found of each problem by the policy's name: of a learner the trainings, of a rule the row."""
    problems: dict[str, dict[str, Any]] = {}
    for row in rows:
        found = problems.setdefault(row["problem"], {})
        if row["name"] in LEARNERS:
            found.setdefault(row["name"], []).append(row)
        else:
            found[row["name"]] = row
    return problems


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


def _told(name: str, played: Any) -> str:
    lost = seeds.interquartile([played]) if name in LEARNERS else played["gap"]
    told = "{:.2%} [{:.2%}, {:.2%}]".format(*lost)
    return told if name in LEARNERS else f"{told} ({played['policy']})"


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
    """Policies by name, all but the dear ones where None.

    Raises:
        InputError: there is none of that name.
    """
    every = (*RULES, *LEARNERS)
    usual = [name for name in every if name not in DEARER]
    found = usual if names is None else [name.strip() for name in names.split(",")]
    if strange := [name for name in found if name not in every]:
        raise InputError(f"--policies: expected some of {', '.join(every)}, found {strange[0]!r}")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="the result as JSON on standard output")
    parser.add_argument(
        "--quick", action="store_true", help="a problem of each family, little work; not kept"
    )
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="these problems or families")
    parser.add_argument("--policies", metavar="NAMES", help=f"some of: {', '.join((*RULES, *LEARNERS))}")
    parser.add_argument(
        "--trainings",
        type=int,
        help=f"of each learner in a problem; {TRAININGS} where prices or long lead times matter, else 1",
    )
    parser.add_argument("--curves", metavar="FILE", type=Path, help="draw the learning curves as SVG")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    effort = QUICK if arguments.quick else WHOLE
    try:
        names, policies = chosen(effort.problems, arguments.only), policies_of(arguments.policies)
    except InputError as error:
        parser.error(str(error))
    trainings = effort.trainings if arguments.trainings is None else arguments.trainings
    pieces = [piece for name in names for piece in pieces_of(name, policies, trainings)]
    rows = []
    kept = f"known_optima-{effort.markets}"
    for (name, policy, seed), found in resumed(kept, pieces, partial(measured, effort)):
        rows.append({"problem": name, "name": policy, "seed": seed, **found})
        lost = "" if policy == OPTIMUM else f" {found['gap'][0]:+.2%},"
        print(f"{name}, {policy}, seed {seed}:{lost} {found['seconds']:.0f} s", file=sys.stderr)
    result = {"markets": effort.markets, "rows": rows}
    if not arguments.quick:
        every = with_earlier("known_optima", rows, by=("problem", "name", "seed"))
        print(f"wrote {write_result('known_optima', {**result, 'rows': every})}", file=sys.stderr)
    problems, learners = by_problem(rows), [name for name in policies if name in LEARNERS]
    if arguments.curves and learners:
        arguments.curves.write_text(curves.picture(problems, learners))
    told = [table(problems, policies), *([seeds.table(problems, learners)] if learners else [])]
    print(json.dumps(result) if arguments.json else "\n\n".join(told))


if __name__ == "__main__":
    main()
