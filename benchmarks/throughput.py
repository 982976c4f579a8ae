"""Series-steps a second, in one run on one machine: ``python -m benchmarks.throughput``.

A series-step is one (location, item) decided and simulated for one period. Measured are the engine alone, the
engine with a Transformer in the loop beside the bare products that this takes, PPO and DQN end to end beside
stock Stable-Baselines3, other simulators that are installed (``pip install 'mercato[throughput]'``), growth
and peak memory; where there is a GPU, all of it there, too. What is compared takes turns; a rate is the
median of its turns, with the lowest and the highest.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from mercato.envs.market import Market
from mercato.envs.store import load_market
from mercato.forecasters.simulation.learned import LearnedDemand

from .record import write_result
from .speed.engine import engine_alone, with_transformer
from .speed.growth import by_markets, by_series
from .speed.learners import NOT_PLAYED, learner_rates
from .speed.markets import untrained
from .speed.memory import peaks
from .speed.peers import peers
from .speed.plan import REHEARSAL, Plan
from .speed.report import tables
from .speed.streaming import streamed
from .speed.timing import cores

NO_GPU = "no GPU on this machine: not measured"


class Bench:
    """All that is measured, by name, on one device."""

    def __init__(self, plan: Plan, folder: Path | None, device: str) -> None:
        self.plan, self.folder, self.device = plan, folder, device
        self.sections: dict[str, Callable[[], Any]] = {
            "engine": lambda: engine_alone(plan, device),
            "transformer": self._transformers,
            "learners": lambda: learner_rates(self.small, plan, device),
            "peers": lambda: peers(self.demo[0], plan),
            "growth by markets": lambda: by_markets(self.small, plan, device),
            "growth by series": lambda: by_series(plan, device),
            "streaming": lambda: streamed(self.small, plan, device),
            "memory": lambda: peaks(plan is REHEARSAL, device),
        }

    @cached_property
    def small(self) -> Market:
        return untrained(*self.plan.small)

    @cached_property
    def demo(self) -> tuple[Market, str]:
        return self.plan.demo() if self.folder is None else (load_market(self.folder), self.folder.name)

    def run(self, names: list[str]) -> dict[str, Any]:
        """The sections named, with the load of the machine before each."""
        found: dict[str, Any] = {"load": {}}
        for name in names:
            print(f"{self.device}: {name}", file=sys.stderr)
            found["load"][name] = os.getloadavg()[0]
            found[name] = self.sections[name]()
        return found

    def _transformers(self) -> list[dict[str, Any]]:
        market, name = self.demo
        about = {"demo": (market, f"demo's, {name}"), "small": (self.small, "small")}
        found = []
        for key, (one, said) in about.items():
            rows = with_transformer(one, said, self.plan, self.device)
            found += [{"market": key, **_facts(one), **row} for row in rows]
        return found


def _facts(market: Market) -> dict[str, Any]:
    demand = market.demand
    assert isinstance(demand, LearnedDemand)
    return {"shape": list(market.shape), "trunk": asdict(demand.model.settings.trunk)}


def measure(plan: Plan, folder: Path | None, names: list[str]) -> dict[str, Any]:
    """The whole result: the CPU's part and, where there is one, the GPU's."""
    bench = Bench(plan, folder, "cpu")
    result: dict[str, Any] = {
        "cores": cores(),
        "threads": plan.threads,
        "not played": NOT_PLAYED,
        "cpu": bench.run(names),
        "cuda": NO_GPU,
    }
    if torch.cuda.is_available():
        there = Bench(plan, folder, "cuda")
        there.demo = bench.demo
        result["gpu"] = torch.cuda.get_device_name()
        result["cuda"] = there.run([name for name in names if name != "peers"])
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="the result as JSON on standard output")
    parser.add_argument(
        "--market", type=Path, help="folder of the market that demo fitted; fitted where absent"
    )
    parser.add_argument("--quick", action="store_true", help="a rehearsal on small markets, not kept")
    parser.add_argument("--threads", type=int, default=cores(), help="of all but the engine alone and peers")
    sections = list(Bench(REHEARSAL, None, "cpu").sections)
    parser.add_argument("--only", choices=sections, nargs="+", help="some parts alone, printed and not kept")
    asked = parser.parse_args()
    plan = REHEARSAL if asked.quick else Plan(threads=asked.threads)
    result = measure(plan, asked.market, asked.only or sections)
    if not (asked.quick or asked.only):
        name = "throughput_gpu" if torch.cuda.is_available() else "throughput"
        print(f"wrote {write_result(name, result)}", file=sys.stderr)
    print(json.dumps(result) if asked.json else "\n\n".join(tables(result)))


if __name__ == "__main__":
    main()
