"""Cost of a forecast and of a decision on one core of a CPU: ``python -m benchmarks.inference``.

The shipped market model in torch and in ONNX Runtime (extra ``onnx``), in float32, bfloat16 and int8: time of
the network for a shop and for chains, and errors on orange juice, three windows of eight weeks, without an
adaptation and without the identified effect. Then what a forecast costs beside the network, and what
``decide`` costs. Times are processor time, medians of turns that the ways take one after the other, so that
what else runs on the machine is not counted.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from copy import deepcopy
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mercato.agents.baselines.myopic import MyopicPrice
from mercato.agents.baselines.orders import BaseStock
from mercato.agents.policy import Pair
from mercato.app.decisions import decide
from mercato.forecasters.errors import InputError
from mercato.forecasters.evaluation.metrics import scores
from mercato.forecasters.market_model import MarketNetwork, build_features, forecast, observe, shipped
from mercato.forecasters.market_model.any_size import AnySize
from mercato.forecasters.market_model.export import OnnxNetwork, export_model
from mercato.forecasters.market_model.model import at_once
from mercato.forecasters.panel import SalesPanel

from .forecasts.panels import PANELS, WINDOWS, panel_of
from .record import write_result
from .speed.markets import untrained, without_stock_outs
from .speed.timing import threads
from .tables.piece import Plan, Skip

PLAIN, PANEL = "torch, float32", "orange-juice"
SIZES = {
    "1 × 11, 1 period": (1, 1, 11),
    "1 × 11, 8 periods": (8, 1, 11),
    "83 × 11, 8 periods": (8, 83, 11),
    "200 × 100, 1 period": (1, 200, 100),
}
"""Periods, locations and items."""
DECISIONS = {"1 × 11": (1, 11), "83 × 11": (83, 11)}


class Bfloat16(nn.Module):
    """A network whose matrix products are of 16 bits."""

    def __init__(self, network: MarketNetwork):
        super().__init__()
        self.network = network

    def forward(self, features: Tensor, listed: Tensor | None = None) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            told: Tensor = self.network(features, listed)
        return told.float()


class Int8(nn.Module):
    """A network whose linear layers torch quantises dynamically."""

    def __init__(self, network: MarketNetwork):
        super().__init__()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch.ao is deprecated
            self.network = torch.ao.quantization.quantize_dynamic(
                AnySize(deepcopy(network)).eval(), {nn.Linear}, torch.qint8
            )

    def forward(self, features: Tensor, listed: Tensor | None = None) -> Tensor:
        there = torch.ones(features.shape[:-1], dtype=torch.bool) if listed is None else listed
        told: Tensor = self.network(features, there)
        return told


def ways_of(folder: Path) -> dict[str, nn.Module]:
    """Networks that give the deciles, by name; those of ONNX where the extra is."""
    model = shipped()
    ways: dict[str, nn.Module] = {
        PLAIN: model.network,
        "torch, bfloat16": Bfloat16(model.network),
        "torch, int8": Int8(model.network),
    }
    for precision in ("float32", "int8"):
        path = folder / f"{precision}.onnx"
        try:
            export_model(model, path, int8=precision == "int8")
        except InputError as why:
            print(why, file=sys.stderr)
            break
        ways[f"ONNX, {precision}"] = OnnxNetwork(path, threads=1)
    return ways


@torch.inference_mode()
def network_times(ways: Mapping[str, nn.Module], size: tuple[int, int, int], turns: int) -> dict[str, float]:
    """Processor seconds of the deciles of all periods, as many at once as a forecast takes."""
    features = torch.randn(*size, shipped().network.settings.features, generator=torch.Generator())
    parts = features.split(at_once(size[1] * size[2]))

    def work(network: nn.Module) -> Callable[[], object]:
        return lambda: [network(part) for part in parts]

    return seconds({name: work(network) for name, network in ways.items()}, turns)


def errors(ways: Mapping[str, nn.Module], panel: SalesPanel) -> dict[str, float]:
    """WQL of each."""
    horizon, first = PANELS[PANEL], panel.periods - WINDOWS * PANELS[PANEL]
    seen = observe(panel, first)
    origins = [first + k * horizon for k in range(WINDOWS)]
    features = build_features(seen, first, origins)
    rows, units = seen.scored[first:], seen.units[first:]
    told = {
        name: np.concatenate([forecast(network, seen, features, origin, horizon) for origin in origins])
        for name, network in ways.items()
    }
    return {name: scores(units[rows], deciles[rows])["wql"] for name, deciles in told.items()}


def stages(panel: SalesPanel, turns: int) -> dict[str, float]:
    """Processor seconds of the parts of one forecast of eight periods."""
    horizon, network = PANELS[PANEL], shipped().network
    first = panel.periods - horizon
    seen = observe(panel, first)
    features = build_features(seen, first, [first])
    return seconds(
        {
            "reading the panel": lambda: observe(panel, first),
            "features": lambda: build_features(seen, first, [first]),
            "network": lambda: forecast(network, seen, features, first, horizon),
        },
        turns,
    )


def decision(places: int, goods: int, turns: int) -> float:
    """Processor seconds of one ``decide``: myopic prices, base-stock orders, a market of random weights."""
    market, panel = untrained(places, goods), without_stock_outs(places, goods)
    policy = Pair("myopic price, base-stock", MyopicPrice(), BaseStock())
    return seconds({"decide": lambda: decide(market, policy, panel, None, None, 0)}, turns)["decide"]


def seconds(cases: Mapping[str, Callable[[], object]], turns: int) -> dict[str, float]:
    """Median processor seconds of a call of each."""
    spent: dict[str, list[float]] = {name: [] for name in cases}
    for turn in range(turns + 1):
        for name, run in cases.items():
            began = time.process_time()
            run()
            if turn:  # the first call warms up
                spent[name].append(time.process_time() - began)
    return {name: median(found) for name, found in spent.items()}


def measure(plan: Plan) -> dict[str, Any]:
    """The whole result."""
    few, many = (2, 5) if plan.quick else (5, 200)
    sizes = dict(list(SIZES.items())[:3]) if plan.quick else SIZES
    with TemporaryDirectory() as scratch, threads(1):
        ways = ways_of(Path(scratch))
        result: dict[str, Any] = {
            "decide": {name: decision(*size, few) for name, size in DECISIONS.items()},
            "network": {
                name: network_times(ways, size, many if size[1] == 1 else few) for name, size in sizes.items()
            },
        }
        try:
            panel = panel_of(PANEL, plan)
        except Skip as why:
            result["skipped"] = str(why)
        else:
            result["wql"] = errors(ways, panel)
            shop = panel.select(panel.locations[:1], panel.items)
            result["stages"] = {"a shop": stages(shop, few), "the chain": stages(panel, few)}
    return result


def tables(result: dict[str, Any]) -> list[str]:
    """As they are printed."""
    times, wql = result["network"], result.get("wql", {})
    out = [f"| network | {' | '.join(times)} | WQL |", f"|---|{'---|' * len(times)}---|"]
    for way in next(iter(times.values())):
        cells = [f"{_long(found[way])} ({found[PLAIN] / found[way]:.2f} ×)" for found in times.values()]
        error = f"{wql[way]:.4f} ({wql[way] / wql[PLAIN] - 1:+.2%})" if wql else "–"
        out.append(f"| {way} | {' | '.join(cells)} | {error} |")
    rest = ["| forecast of 8 periods, torch, float32 | time |", "|---|---|"]
    for whose, parts in result.get("stages", {}).items():
        rest += [f"| {whose}: {part} | {_long(spent)} |" for part, spent in parts.items()]
    rest += [f"| `decide`, {name} | {_long(spent)} |" for name, spent in result["decide"].items()]
    return ["\n".join(out), "\n".join(rest)]


def _long(spent: float) -> str:
    return f"{spent * 1e3:.3g} ms" if spent < 1 else f"{spent:.2f} s"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="the result as JSON on standard output")
    parser.add_argument("--quick", action="store_true", help="fewer turns and sizes, small panel; not kept")
    asked = parser.parse_args()
    result = measure(Plan(quick=asked.quick, shared=Path("../shared")))
    if not asked.quick:
        print(f"wrote {write_result('inference', result)}", file=sys.stderr)
    print(json.dumps(result) if asked.json else "\n\n".join(tables(result)))


if __name__ == "__main__":
    main()
