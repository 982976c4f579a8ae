"""How far scenarios can be trusted: ``python -m benchmarks.scenarios``.

On the reference market (12 locations × 6 items × 130 weeks), of which the fit has not seen the last location:

1. how much narrower the 95% interval of a 5% cost rise is with the same customers with and without it than
   with independent seeds, 64 episodes of 26 weeks each;
2. what six scenarios change in the fitted market, beside what they change before the true customers. The
   last one opens the location that the fit has not seen, of which it is told the income.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from mercato.agents.evaluation import bootstrap
from mercato.app.api import fit
from mercato.app.benchmarking import behind
from mercato.app.whatif import answer_each, simulated, usual_policy
from mercato.envs.market import Market
from mercato.envs.processes.joined import Joined, Namesake
from mercato.envs.scenarios import Asked, Plan, read_scenarios
from mercato.envs.structural import Truth
from mercato.envs.structural.reference import ROLES, make_reference
from mercato.forecasters.panel import read_panel

from .record import write_result

EPISODES, HORIZON, SEED = 64, 26, 0
CLOSE = 0.2  # of the true effect
NEW = "new store"
SCENARIOS: dict[str, dict[str, Any]] = {
    "a fifth fewer customers": {"demand": 0.8},
    "costs up 10%": {"cost": 1.1},
    "a sale of eight weeks": {"price": {"path": [0.95, 0.9, 0.85], "window": [9, 16]}},
    "no orders for four weeks": {"outage": {"window": [9, 12]}},
    "a competitor at 85%": {"competitor": {"fixed": 0.85, "elasticity": 0.6}},
    "a store opens": {"new_location": {"name": NEW}},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="the result as JSON on standard output")
    parser.add_argument("--quick", action="store_true", help="few episodes and an untrained network")
    arguments = parser.parse_args()
    episodes = 8 if arguments.quick else EPISODES
    frame, truth = make_reference(SEED)
    market, unseen = _fitted(frame, truth, arguments.quick)
    result = {
        "episodes": episodes,
        "horizon": HORIZON,
        "seed": SEED,
        "intervals": intervals(market, episodes),
        "effects": effects(market, truth, unseen, episodes),
    }
    if not arguments.quick:
        print(f"wrote {write_result('scenarios', result)}", file=sys.stderr)
    print(json.dumps(result)) if arguments.json else _show(result)


def _fitted(frame: Any, truth: Truth, quick: bool) -> tuple[Market, str]:
    """The market of all locations but the last, and the last."""
    unseen = truth.demand.locations[-1]
    panel = read_panel(frame[frame["location"] != unseen], roles=ROLES)
    return fit(panel, seed=SEED, effort="zero-shot" if quick else "usual"), unseen


def intervals(market: Market, episodes: int) -> dict[str, float]:
    """Widths of the 95% interval of a 5% cost rise, with the same customers and with others."""
    (asked,) = read_scenarios({"cost": 1.05, "horizon": HORIZON})
    policy, plan = usual_policy(market), asked.plan(market)
    without, other = (
        simulated(asked.scenario.unchanged(market), policy, episodes, seed).whole()["profit"].numpy()
        for seed in (SEED, SEED + 1)
    )
    changed = simulated(plan, policy, episodes, SEED).whole()["profit"].numpy()
    _, lo, hi = bootstrap(changed - without, SEED)
    _, far_lo, far_hi = bootstrap(changed - other, SEED)
    return {"paired": hi - lo, "independent": far_hi - far_lo, "narrower": (far_hi - far_lo) / (hi - lo)}


def effects(market: Market, truth: Truth, unseen: str, episodes: int) -> list[dict[str, Any]]:
    """Change of profit per episode, predicted and true, of each scenario."""
    with TemporaryDirectory() as folder:
        truth.select(market.locations).save(Path(folder) / "truth")
        true = behind(market, Path(folder) / "truth")
    asked = [_asked(name, scenario, truth, unseen, episodes) for name, scenario in SCENARIOS.items()]
    told = answer_each(market, [usual_policy(market)], asked, SEED)
    policy = usual_policy(true)
    without = simulated(asked[0].scenario.unchanged(true), policy, episodes, SEED).whole()["profit"]
    rows = []
    for one, found in zip(asked, told, strict=True):
        plan = _opened(true, one, truth, unseen) if one.scenario.new_location else one.plan(true)
        changed = simulated(plan, policy, episodes, SEED).whole()["profit"]
        rows.append(_row(found, bootstrap((changed - without).numpy(), SEED)))
    return rows


def _row(told: dict[str, Any], true: tuple[float, float, float]) -> dict[str, Any]:
    """The predicted and the true change of profit of one scenario."""
    mean, lo, hi = (told["differences"][0][key] for key in ("diff_mean", "diff_lo", "diff_hi"))
    ends = [row[key] for row in told["customers"] for key in ("diff_lo", "diff_hi")]
    least, most = min(lo, *ends), max(hi, *ends)
    row = {
        "scenario": told["scenario"],
        **{"predicted": mean, "lo": lo, "hi": hi, "plausible_lo": least, "plausible_hi": most},
        **{"true": true[0], "true_lo": true[1], "true_hi": true[2]},
        "sign": bool(np.sign(mean) == np.sign(true[0])),
        "close": abs(mean - true[0]) <= CLOSE * abs(true[0]),
        "inside": least <= true[0] <= most,
    }
    print(f"{row['scenario']}: predicted {mean:+,.0f}, true {true[0]:+,.0f}", file=sys.stderr)
    return row


def _asked(name: str, scenario: dict[str, Any], truth: Truth, unseen: str, episodes: int) -> Asked:
    """The scenario; of the new location it is told what a shop knows beforehand."""
    written = {"name": name, "horizon": HORIZON, "episodes": episodes, **scenario}
    if "new_location" in scenario:
        income = float(truth.demand.shop.income[truth.demand.locations.index(unseen)])
        written["new_location"] = {**scenario["new_location"], "attributes": {"income": income}}
    (asked,) = read_scenarios(written)
    return asked


def _opened(true: Market, asked: Asked, truth: Truth, unseen: str) -> Plan:
    """The true market with the location that the fit has not seen, on the terms of the scenario."""
    plan = asked.plan(true)
    customers = Namesake(truth.demand.select([unseen]), [NEW], true.items)
    demand = Joined(true.demand, customers, "locations")
    return replace(
        Plan.blank(replace(plan.market, demand=demand), plan.horizon, plan.start), notes=plan.notes
    )


def _show(result: dict[str, Any]) -> None:
    width = result["intervals"]
    print(
        f"5% cost rise, {result['episodes']} episodes: interval {width['paired']:,.0f} wide with the same"
        f" customers, {width['independent']:,.0f} with independent seeds, {width['narrower']:.1f} times"
    )
    print(f"{'profit per episode':<26}{'predicted':>12}{'95% interval':>26}{'true':>12}{'of true':>9}")
    for row in result["effects"]:
        ratio = row["predicted"] / row["true"]
        interval = f"{row['lo']:+,.0f} … {row['hi']:+,.0f}"
        marks = ", ".join(mark for mark in ("sign", "close", "inside") if row[mark])
        print(
            f"{row['scenario']:<26}{row['predicted']:>+12,.0f}{interval:>26}{row['true']:>+12,.0f}"
            f"{ratio:>9.2f}  {marks}"
        )


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
