"""From the learned market to the true one: ``python -m benchmarks.transfer``.

A shop's market is learned from a panel whose truth is known. The same PPO is trained

- in the *fitted* market, with and without a charge for what the model is unsure of;
- in the *true* one: the same shop and the same forecasts, but the true customers, which no shop could do;
- in the *naive* one, fitted without identification (``peers.unidentified``);
- and, *knowing*, in the true one with demand forecast exactly.

All are then played before the true customers, seeing what the shop sees through the fitted model; the naive
one also through its own, which is what a shop that fitted it would have; the knowing one as it was trained.
Baselines are tuned in the fitted market; the logged prices are among them. What the fitted market promises
of each policy is set against what it earns, and an adversary looks for the prices that it promises most too
much of. Intervals are of the noise of the episodes, by pairs; noise of panel and training shows between
seeds. The seeds reported are used for nothing else; development used those from 100 on.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from mercato.agents.evaluation import bootstrap, evaluate
from mercato.agents.learned import LearnedPolicy
from mercato.agents.learner import Validation
from mercato.agents.policy import Policy
from mercato.agents.train import PPOSettings, best_base, train_ppo
from mercato.agents.tuning import QUICK as IN_SECONDS
from mercato.agents.tuning import TuningSettings, tune_baselines
from mercato.agents.workers import employ
from mercato.app.benchmarking import of_price
from mercato.envs.economics import Economics
from mercato.envs.market import Market
from mercato.envs.structural import FAMILIES, Size
from mercato.forecasters.progress import Progress

from .record import resumed, with_earlier, write_result
from .transfers import adversary
from .transfers.shops import Shop, open_shop

SEEDS, DEVELOPMENT = (9001, 9002, 9003), 101
ECONOMICS = {
    "default": Economics(),
    "fresh food": Economics(waste_rate=0.3, initial_cover=1.0),
}
FITTED, CAREFUL, TRUE, NAIVE = "fitted", "fitted, cautious", "true", "naive"
OWN_EYES, KNOWING, LOGGED = "naive, own forecasts", "knowing", "logged price"

Profits = Mapping[str, np.ndarray]  # (E,) of each policy, the same customers


@dataclass(frozen=True)
class Effort:
    """How much is simulated."""

    size: Size = Size(locations=12, items=6, weeks=130)
    ppo: PPOSettings = PPOSettings()
    tuning: TuningSettings = TuningSettings()
    episodes: int = 64
    horizon: int = 26
    search: adversary.Search = adversary.Search()


QUICK = Effort(
    Size(locations=4, items=2, weeks=60),
    PPOSettings(steps=20_000, markets=8, horizon=13, validation=Validation(times=1, episodes=2, horizon=8)),
    tuning=IN_SECONDS,
    episodes=16,
    horizon=13,
    search=adversary.QUICK,
)


@dataclass(frozen=True)
class Played:
    """Profits an episode: of what was learned and of rules, and what the fitted market promises of each."""

    learned: Profits  # in the true market
    rules: Profits  # likewise
    promised: Profits  # of the rules and of what was trained in the fitted market, there


def play_all(shop: Shop, effort: Effort, seed: int) -> Played:
    """Train and tune everything, and play it."""
    tuned = {
        name: tune_baselines(market, seed, effort.tuning)
        for name, market in (
            (FITTED, shop.fitted),
            (TRUE, shop.true),
            (NAIVE, shop.naive),
            (KNOWING, shop.known),
        )
    }

    def corrected(name: str, market: Market, settings: PPOSettings = effort.ppo) -> LearnedPolicy:
        """What is trained in a market, from the best of the baselines that are tuned in it."""
        base = best_base(market, tuned[name], seed, settings.validation, settings.caution)
        return train_ppo(market, settings, seed, base=base)

    trained = {
        FITTED: corrected(FITTED, shop.fitted),
        CAREFUL: corrected(FITTED, shop.fitted, replace(effort.ppo, caution=1.0)),
        TRUE: corrected(TRUE, shop.true),
        NAIVE: corrected(NAIVE, shop.naive),
        KNOWING: corrected(KNOWING, shop.known),
    }
    trained = {name: policy.named(name) for name, policy in trained.items()}
    rules = [*tuned[FITTED], effort.search.exploit(shop, seed)]

    def profits(market: Market, policies: Sequence[Policy]) -> Profits:
        played = evaluate(market, policies, effort.episodes, effort.horizon, seed)
        return dict(zip(played.names, played.values["profit"], strict=True))

    before_true = profits(shop.true, [trained[name] for name in (FITTED, CAREFUL, TRUE, NAIVE)] + rules)
    learned = {name: before_true[name] for name in (FITTED, CAREFUL, TRUE, NAIVE)}
    learned |= profits(shop.true_by_naive, [trained[NAIVE].named(OWN_EYES)])
    learned |= profits(shop.known, [trained[KNOWING]])
    promised = profits(shop.fitted, [trained[FITTED], trained[CAREFUL], *rules])
    return Played(learned, {rule.name: before_true[rule.name] for rule in rules}, promised)


def figures(played: Played, seed: int) -> dict[str, Any]:
    """Shares of the profit of the PPO trained in the true market, leads over rules, promises.

    Figures that hang on the noise of the episodes are [mean, lower, upper] with 95% intervals.
    """
    learned, promised = played.learned, played.promised
    exploited = played.rules["adversary"]
    rules = {name: profit for name, profit in played.rules.items() if name != "adversary"}
    best = max(rules, key=lambda name: rules[name].mean())
    leads = {name: bootstrap(learned[FITTED] - profit, seed) for name, profit in rules.items()}
    earned = {**rules, **{name: learned[name] for name in (FITTED, CAREFUL)}}
    whole, logged = float(learned[TRUE].mean()), of_price(LOGGED, list(rules))
    assert logged is not None
    return {
        "share_of_true": {
            name: share(profit, learned[TRUE], seed) for name, profit in learned.items() if name != TRUE
        },
        "promised": {name: float(promised[name].mean() / profit.mean()) for name, profit in earned.items()},
        "rank_correlation": float(
            spearmanr([promised[name].mean() for name in earned], [p.mean() for p in earned.values()])[0]
        ),
        "adversary": {
            "promised": float(promised["adversary"].mean()) / whole,
            "earned": float(exploited.mean()) / whole,
        },
        "best_baseline": best,
        "best_baseline_share_of_true": share(rules[best], learned[TRUE], seed),
        "lead_over_best_baseline": share(learned[FITTED] - rules[best], learned[TRUE], seed),
        "logged_share_of_true": share(rules[logged], learned[TRUE], seed),
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


def one_panel(family: str, seed: int, economics: str, effort: Effort) -> dict[str, Any]:
    """The figures of one shop."""
    began = time.perf_counter()
    shop = open_shop(family, seed, effort.size, ECONOMICS[economics])
    found = figures(play_all(shop, effort, seed), seed)
    about = {"family": family, "seed": seed, "economics": economics}
    return {**about, **found, "seconds": time.perf_counter() - began}


def _played(effort: Effort, task: tuple[str, int, str], _: Progress) -> dict[str, Any]:
    return one_panel(*task, effort)


def table(panels: Sequence[Mapping[str, Any]]) -> str:
    """One row a shop, in Markdown; below it the mean over families and the worst."""
    heads = ["family", "seed", "economics", "fitted / true", "cautious / true", "naive, own forecasts / true"]
    heads += ["best baseline / true", "fitted − best baseline", "logged / true", "knowing / true"]
    heads += ["promised / earned", "rank correlation", "adversary: promised, earned", "baselines beaten"]
    lines = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    for x in panels:
        named = [x["share_of_true"][name] for name in (FITTED, CAREFUL, OWN_EYES)]
        cells = [x["family"], str(x["seed"]), x["economics"], *map(_interval, named)]
        cells += [f"{_interval(x['best_baseline_share_of_true'])} ({x['best_baseline']})"]
        cells += [_interval(x["lead_over_best_baseline"], "+.3f"), f"{x['logged_share_of_true'][0]:.3f}"]
        cells += [f"{x['share_of_true'][KNOWING][0]:.3f}", f"{x['promised'][FITTED]:.2f}"]
        cells += [f"{x['rank_correlation']:.2f}", "{promised:.2f}, {earned:.2f}".format(**x["adversary"])]
        cells += [f"{x['baselines_beaten']} of {x['baselines']}"]
        lines.append(f"| {' | '.join(cells)} |")
    by_family: dict[str, list[float]] = {}
    for x in panels:
        by_family.setdefault(x["family"], []).append(x["share_of_true"][FITTED][0])
    means = {family: float(np.mean(shares)) for family, shares in by_family.items()}
    worst = min(means, key=lambda family: means[family])
    lines += [
        "",
        f"fitted / true: mean over {len(means)} families {np.mean(list(means.values())):.3f},"
        f" worst {means[worst]:.3f} ({worst})",
    ]
    return "\n".join(lines)


def _interval(three: Sequence[float], form: str = ".3f") -> str:
    middle, low, high = (format(value, form) for value in three)
    return f"{middle} [{low} … {high}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="the result as JSON on standard output")
    parser.add_argument("--quick", action="store_true", help="one small shop, in three minutes; not kept")
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--families", nargs="+", choices=FAMILIES, default=tuple(FAMILIES))
    parser.add_argument("--economics", nargs="+", choices=ECONOMICS, default=tuple(ECONOMICS))
    parser.add_argument("--workers", type=int, help="shops at once")
    parser.add_argument("--ray", metavar="ADDRESS", help="on the Ray cluster there")
    arguments = parser.parse_args()
    effort = QUICK if arguments.quick else Effort()
    tasks = list(product(arguments.families, arguments.seeds, arguments.economics))
    if arguments.quick:
        tasks = [(arguments.families[0], DEVELOPMENT, arguments.economics[-1])]
    panels = []
    with employ(arguments.workers, arguments.ray) as crew:
        played = partial(crew.map, "play the shops", partial(_played, effort))
        name = "transfer-quick" if arguments.quick else "transfer"
        for _, panel in resumed(name, tasks, played):
            panels.append(panel)
            told = "{family}, seed {seed}, {economics}: {seconds:.0f} s".format(**panel)
            print(f"{told}, {panel['share_of_true'][FITTED][0]:.3f} of true", file=sys.stderr)
    result = {
        "size": vars(effort.size),
        "steps": effort.ppo.steps,
        "episodes": effort.episodes,
        "horizon": effort.horizon,
        "panels": panels,
    }
    if not arguments.quick:
        by = ("family", "seed", "economics")
        result["panels"] = panels = with_earlier("transfer", panels, by, under="panels")
        print(f"wrote {write_result('transfer', result)}", file=sys.stderr)
    print(json.dumps(result) if arguments.json else table(panels))


if __name__ == "__main__":
    main()
