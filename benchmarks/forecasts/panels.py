"""Every forecaster on the same rows of a panel: mercato's members, their mean, and a tuned peer."""

from __future__ import annotations

from typing import Any

import numpy as np

from mercato.agents.evaluation import bootstrap
from mercato.envs.structural import FAMILIES, ROLES, Size
from mercato.forecasters.evaluation import OURS, Backtest, Forecaster, run_backtest, with_forecast, with_peers
from mercato.forecasters.evaluation.backtest import WITHOUT
from mercato.forecasters.evaluation.metrics import DECILES
from mercato.forecasters.market_model import shipped
from mercato.forecasters.model import FitSettings
from mercato.forecasters.network import TrainingSettings
from mercato.forecasters.panel import SalesPanel, read_panel

from ..tables.at_hand import PANELS as AT_HAND
from ..tables.piece import Plan, Skip

WINDOWS, ITEMS = 3, 200
PANELS = {"orange-juice": 8, "ta-feng": 7, "FreshRetailNet": 7, "zone-season": 8, "attraction": 8}
"""Name and periods of a window."""
SEED = 9301  # of the true markets


def panel_of(name: str, plan: Plan) -> SalesPanel:
    """Raises Skip where a panel is not at hand."""
    if name in FAMILIES:
        frame, _ = FAMILIES[name].make(SEED, Size(4, 4, 80) if plan.quick else Size(20, 10, 130))
        return read_panel(frame, roles=ROLES)
    panel = AT_HAND["FreshRetailNet, hours of 16" if name == "FreshRetailNet" else name](plan)
    total = np.zeros(len(panel.items))
    np.add.at(total, panel.series[:, 1], np.nan_to_num(panel.units).sum(0))
    best = np.sort(np.argsort(-total, kind="stable")[:ITEMS])
    return panel.select(panel.locations, [panel.items[item] for item in best])


def brief(plan: Plan) -> FitSettings | None:
    """Settings of a fit."""
    return FitSettings(training=TrainingSettings(steps=30)) if plan.quick else None


def measure(name: str, plan: Plan) -> dict[str, Any]:
    """Scores by model, and what the market model adds."""
    try:
        panel = panel_of(name, plan)
    except Skip as why:
        return {"panel": name, "skipped": str(why)}
    horizon, settings = PANELS[name], brief(plan)
    found = run_backtest(panel, horizon, WINDOWS, settings=settings, forecaster=Forecaster(shipped()))
    found = with_forecast(found, panel, horizon, WINDOWS, settings=settings)
    found = with_peers(found, panel, horizon, WINDOWS)
    return {
        "panel": name,
        "size": [len(panel.locations), len(panel.items), panel.periods],
        "horizon": horizon,
        "models": found.models,
        "weights": found.stack.weights if found.stack else None,
        "spread": found.stack.spread if found.stack else None,
        "market_model_adds": _added(panel, found, horizon),
    }


def _added(panel: SalesPanel, found: Backtest, horizon: int) -> dict[str, float]:
    """Share of pinball loss that mercato's forecast has less than the same without it, 95% interval."""
    units = np.nan_to_num(panel.units[found.first :])
    lost = {}
    for name in (OURS, WITHOUT):
        miss = units[..., None] - found.deciles[name]
        levels = np.array(DECILES)
        pinball = np.maximum(levels * miss, (levels - 1) * miss).mean(-1) * found.rows
        lost[name] = pinball.reshape(-1, horizon, pinball.shape[1]).sum(1).reshape(-1)  # window × series
    mean, low, high = bootstrap(lost[WITHOUT] - lost[OURS], seed=0)
    whole = float(lost[WITHOUT].mean())
    return {"mean": mean / whole, "lo": low / whole, "hi": high / whole}


def table(rows: list[dict[str, Any]]) -> str:
    """As Markdown."""
    out = ["| panel | model | WQL | WAPE | WPE | 80% covers | PIT off by |", "|---|---|---|---|---|---|---|"]
    for row in rows:
        if "skipped" in row:
            out.append(f"| {row['panel']} | skipped: {row['skipped']} | | | | | |")
            continue
        shown = row["panel"]
        for name, score in sorted(row["models"].items(), key=lambda pair: pair[1]["wql"]):
            figures = [f"{score['wql']:.4f}", f"{score['wape']:.1%}", f"{score['wpe']:+.1%}"]
            figures += [
                f"{score['coverage80']:.1%}",
                f"{score['pit_distance']:.3f}" if "pit_distance" in score else "",
            ]
            out.append(f"| {shown} | {name} | {' | '.join(figures)} |")
            shown = ""
        less = "{mean:.1%} [{lo:.1%}, {hi:.1%}]".format(**row["market_model_adds"])
        out.append(f"| | *the market model takes off* | {less} | | | | |")
    return "\n".join(out)
