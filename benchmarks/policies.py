"""What a policy earns before customers it was not trained on: ``python -m benchmarks.policies``.

A shop's market is learned from a panel whose truth is known. The same PPO is trained

- in the *fitted* market;
- in the *true* one: the same shop and the same forecasts, but the true customers, which no shop could do;
- in the *naive* one, fitted without identification (``peers.unidentified``);
- and, *knowing*, in the true one with demand forecast exactly.

All are then played before the true customers, seeing what the shop sees through the fitted model; the naive
one also through its own, which is what a shop that fitted it would have; the knowing one as it was trained.
Baselines are tuned in the fitted market. Intervals are of the noise of the episodes, by pairs; noise of panel
and training shows between seeds. The seeds reported are used for nothing else; development used those from
100 on.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from mercato.agents.evaluation import bootstrap, evaluate
from mercato.agents.policy import Policy
from mercato.agents.train import PPOSettings, train_ppo
from mercato.agents.tuning import tune_baselines
from mercato.agents.workers import employ
from mercato.app.benchmarking import behind
from mercato.envs.economics import Economics
from mercato.envs.market import Market
from mercato.envs.store import fitted_market
from mercato.envs.structural import FAMILIES, Size, truth_folder
from mercato.forecasters.fit import fit_demand
from mercato.forecasters.model import DemandModel
from mercato.forecasters.panel import read_panel
from mercato.forecasters.progress import Progress

from .peers.unidentified import naive_model
from .record import resumed, write_result

SEEDS = (9001, 9002, 9003)
KINDS = ("log-linear", "nested-logit", "attraction")
SIZE = Size(locations=12, items=6, weeks=130)
EPISODES, HORIZON = 64, 26

FITTED, TRUE, NAIVE, OWN_EYES, KNOWING = "fitted", "true", "naive", "naive, own forecasts", "knowing"
LEARNERS = (FITTED, TRUE, NAIVE, KNOWING)  # of which the first two are needed to say anything
PROMISED = "fitted, in its own market"  # what PPO earns before the customers that it was trained with

Profits = Mapping[str, np.ndarray]  # (E,) of each policy, the same customers


@dataclass(frozen=True)
class Markets:
    """One shop before the customers of each model and before the true ones, seen through each model."""

    fitted: Market
    naive: Market
    true: Market  # seen through the fitted model
    true_by_naive: Market
    known: Market  # demand is forecast as it really is


def markets(family: str, seed: int, size: Size) -> Markets:
    """Make a panel, fit it with and without identification, and open its true market."""
    with TemporaryDirectory() as folder:
        table = FAMILIES[family].write(Path(folder) / "panel.parquet", seed, size)
        panel, truth = read_panel(table), truth_folder(table)
        model = fit_demand(panel, seed=seed)
        fitted = fitted_market(unpromoted(model), panel, Economics(), FITTED)
        naive = fitted_market(unpromoted(naive_model(model, panel, seed)), panel, Economics(), NAIVE)
        true, true_by_naive = behind(fitted, truth), behind(naive, truth)
    known = true.with_demand(true.demand.nature)  # type: ignore[attr-defined]
    return Markets(fitted, naive, true, true_by_naive, known)


def unpromoted(model: DemandModel) -> DemandModel:
    """The model without promotions in play: nobody plans any in the true market."""
    return replace(model, response=model.response.without_promotions())


def profits(
    shop: Markets, ppo: PPOSettings, seed: int, learners: Sequence[str] = LEARNERS
) -> tuple[Profits, Profits]:
    """What PPO and what the baselines earn in the true market, an episode."""
    homes = {FITTED: shop.fitted, TRUE: shop.true, NAIVE: shop.naive, KNOWING: shop.known}
    trained = {name: train_ppo(homes[name], ppo, seed).named(name) for name in learners}
    baselines = tune_baselines(shop.fitted, seed)
    played: dict[str, np.ndarray] = {}
    plays: list[tuple[Market, list[Policy]]] = [
        (shop.true, [*(trained[name] for name in learners if name != KNOWING), *baselines]),
        (shop.fitted, [trained[FITTED].named(PROMISED)]),
    ]
    if NAIVE in trained:
        plays.append((shop.true_by_naive, [trained[NAIVE].named(OWN_EYES)]))
    if KNOWING in trained:
        plays.append((shop.known, [trained[KNOWING]]))
    for market, policies in plays:
        evaluation = evaluate(market, policies, EPISODES, HORIZON, seed)
        played |= dict(zip(evaluation.names, evaluation.values["profit"], strict=True))
    rules = {policy.name: played.pop(policy.name) for policy in baselines}
    return played, rules


def figures(learned: Profits, rules: Profits, seed: int) -> dict[str, Any]:
    """Shares of the profit of the PPO trained in the true market, and the lead over the baselines.

    Figures that hang on the noise of the episodes are [mean, lower, upper] with 95% intervals.
    """
    best = max(rules, key=lambda name: rules[name].mean())
    leads = {name: bootstrap(learned[FITTED] - profit, seed) for name, profit in rules.items()}
    shares = {
        name: share(profit, learned[TRUE], seed)
        for name, profit in learned.items()
        if name not in (TRUE, PROMISED)
    }
    return {
        "share_of_true": shares,
        "promised": float(learned[PROMISED].mean() / learned[FITTED].mean()),
        "best_baseline": best,
        "best_baseline_share_of_true": share(rules[best], learned[TRUE], seed),
        "lead_over_best_baseline": leads[best],
        "baselines": len(rules),
        "baselines_beaten": sum(low > 0 for _, low, _ in leads.values()),
        "profit": {name: float(values.mean()) for name, values in {**learned, **rules}.items()},
    }


def share(part: np.ndarray, whole: np.ndarray, seed: int) -> tuple[float, float, float]:
    """Mean of ``part`` (E,) over mean of ``whole`` (E,), with its 95% bootstrap interval over the pairs.

    The interval is that of a ratio of means by its linear expansion: part − share·whole has mean 0.
    """
    ratio = float(part.mean() / whole.mean())
    _, low, high = bootstrap((part - ratio * whole) / whole.mean(), seed)
    return ratio, ratio + low, ratio + high


def one_panel(
    family: str, seed: int, size: Size, ppo: PPOSettings, learners: Sequence[str] = LEARNERS
) -> dict[str, Any]:
    """The figures of one panel."""
    began = time.perf_counter()
    found = figures(*profits(markets(family, seed, size), ppo, seed, learners), seed)
    return {"family": family, "seed": seed, **found, "seconds": time.perf_counter() - began}


def _played(
    size: Size, ppo: PPOSettings, learners: Sequence[str], task: tuple[str, int], _: Progress
) -> dict[str, Any]:
    return one_panel(*task, size, ppo, learners)


def table(panels: Sequence[Mapping[str, Any]]) -> str:
    """One row a panel, in Markdown."""
    head = (
        "family | seed | fitted / true | promised / earned | naive / true | naive, own forecasts / true"
        " | knowing / true | best baseline / true | fitted − best baseline | baselines beaten | best baseline"
    )
    lines = [f"| {head} |", "|" + "---|" * (head.count("|") + 1)]
    for x in panels:
        named = [x["share_of_true"].get(name) for name in (FITTED, NAIVE, OWN_EYES, KNOWING)]
        lead = "{:,.0f} [{:,.0f} … {:,.0f}]".format(*x["lead_over_best_baseline"])
        shares = ["{:.3f} [{:.3f} … {:.3f}]".format(*s) if s else "" for s in named]
        shares.append("{:.3f} [{:.3f} … {:.3f}]".format(*x["best_baseline_share_of_true"]))
        cells = [x["family"], str(x["seed"]), shares[0], f"{x['promised']:.3f}", *shares[1:]]
        cells += [lead, f"{x['baselines_beaten']} of {x['baselines']}", x["best_baseline"]]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="the result as JSON on standard output")
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--families", nargs="+", choices=FAMILIES, default=KINDS)
    parser.add_argument("--size", type=int, nargs=3, metavar=("LOCATIONS", "ITEMS", "WEEKS"))
    parser.add_argument("--steps", type=int, help="unit-periods of a training, fewer to see that it runs")
    others = LEARNERS[2:]
    parser.add_argument("--others", nargs="*", choices=others, default=others, help="beside fitted and true")
    parser.add_argument("--workers", type=int, help="panels at once")
    parser.add_argument("--ray", metavar="ADDRESS", help="on the Ray cluster there")
    arguments = parser.parse_args()
    size = Size(*arguments.size) if arguments.size else SIZE
    ppo = PPOSettings() if arguments.steps is None else replace(PPOSettings(), steps=arguments.steps)
    panels = []
    learners = (*LEARNERS[:2], *arguments.others)
    tasks = [(family, seed) for family in arguments.families for seed in arguments.seeds]
    with employ(arguments.workers, arguments.ray) as crew:
        played = partial(crew.map, "play the panels", partial(_played, size, ppo, learners))
        asked = f"{'x'.join(map(str, vars(size).values()))}-{ppo.steps}-{len(learners)}"
        for _, panel in resumed(f"policies-{asked}", tasks, played):
            panels.append(panel)
            told = "{:.3f}".format(panel["share_of_true"][FITTED][0])
            print(
                f"{panel['family']}, seed {panel['seed']}: {told}, {panel['seconds']:.0f} s", file=sys.stderr
            )
    result = {
        "size": vars(size),
        "steps": ppo.steps,
        "episodes": EPISODES,
        "horizon": HORIZON,
        "panels": panels,
    }
    plan = (tuple(arguments.seeds), tuple(arguments.families), size, ppo, learners)
    whole = (SEEDS, KINDS, SIZE, PPOSettings(), LEARNERS)
    if plan == whole:  # anything else is a trial, printed and not kept
        print(f"wrote {write_result('policies', result)}", file=sys.stderr)
    print(json.dumps(result) if arguments.json else table(panels))


if __name__ == "__main__":
    main()
