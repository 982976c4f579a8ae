"""Forecasts against peers on the same rows: ``python -m benchmarks.forecast``.

Three windows at the end of each panel, fitted once on what precedes the first; prices, promotions and other
columns that are known ahead are given to all. Panels are public ones, none of which the market model was
trained on, and a true market. The peer is LightGBM, tuned on the window before (extra ``peers``). What the
Transformers add is the difference between mercato's forecast and the part of it that has none of the market
model's, by pairs of window and series.

Then, on the public panels, what a market model is worth where there are eight weeks alone: as it is, adapted
(all weights, or products of rank two), and a network of the same size that was not pre-trained.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mercato.agents.evaluation import bootstrap
from mercato.envs.structural import FAMILIES, ROLES, Size
from mercato.forecasters.evaluation import OURS, Backtest, run_backtest, with_forecast
from mercato.forecasters.evaluation.members import INFORMED
from mercato.forecasters.evaluation.metrics import DECILES, scores
from mercato.forecasters.market_model import (
    AdaptationSettings,
    MarketModel,
    MarketNetwork,
    PretrainingSettings,
    adapted,
    build_features,
    forecast,
    observe,
    shipped,
)
from mercato.forecasters.market_model.pretraining import drawn_lesson
from mercato.forecasters.model import FitSettings
from mercato.forecasters.network import TrainingSettings
from mercato.forecasters.panel import SalesPanel, read_panel

from .peers.direct_trees import tuned_deciles
from .record import resumed, write_result
from .tables.at_hand import PANELS as AT_HAND
from .tables.piece import Plan, Skip

WINDOWS, ITEMS, FEW = 3, 200, 8
_HELD_OUT, _MARKETS = 990_001, 60  # seed and number of drawn markets that nothing is trained on
PEER = "LightGBM, tuned"
PANELS = {"orange-juice": 8, "ta-feng": 7, "FreshRetailNet": 7, "zone-season": 8, "attraction": 8}
"""Name and periods of a window."""
_FEW, _FEW_WEEKS = ("orange-juice", "ta-feng", "attraction"), "few weeks"
_SEED = 9301  # of the true markets


def panel_of(name: str, plan: Plan) -> SalesPanel:
    """Raises Skip where a panel is not at hand."""
    if name in FAMILIES:
        frame, _ = FAMILIES[name].make(_SEED, Size(4, 4, 80) if plan.quick else Size(20, 10, 130))
        return read_panel(frame, roles=ROLES)
    panel = AT_HAND["FreshRetailNet, hours of 16" if name == "FreshRetailNet" else name](plan)
    total = np.zeros(len(panel.items))
    np.add.at(total, panel.series[:, 1], np.nan_to_num(panel.units).sum(0))
    best = np.sort(np.argsort(-total, kind="stable")[:ITEMS])
    return panel.select(panel.locations, [panel.items[item] for item in best])


def one_panel(name: str, plan: Plan) -> dict[str, Any]:
    """Scores by model, and what the market model adds."""
    try:
        panel = panel_of(name, plan)
    except Skip as why:
        return {"panel": name, "skipped": str(why)}
    horizon = PANELS[name]
    brief = FitSettings(training=TrainingSettings(steps=30)) if plan.quick else None
    found = run_backtest(panel, horizon, WINDOWS, settings=brief)
    found = with_forecast(found, panel, horizon, WINDOWS, settings=brief)
    models = dict(found.models)
    try:
        models[PEER] = _peer(panel, found, horizon)
    except ImportError as why:
        print(f"{name}: {PEER} left out: {why}", file=sys.stderr)
    return {
        "panel": name,
        "size": [len(panel.locations), len(panel.items), panel.periods],
        "horizon": horizon,
        "models": models,
        "weights": found.stack.weights if found.stack else None,
        "spread": found.stack.spread if found.stack else None,
        "market_model_adds": _added(panel, found, horizon),
    }


def few_weeks(name: str, plan: Plan) -> dict[str, Any]:
    """Scores of market models that see the last weeks before the first window alone."""
    try:
        panel = panel_of(name, plan)
    except Skip as why:
        return {"panel": name, "skipped": str(why)}
    horizon, first = PANELS[name], panel.periods - PANELS[name] * WINDOWS
    fitted = FEW * (7 if horizon == 7 else 1)
    panel = panel.window(first - fitted, panel.periods)
    seen = observe(panel, fitted)
    past = observe(panel.window(0, fitted), fitted)
    origins = [fitted + k * horizon for k in range(WINDOWS)]
    features = build_features(seen, fitted, origins)
    start = shipped()
    torch.manual_seed(0)
    new = MarketModel(MarketNetwork(start.network.settings), {})
    steps = 30 if plan.quick else AdaptationSettings().steps
    ways: dict[str, tuple[MarketModel, AdaptationSettings | None]] = {
        "as it is": (start, None),
        "all weights": (start, AdaptationSettings(steps=steps)),
        "rank 2": (start, AdaptationSettings(steps=steps, rank=2)),
        "not pre-trained": (new, AdaptationSettings(steps=2 * steps, learning_rate=1.5e-3)),
    }
    rows, units, models = seen.scored[fitted:], seen.units[fitted:], {}
    for way, (model, settings) in ways.items():
        network = model.network
        if settings is not None:
            network = adapted(model, past, fitted, horizon, settings=settings)
        told = np.concatenate([forecast(network, seen, features, origin, horizon) for origin in origins])
        moving = sum(p.numel() for p in network.parameters() if p.requires_grad) if settings else 0
        models[way] = {**scores(units[rows], told[rows]), "weights": moving, "drawn": _drawn_loss(network)}
    return {"panel": name, "weeks": FEW, "horizon": horizon, "models": models}


@torch.no_grad()
def _drawn_loss(network: MarketNetwork) -> float:
    """On drawn markets that no training has seen: what was forgotten of them, where it has grown."""
    lessons = [drawn_lesson(_HELD_OUT, number, PretrainingSettings()) for number in range(_MARKETS)]
    return float(np.mean([float(one.loss(network)) for one in lessons]))


def _peer(panel: SalesPanel, found: Backtest, horizon: int) -> dict[str, float]:
    began, first = time.perf_counter(), found.first
    origins = [first + k * horizon for k in range(WINDOWS)]
    told = tuned_deciles(observe(panel, first), origins, horizon)
    place, item = panel.series.T
    units = panel.units[first:]
    told = told[:, place, item]
    return {**scores(units[found.rows], told[found.rows]), "seconds": time.perf_counter() - began}


def _added(panel: SalesPanel, found: Backtest, horizon: int) -> dict[str, float]:
    """Share of pinball loss that mercato's forecast has less than the simulated market's, 95% interval."""
    units = np.nan_to_num(panel.units[found.first :])
    lost = {}
    for name in (OURS, INFORMED):
        miss = units[..., None] - found.deciles[name]
        levels = np.array(DECILES)
        pinball = np.maximum(levels * miss, (levels - 1) * miss).mean(-1) * found.rows
        lost[name] = pinball.reshape(-1, horizon, pinball.shape[1]).sum(1).reshape(-1)  # window × series
    mean, low, high = bootstrap(lost[INFORMED] - lost[OURS], seed=0)
    whole = float(lost[INFORMED].mean())
    return {"mean": mean / whole, "lo": low / whole, "hi": high / whole}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="the result as JSON on standard output")
    parser.add_argument("--quick", action="store_true", help="small panels, in three minutes; not kept")
    parser.add_argument("--panels", nargs="+", choices=PANELS, help="some of them")
    parser.add_argument("--shared", type=Path, default=Path("../shared"), help="folder whose data/ has more")
    asked = parser.parse_args()
    names = asked.panels or list(_FEW if asked.quick else PANELS)
    plan = Plan(quick=asked.quick, shared=asked.shared)

    def measure(names: list[str]) -> Iterator[dict[str, Any]]:
        for piece in names:
            what, _, name = piece.partition(": ")
            row = (few_weeks if what == _FEW_WEEKS else one_panel)(name, plan)
            print(_line(row), file=sys.stderr, flush=True)
            yield row

    quick = "-quick" if asked.quick else ""
    few = [f"{_FEW_WEEKS}: {name}" for name in names if name not in FAMILIES]
    found = dict(resumed(f"forecast{quick}", [*(f"all: {name}" for name in names), *few], measure))
    result = {
        "windows": WINDOWS,
        "panels": [found[f"all: {name}"] for name in names],
        "few_weeks": [found[piece] for piece in few],
    }
    if not asked.quick:
        print(f"wrote {write_result('forecast', result)}", file=sys.stderr)
    tables = f"{_table(result['panels'])}\n\n{_few_table(result['few_weeks'])}"
    print(json.dumps(result) if asked.json else tables)


def _line(row: dict[str, Any]) -> str:
    if "skipped" in row:
        return f"{row['panel']}: skipped, {row['skipped']}"
    wql = ", ".join(f"{name} {score['wql']:.4f}" for name, score in row["models"].items())
    return f"{row['panel']}: WQL {wql}"


def _table(rows: list[dict[str, Any]]) -> str:
    out = ["| panel | model | WQL | WAPE | WPE | 80% covers |", "|---|---|---|---|---|---|"]
    for row in rows:
        if "skipped" in row:
            out.append(f"| {row['panel']} | skipped: {row['skipped']} | | | | |")
            continue
        shown = row["panel"]
        for name, score in sorted(row["models"].items(), key=lambda pair: pair[1]["wql"]):
            figures = (
                f"{score['wql']:.4f} | {score['wape']:.1%} | {score['wpe']:+.1%} | {score['coverage80']:.1%}"
            )
            out.append(f"| {shown} | {name} | {figures} |")
            shown = ""
        less = "{mean:.1%} [{lo:.1%}, {hi:.1%}]".format(**row["market_model_adds"])
        out.append(f"| | *the market model takes off* | {less} | | | |")
    return "\n".join(out)


def _few_table(rows: list[dict[str, Any]]) -> str:
    out = [
        "| panel, 8 weeks of history | market model | WQL | weights that moved | loss of drawn markets |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        for way, score in row.get("models", {}).items():
            figures = f"{score['wql']:.4f} | {score['weights']:,} | {score['drawn']:.4f}"
            out.append(f"| {row['panel']} | {way} | {figures} |")
    return "\n".join(out)


if __name__ == "__main__":
    main()
