"""How far the simulated market's level is off half a year ahead, in true markets, against an oracle's.

A market is fitted on 104 weeks of a true one; what it wants in the 26 weeks after, at the prices that were
then charged, is compared with what was wanted, also where stock ran out. The oracle is the true process from
its true state on: it knows all but the shocks that come. The same fit on the last 26 of those weeks tells
what little history costs.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from torch import Tensor

from mercato.envs.structural import FAMILIES, ROLES, Size, truth_folder
from mercato.envs.structural.truth import Truth
from mercato.forecasters.evaluation import Forecaster, anchored_to_forecast
from mercato.forecasters.evaluation.metrics import DECILES, scores
from mercato.forecasters.features import build_history
from mercato.forecasters.fit import fit_demand
from mercato.forecasters.market_model import build_features, forecast, observe, shipped
from mercato.forecasters.model import DemandModel
from mercato.forecasters.panel import SalesPanel, read_panel
from mercato.forecasters.response import history_effect
from mercato.forecasters.simulation import LearnedDemand, Period, sample_paths
from mercato.forecasters.tensors import NoiseKey

from ..tables.piece import Plan
from .panels import brief

LEVEL_FAMILIES = ("log-linear", "nested-logit", "attraction", "zone-season", "state-dependent")
SEEDS = (9301, 9302, 9303)
FITTED, AHEAD, SHORT = 104, (13, 26), 26
PATHS = 100


@dataclass(frozen=True)
class _True:
    """The true process, to be played at logged prices as a learned market is."""

    process: Any

    def reset(self, start: Tensor, key: NoiseKey) -> Any:
        return self.process.reset(start, key)

    def sample(self, state: Any, price: Tensor, key: NoiseKey, promo: Tensor) -> Tensor:
        return self.process.sample(state, price, key, promo[..., 0])

    def advance(self, state: Any, period: Period, key: NoiseKey, promo: Tensor) -> Any:
        return self.process.advance(state, period, key, promo[..., 0])


def measure(family: str, plan: Plan) -> dict[str, Any]:
    """Log ratios of units by model and periods ahead, a seed each; what a short fit finds and forecasts."""
    size = Size(4, 4, 130) if plan.quick else Size(12, 6, 130)
    seeds = SEEDS[:1] if plan.quick else SEEDS
    return {"family": family, "seeds": [_one(family, seed, size, plan) for seed in seeds]}


def _one(family: str, seed: int, size: Size, plan: Plan) -> dict[str, Any]:
    with TemporaryDirectory() as folder:
        table = FAMILIES[family].write(Path(folder) / "panel.parquet", seed, size)
        panel, truth = read_panel(table, roles=ROLES), Truth.load(truth_folder(table))
    truth = truth.select(panel.locations, panel.items)
    past = panel.window(0, FITTED)
    model = fit_demand(past, brief(plan), seed)
    anchored = anchored_to_forecast(model, past, Forecaster(shipped()), seed)
    demand = LearnedDemand.after(model, past).condition(panel, FITTED)
    length, history = max(AHEAD), demand.history
    simulated = {
        name: sample_paths(process, history, FITTED, length, PATHS, seed)
        for name, process in (
            ("step by step", demand),
            ("anchored", demand.with_bases(anchored)),
            ("oracle", _True(truth.demand)),
        )
    }
    seen = observe(panel, FITTED, _effect(model, panel, FITTED))
    rows, units = seen.scored[FITTED:], seen.units[FITTED:]
    listed, wanted = (x[FITTED:].numpy() for x in (truth.listed, truth.history.demand))
    off = {
        name: {
            str(ahead): float(np.log((paths.mean(0) * listed)[:ahead].sum() / wanted[:ahead].sum()))
            for ahead in AHEAD
        }
        for name, paths in simulated.items()
    }
    spread = {
        name: float(np.mean(np.quantile(paths, 0.9, 0)[rows] - np.quantile(paths, 0.1, 0)[rows]))
        for name, paths in simulated.items()
    }
    zeros = {name: float((paths <= 0).mean(0)[rows].mean()) for name, paths in simulated.items()}
    zeros["sold"] = float((units[rows] <= 0).mean())
    return {
        "seed": seed,
        "anchored": anchored.anchor is not None,
        "off": off,
        "width": spread,
        "zeros": zeros,
        "short": _short(panel, model, truth, seed, plan),
    }


def _short(panel: SalesPanel, whole: DemandModel, truth: Truth, seed: int, plan: Plan) -> dict[str, Any]:
    """Elasticities by item of both fits, and forecasts of the next eight weeks from 26 weeks of history."""
    late = panel.window(FITTED - SHORT, FITTED + 8)
    past = late.window(0, SHORT)
    model = fit_demand(past, brief(plan), seed)
    true = truth.demand.own().mean(0).numpy()
    errors = {
        str(weeks): float(np.abs(one.response.own.mean(0).numpy() - true).mean())
        for weeks, one in ((SHORT, model), (FITTED, whole))
    }
    seen = observe(late, SHORT, _effect(model, late, SHORT))
    features = build_features(seen, SHORT, [SHORT])
    told = forecast(shipped().network, seen, features, SHORT, 8)
    demand = LearnedDemand.after(model, past).condition(late, SHORT)
    paths = sample_paths(demand, demand.history, SHORT, 8, PATHS, seed)
    scratch = np.moveaxis(np.quantile(paths, DECILES, axis=0), 0, -1)
    rows = seen.scored[SHORT:]
    units = seen.units[SHORT:][rows]
    wql = {name: scores(units, x[rows])["wql"] for name, x in (("zero-shot", told), ("scratch", scratch))}
    return {"elasticity_error": errors, "wql": wql}


def _effect(model: DemandModel, panel: SalesPanel, fitted: int) -> np.ndarray:
    return history_effect(build_history(panel, fitted), model.response).double().numpy()


def table(rows: list[dict[str, Any]]) -> str:
    """As Markdown."""
    out = [
        "| true market | level 13 periods ahead off by: step by step, anchored, oracle | 26 ahead |"
        " anchored / oracle | 80% width: anchored, oracle | no sales: anchored, oracle, sold |"
        " elasticity off: 26 weeks, 104 | WQL from 26 weeks: zero-shot, scratch |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        seeds = row["seeds"]

        def size(name: str, ahead: int, seeds: list[Any] = seeds) -> float:
            return float(np.sqrt(np.mean([one["off"][name][str(ahead)] ** 2 for one in seeds])))

        def mean(*keys: str, seeds: list[Any] = seeds) -> float:
            values = []
            for one in seeds:
                for key in keys:
                    one = one[key]
                values.append(one)
            return float(np.mean(values))

        names = ("step by step", "anchored", "oracle")
        near, far = (", ".join(f"{size(name, ahead):.1%}" for name in names) for ahead in AHEAD)
        ratio = ", ".join(f"{size('anchored', ahead) / size('oracle', ahead):.2f}" for ahead in AHEAD)
        width = ", ".join(f"{mean('width', name):.1f}" for name in names[1:])
        zeros = ", ".join(f"{mean('zeros', name):.3f}" for name in (*names[1:], "sold"))
        error = ", ".join(f"{mean('short', 'elasticity_error', str(n)):.3f}" for n in (SHORT, FITTED))
        wql = ", ".join(f"{mean('short', 'wql', name):.3f}" for name in ("zero-shot", "scratch"))
        out.append(f"| {row['family']} | {near} | {far} | {ratio} | {width} | {zeros} | {error} | {wql} |")
    return "\n".join(out)
