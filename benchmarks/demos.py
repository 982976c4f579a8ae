"""The demos' learners, with five training seeds each: ``python -m benchmarks.demos``.

Each table is fitted as ``mercato demo`` does, and its baselines are tuned, once. Then PPO and DQN are trained
from the best of them, with one seed after another, and played beside all of them before the same customers,
and before those of the true market where the table is made of one. Intervals are of the noise of the
episodes, by pairs; that of training shows between seeds.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from mercato.agents.evaluation import evaluate, usual_episodes
from mercato.agents.policy import Policy
from mercato.agents.train import DQNSettings, PPOSettings, best_base, train_dqn, train_ppo
from mercato.agents.tuning import tune_baselines
from mercato.app.benchmarking import behind
from mercato.app.demo import MADE, case_of
from mercato.app.run import RunSettings, rehearsal
from mercato.envs.market import Market
from mercato.envs.store import fit_market, load_market
from mercato.envs.structural import FAMILIES
from mercato.forecasters.evaluation import Forecaster
from mercato.forecasters.market_model import shipped
from mercato.forecasters.sources import write_source

from .record import resumed, with_earlier, write_result
from .transfer import share

TABLES = ("orange-juice", "ta-feng", "reference", "fresh-food")
SEEDS, SEED = range(5), 0  # of training; of all the rest
LEARNERS = ("PPO", "DQN")


@dataclass(frozen=True)
class Demo:
    """One table's market with all that is tuned before a learner trains."""

    market: Market
    true: Market | None  # where the table is made of it
    baselines: Sequence[Policy]
    horizon: int
    seconds: float  # of a processor, for the fit and the baselines


@lru_cache(maxsize=1)  # the next seed asks for it again
def open_demo(name: str, quick: bool) -> Demo:
    """Fetch or make the table, fit it, and tune its baselines."""
    began, settings = time.process_time(), _settings(quick)
    with TemporaryDirectory() as folder:
        table, out = Path(folder) / "panel.parquet", Path(folder) / "market"
        if name in MADE:
            FAMILIES[MADE[name].family].write(table, SEED, MADE[name].size)
        else:
            write_source(name, table)
        case = case_of(name, table)
        forecaster = None if settings.recipe is None else Forecaster(shipped(), settings.recipe)
        fit_market(case.panel, case.economics, out, settings.fit, SEED, forecaster=forecaster)
        market = load_market(out).remembered
        true = None if case.truth is None else behind(market, case.truth)
    baselines = tune_baselines(market, SEED)
    horizon = min(settings.horizon, max(1, case.panel.periods // 2))
    return Demo(market, true, baselines, horizon, time.process_time() - began)


def one_seed(name: str, seed: int, quick: bool) -> dict[str, Any]:
    """Both learners of one table and training seed, beside its baselines."""
    demo, settings = open_demo(name, quick), _settings(quick)
    market, baselines = demo.market, demo.baselines
    base = best_base(market, list(baselines), SEED, settings.validation)
    trained, seconds = {}, {"fit and baselines": demo.seconds}
    learners: Mapping[str, PPOSettings | DQNSettings] = {"PPO": settings.ppo, "DQN": settings.dqn}
    for learner, how in learners.items():
        began = time.process_time()
        policy = (
            train_ppo(market, how, seed, base=base)
            if isinstance(how, PPOSettings)
            else train_dqn(market, how, seed, base=base)
        )
        trained[learner] = policy.named(learner)
        seconds[learner] = time.process_time() - began
    episodes = min(settings.episodes, usual_episodes(market))
    policies, rules = [*trained.values(), *baselines], [rule.name for rule in baselines]

    def compared(shop: Market) -> dict[str, Any]:
        played = evaluate(shop, policies, episodes, demo.horizon, SEED)
        profit = dict(zip(played.names, played.values["profit"], strict=True))
        best = played.best(rules)
        leads = {
            learner: {rule: share(profit[learner] - profit[rule], profit[rule], SEED) for rule in rules}
            for learner in LEARNERS
        }
        return {
            "best baseline": best,
            "lead": {learner: lead[best] for learner, lead in leads.items()},
            "below": {
                learner: [rule for rule in rules if lead[rule][2] < 0] for learner, lead in leads.items()
            },
            "profit": {one: float(values.mean()) for one, values in profit.items()},
        }

    found = {"table": name, "seed": seed, **compared(market), "seconds": seconds}
    return found if demo.true is None else {**found, "true": compared(demo.true)}


def _settings(quick: bool) -> RunSettings:
    return rehearsal() if quick else RunSettings()


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """One row a table, market and learner, in Markdown: each seed's lead over the best baseline."""
    seeds = sorted({row["seed"] for row in rows})
    heads = ["table", "market", "learner", "best baseline"]
    heads += [*(f"seed {seed}" for seed in seeds), "below a baseline"]
    lines = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    tables = dict.fromkeys(row["table"] for row in rows)
    for name, market, learner in product(tables, ("learned", "true"), LEARNERS):
        found = {
            row["seed"]: row if market == "learned" else row.get("true")
            for row in rows
            if row["table"] == name
        }
        of = {seed: one for seed, one in found.items() if one is not None}
        if not of:
            continue
        leads = [
            "{:+.2%} [{:+.2%}, {:+.2%}]".format(*of[s]["lead"][learner]) if s in of else "" for s in seeds
        ]
        below = sum(bool(one["below"][learner]) for one in of.values())
        best = next(iter(of.values()))["best baseline"]
        lines.append(f"| {' | '.join([name, market, learner, best, *leads, f'{below} of {len(of)}'])} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="the result as JSON on standard output")
    parser.add_argument("--quick", action="store_true", help="one table and seed, a rehearsal; not kept")
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=TABLES)
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    tasks = list(product(arguments.tables, arguments.seeds))
    if arguments.quick:
        tasks = [("reference", 0)]

    def played(some: list[tuple[str, int]]) -> Iterator[dict[str, Any]]:
        for name, seed in some:
            yield one_seed(name, seed, arguments.quick)

    rows = []
    for (name, seed), row in resumed("demos-quick" if arguments.quick else "demos", tasks, played):
        rows.append(row)
        leads = ", ".join(f"{learner} {row['lead'][learner][0]:+.2%}" for learner in LEARNERS)
        print(f"{name}, seed {seed}: {leads} of {row['best baseline']}", file=sys.stderr)
    result = {"episodes": RunSettings().episodes, "rows": rows}
    if not arguments.quick:
        result["rows"] = rows = with_earlier("demos", rows, by=("table", "seed"))
        print(f"wrote {write_result('demos', result)}", file=sys.stderr)
    print(json.dumps(result) if arguments.json else table(rows))


if __name__ == "__main__":
    main()
