"""How far policies are from the optimum where it is known: ``python -m benchmarks.known_optima``.

The problems of ``mercato problem --list``. Exact: the optimum and the best of simpler rules. Simulated in the
problem's market, with 95% intervals of independent runs: the optimal policy, which has to be worth what the
exact value says, the baseline that ``mercato train`` would start from, tuned as it tunes it, and whoever else
is among ``COMPETITORS``.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import torch

from mercato.agents.baselines.prices import LastPrice
from mercato.agents.optimal import simulated, solve
from mercato.agents.policy import Pair, Policy
from mercato.agents.seeds import seed_for
from mercato.agents.train import best_base
from mercato.agents.tuning import Trials, TuningSettings, order_families, tune_baselines
from mercato.envs.market import Market
from mercato.envs.problems import CATALOGUE, Problem

from .record import resumed, write_result

SEED = 0
MARKETS = 4096  # independent runs of a simulated policy
QUICK, QUICK_MARKETS = 2, 512  # problems of a family, and runs, for a look


def tuned_baseline(market: Market) -> Policy:
    """The baseline that ``mercato train`` would start from."""
    return best_base(market, tune_baselines(market, SEED), SEED)


def tuned_orders(kind: str, market: Market) -> Policy:
    """Orders of one kind, tuned as those of every baseline are, at the last price."""
    family = next((one for one in order_families(market.economics) if one.name == kind), None)
    if family is None:  # capped base-stock is base-stock where no lead time makes orders pile up
        return tuned_orders("base-stock", market)
    trials = Trials.of(market, TuningSettings(), seed_for("tune", SEED))
    return Pair(f"last price, {kind}", LastPrice(), trials.tuned_orders(LastPrice(), family))


COMPETITORS: dict[str, Callable[[Market], Policy]] = {
    "mercato's baseline": tuned_baseline,
    "tuned base-stock": partial(tuned_orders, "base-stock"),
    "tuned capped base-stock": partial(tuned_orders, "capped base-stock"),
}
"""Policies beside the optimum by name, each made for the market that it plays; learners belong here."""


def one_problem(problem: Problem, markets: int) -> dict[str, Any]:
    """Values of every policy, exact ones and simulated ones."""
    began = time.perf_counter()
    best = solve(problem)
    solved = time.perf_counter() - began
    market = problem.market()
    made = {name: make(market) for name, make in COMPETITORS.items()}
    played = {
        name: played_by(problem, policy, best.value, markets)
        for name, policy in {"optimum": best.policy, **made}.items()
    }
    return {
        "problem": problem.name,
        "of": str(problem.objective),
        "optimum": best.value,
        "rules": {
            kind: {"value": rule.value, "gap": gap(problem, rule.value, best.value)}
            for kind, rule in best.rules.items()
        },
        "simulated": played,
        "seconds": {"solve": solved, "all": time.perf_counter() - began},
    }


def gap(problem: Problem, value: float, best: float) -> float:
    """What is lost of the optimum, as a share of it."""
    return problem.objective.sign * (best - value) / abs(best)


def played_by(problem: Problem, policy: Policy, best: float, markets: int) -> dict[str, Any]:
    """Mean value with its standard error, and the gap to the optimum with its 95% interval."""
    mean, error = simulated(problem, policy, SEED, markets=markets)
    lost, half = gap(problem, mean, best), 1.96 * error / abs(best)
    return {"policy": policy.name, "value": mean, "error": error, "gap": [lost, lost - half, lost + half]}


def measured(markets: int, names: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The problems of those names."""
    return (one_problem(CATALOGUE[name], markets) for name in names)


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """One row a problem, in Markdown: the optimum, what each policy loses of it, standard errors off it."""
    heads = ("problem", "of", "optimum", "best simpler rules", *COMPETITORS, "optimal policy, simulated")
    lines = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    for row in rows:
        rules = ", ".join(f"{kind} {rule['gap']:.1%}" for kind, rule in row["rules"].items())
        fields = [row["problem"], row["of"], f"{row['optimum']:.4g}", rules or "-"]
        for name in COMPETITORS:
            played = row["simulated"][name]
            fields.append("{:.1%} [{:.1%}, {:.1%}]".format(*played["gap"]) + f" ({played['policy']})")
        own = row["simulated"]["optimum"]
        off = (own["value"] - row["optimum"]) / own["error"]
        fields.append(f"{own['value']:.4g} ({off:+.1f} standard errors)")
        lines.append(f"| {' | '.join(fields)} |")
    return "\n".join(lines)


def chosen(quick: bool) -> list[str]:
    """All problems, or the first of each family."""
    families: dict[str, list[str]] = {}
    for name in CATALOGUE:
        families.setdefault(name.partition("/")[0], []).append(name)
    return [name for names in families.values() for name in (names[:QUICK] if quick else names)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="the result as JSON on standard output")
    parser.add_argument(
        "--quick", action="store_true", help="the first problems of each family with fewer runs; not kept"
    )
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    markets = QUICK_MARKETS if arguments.quick else MARKETS
    rows = []
    for name, row in resumed(f"known_optima-{markets}", chosen(arguments.quick), partial(measured, markets)):
        rows.append(row)
        print(f"{name}: {row['optimum']:.4g}, {row['seconds']['all']:.0f} s", file=sys.stderr)
    result = {"seed": SEED, "markets": markets, "problems": rows}
    if not arguments.quick:
        print(f"wrote {write_result('known_optima', result)}", file=sys.stderr)
    print(json.dumps(result) if arguments.json else table(rows))


if __name__ == "__main__":
    main()
