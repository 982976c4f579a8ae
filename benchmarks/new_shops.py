"""A policy for shops that it has not seen: ``python -m benchmarks.new_shops``.

One policy is trained in markets fitted to the sales of shops drawn at random (``shops.drawn``): families of
true markets, sizes, and several economics for each. Then it is played in the fitted markets of shops that it
has not seen, of the same families and of others, against the rules tuned there and a PPO trained there:

- *at once*, without any training: it corrects rules that are tuned there in seconds (``start_in``);
- *after a minute*, fine-tuned from there (``FINE_TUNING``).

Every gain is a share of the profit of a rule, before the same customers, with 95% intervals of the noise of
the episodes, by pairs. ``--policy FILE`` plays the policy there, or keeps there the one that is trained.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from mercato.agents.evaluation import evaluate
from mercato.agents.learned import LearnedPolicy
from mercato.agents.learner import Validation
from mercato.agents.pathwise import FINE_TUNING, PathwiseSettings, ShopsSettings, start_in, train_pathwise
from mercato.agents.pathwise.starting import uncorrected
from mercato.agents.policy import Policy
from mercato.agents.train import PPOSettings, best_base, train_ppo
from mercato.agents.tuning import STATIC, TuningSettings, tune_baselines
from mercato.app.benchmarking import of_price
from mercato.app.training import train_into
from mercato.envs.market import Market

from .record import resumed, write_result
from .shops.drawn import drawn_shops
from .transfer import share

SEED = 0
SCHOOL = ("log-linear", "nested-logit", "zone-season", "stockpiling", "state-dependent", "inelastic")
TRAINED, NEW = 7001, 9101  # first seed of the shops to practise in, and of those to be played
AT_ONCE, AFTER, PPO, RULES = "at once", "after a minute", "PPO", "rules it corrects"
BEST = "best rule"

Shop = tuple[str, int]  # family and seed


@dataclass(frozen=True)
class Effort:
    """How much is trained and simulated."""

    school: tuple[Shop, ...] = tuple((family, TRAINED + k) for k, family in enumerate(2 * SCHOOL))
    economics: int = 3  # that each of them is practised under
    shops: tuple[Shop, ...] = (
        ("log-linear", NEW),
        ("zone-season", NEW + 2),
        ("stockpiling", NEW + 3),
        ("attraction", NEW + 4),
    )
    general: ShopsSettings = ShopsSettings()
    after: PathwiseSettings = FINE_TUNING
    rules: TuningSettings = TuningSettings(volume=10_000, rounds=4, price_volume=100_000)
    ppo: PPOSettings = PPOSettings(steps=600_000)
    episodes: int = 128
    horizon: int = 26


_GLANCE = Validation(times=1, episodes=2, horizon=8)
QUICK = Effort(
    school=((SCHOOL[0], TRAINED), (SCHOOL[1], TRAINED + 1)),
    shops=(("attraction", NEW),),
    general=ShopsSettings(steps=20_000, markets=2, hidden=(16,), validation=_GLANCE),
    after=replace(FINE_TUNING, steps=10_000, markets=2, validation=_GLANCE),
    rules=TuningSettings(periods=8, volume=500, rounds=1, markups=2, price_volume=5000),
    ppo=PPOSettings(steps=10_000, markets=4, horizon=13, validation=_GLANCE),
    episodes=8,
    horizon=13,
)


def general(effort: Effort, path: Path) -> LearnedPolicy:
    """The policy kept at ``path``; where there is none it is trained, and kept there."""
    if not path.exists():
        fitted = (drawn_shops(*shop, effort.economics) for shop in effort.school)
        markets = [market for shop in fitted for market in shop]
        print(f"{len(markets)} markets to practise in", file=sys.stderr)
        began = time.process_time()
        train_into(markets, effort.general, {SEED: path})
        print(f"trained in {time.process_time() - began:.0f} s of the processor", file=sys.stderr)
    return LearnedPolicy.load(path)


@dataclass(frozen=True)
class Rivals:
    """A shop that the policy has not seen, and what was tuned and trained there."""

    market: Market
    rules: list[Policy]
    ppo: LearnedPolicy
    seconds: dict[str, float]  # of the processor, for each


def rivals(family: str, seed: int, effort: Effort) -> Rivals:
    """The shop drawn by a seed, with its rules tuned and a PPO trained there."""
    (market,) = drawn_shops(family, seed)
    began = time.process_time()
    rules = tune_baselines(market, seed, effort.rules)
    tuned = time.process_time()
    ppo = train_ppo(market, effort.ppo, seed, base=best_base(market, rules, seed))
    return Rivals(market, rules, ppo, {"rules": tuned - began, PPO: time.process_time() - tuned})


def one_shop(shop: Rivals, policy: LearnedPolicy, effort: Effort, seed: int) -> dict[str, Any]:
    """What the policy earns in a shop that it has not seen, and what the others earn there."""
    market, began = shop.market, time.process_time()
    at_once = start_in(market, policy, seed)
    started = time.process_time()
    tuned = train_pathwise(market, effort.after, seed, start=at_once)
    seconds = {**shop.seconds, AT_ONCE: started - began, AFTER: time.process_time() - started}
    learned: list[Policy] = [
        at_once.named(AT_ONCE),
        tuned.named(AFTER),
        shop.ppo.named(PPO),
        uncorrected(at_once).named(RULES),
    ]
    played = evaluate(market, [*learned, *shop.rules], effort.episodes, effort.horizon, seed)
    profits = dict(zip(played.names, played.values["profit"], strict=True))
    names = [rule.name for rule in shop.rules]
    against = {BEST: played.best(names), STATIC: of_price(STATIC, names) or ""}

    def gain(name: str, rule: str) -> tuple[float, float, float]:
        return share(profits[name] - profits[rule], profits[rule], seed)

    return {
        "shape": list(market.shape),
        "economics": market.economics.model_dump(exclude_unset=True),
        "rules": against,
        "gain": {
            name: {kind: gain(name, rule) for kind, rule in against.items()}
            for name in (AT_ONCE, AFTER, PPO, RULES)
        },
        "after a minute over PPO": gain(AFTER, PPO),
        "profit": {name: float(profit.mean()) for name, profit in profits.items()},
        "seconds": seconds,
    }


def played(policy: LearnedPolicy, effort: Effort, shops: Sequence[Shop]) -> Iterator[dict[str, Any]]:
    """Each shop in turn."""
    for family, seed in shops:
        found = one_shop(rivals(family, seed, effort), policy, effort, seed)
        yield {"family": family, "seed": seed, "seen": family in SCHOOL, **found}


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """One row a shop, in Markdown; below it the means."""
    heads = ["shop", "L", "waste", BEST, *(f"{name} − best rule" for name in (AT_ONCE, AFTER, PPO))]
    heads += [f"{name} − static price" for name in (AT_ONCE, AFTER)] + ["after a minute − PPO", RULES]
    lines = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    for row in rows:
        gain, shop = row["gain"], row["economics"]
        new = "" if row["seen"] else " (new)"
        cells = [f"{row['family']}{new} {'×'.join(map(str, row['shape']))}"]
        cells += [str(shop["lead_time"]), f"{shop['waste_rate']:.2f}", row["rules"][BEST]]
        cells += [_interval(gain[name][BEST]) for name in (AT_ONCE, AFTER, PPO)]
        cells += [_interval(gain[name][STATIC]) for name in (AT_ONCE, AFTER)]
        cells += [_interval(row["after a minute over PPO"]), f"{gain[RULES][BEST][0]:+.2%}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, "", *_means(rows)])


def _means(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for name in (AT_ONCE, AFTER, PPO, RULES):
        gains = [row["gain"][name][BEST] for row in rows]
        mean, worst = sum(gain[0] for gain in gains) / len(gains), min(gain[0] for gain in gains)
        ahead, behind = sum(gain[1] > 0 for gain in gains), sum(gain[2] < 0 for gain in gains)
        told = f"{name}: {mean:+.2%} of the best rule on average, worst {worst:+.2%}"
        yield f"{told}; surely ahead in {ahead}, surely behind in {behind} of {len(gains)}"


def _interval(three: Sequence[float]) -> str:
    return "{:+.2%} [{:+.2%}, {:+.2%}]".format(*three)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="the result as JSON on standard output")
    parser.add_argument("--quick", action="store_true", help="one shop, brief trainings; not kept")
    parser.add_argument("--policy", type=Path, help="play this policy, or keep there the one that is trained")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    effort = QUICK if arguments.quick else Effort()
    rows = []
    with TemporaryDirectory() as passing:
        policy = general(effort, arguments.policy or Path(passing) / "policy.safetensors")
    name = "new-shops-quick" if arguments.quick else "new-shops"
    for shop, row in resumed(name, effort.shops, partial(played, policy, effort)):
        rows.append(row)
        print(f"{' '.join(map(str, shop))}: {_interval(row['gain'][AT_ONCE][BEST])}", file=sys.stderr)
    about: dict[str, Any] = {
        name: asdict(getattr(effort, name)) for name in ("general", "after", "rules", "ppo")
    }
    about |= {"school": effort.school, "economics": effort.economics, "episodes": effort.episodes}
    result = {"seed": SEED, **about, "shops": rows}
    if not arguments.quick:
        print(f"wrote {write_result('new_shops', result)}", file=sys.stderr)
    print(json.dumps(result) if arguments.json else table(rows))


if __name__ == "__main__":
    main()
