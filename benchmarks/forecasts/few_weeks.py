"""What a market model is worth where there are eight weeks alone.

As it is, adapted (all weights, products of rank two, or a prompt), and a network of the same size that was
not pre-trained. What an adaptation has forgotten shows in its loss on drawn markets.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from mercato.forecasters.evaluation.metrics import scores
from mercato.forecasters.market_model import (
    AdaptationSettings,
    LowRank,
    MarketModel,
    MarketNetwork,
    PretrainingSettings,
    Prompt,
    Whole,
    adapted,
    build_features,
    forecast,
    observe,
    shipped,
)
from mercato.forecasters.market_model.pretraining import drawn_lesson

from ..tables.piece import Plan, Skip
from .panels import PANELS, WINDOWS, panel_of

WEEKS = 8
_HELD_OUT, _MARKETS = 990_001, 60  # seed and number of drawn markets that nothing is trained on


def measure(name: str, plan: Plan) -> dict[str, Any]:
    """Scores of market models that see the last weeks before the first window alone."""
    try:
        panel = panel_of(name, plan)
    except Skip as why:
        return {"panel": name, "skipped": str(why)}
    horizon, first = PANELS[name], panel.periods - PANELS[name] * WINDOWS
    fitted = WEEKS * (7 if horizon == 7 else 1)
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
        "rank 2": (start, AdaptationSettings(steps=steps, way=LowRank(2))),
        "prompt of 8": (start, AdaptationSettings(steps=steps, way=Prompt(8))),
        "not pre-trained": (new, AdaptationSettings(steps=2 * steps, way=Whole(1.5e-3))),
    }
    rows, units, models = seen.scored[fitted:], seen.units[fitted:], {}
    for way, (model, settings) in ways.items():
        network = model.network
        if settings is not None:
            network = adapted(model, past, fitted, horizon, settings=settings)
        told = np.concatenate([forecast(network, seen, features, origin, horizon) for origin in origins])
        moving = sum(p.numel() for p in network.parameters() if p.requires_grad) if settings else 0
        models[way] = {**scores(units[rows], told[rows]), "weights": moving, "drawn": _drawn_loss(network)}
    return {"panel": name, "weeks": WEEKS, "horizon": horizon, "models": models}


@torch.no_grad()
def _drawn_loss(network: MarketNetwork) -> float:
    """On drawn markets that no training has seen: what was forgotten of them, where it has grown."""
    lessons = [drawn_lesson(_HELD_OUT, number, PretrainingSettings()) for number in range(_MARKETS)]
    return float(np.mean([float(one.loss(network)) for one in lessons]))


def table(rows: list[dict[str, Any]]) -> str:
    """As Markdown."""
    out = [
        "| panel, 8 weeks of history | market model | WQL | weights that moved | loss of drawn markets |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        for way, score in row.get("models", {}).items():
            figures = f"{score['wql']:.4f} | {score['weights']:,} | {score['drawn']:.4f}"
            out.append(f"| {row['panel']} | {way} | {figures} |")
    return "\n".join(out)
