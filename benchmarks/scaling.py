"""What more pre-training would give: ``python -m benchmarks.scaling``.

Market models of several sizes, trained on fewer markets than the shipped one, each with its learning rate
falling to nothing at its end. Their loss on drawn markets that none has seen, and their forecasts of a real
panel, orange juice, as they are. A power law through the losses (Kaplan et al. 2020, arXiv 2001.08361,
eq. 1.5, with a floor) says what ten times as much would give.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from mercato.forecasters.evaluation.metrics import scores
from mercato.forecasters.market_model import (
    MarketNetwork,
    PretrainingSettings,
    build_features,
    forecast,
    observe,
    pretrain,
    shipped,
)
from mercato.forecasters.market_model.pretraining import drawn_lesson

from .forecasts.panels import PANELS, WINDOWS, panel_of
from .record import resumed, write_result
from .tables.piece import Plan, Skip

STEPS, WIDTHS = (45, 450), (8, 24, 48)  # of the shipped size; of the networks that take 450 steps
_SEED, _HELD_OUT, _MARKETS = 0, 990_001, 200
_SHIPPED = "shipped"


def measure(piece: str, plan: Plan) -> dict[str, Any]:
    """Weights, markets seen, loss on drawn markets and weighted quantile loss on orange juice."""
    began = time.perf_counter()
    if piece == _SHIPPED:
        model = shipped()
    else:
        width, steps = map(int, piece.split(" x "))
        settings = replace(PretrainingSettings(), width=width, steps=steps, warm_up=min(100, steps // 4))
        with TemporaryDirectory() as folder:
            model = pretrain(Path(folder) / "model.safetensors", _SEED, settings)
    seconds, kept = time.perf_counter() - began, model.recipe["settings"]
    return {
        "weights": sum(p.numel() for p in model.network.parameters()),
        "width": kept["width"],
        "markets": kept["steps"] * kept["batch"],
        "seconds": None if piece == _SHIPPED else seconds,
        "loss": _drawn_loss(model.network, 20 if plan.quick else _MARKETS),
        "orange_juice": _orange_juice(model.network, plan),
    }


@torch.no_grad()
def _drawn_loss(network: MarketNetwork, markets: int) -> float:
    lessons = (drawn_lesson(_HELD_OUT, number, PretrainingSettings()) for number in range(markets))
    return float(np.mean([float(one.loss(network)) for one in lessons]))


def _orange_juice(network: MarketNetwork, plan: Plan) -> float | None:
    try:
        panel = panel_of("orange-juice", plan)
    except Skip:
        return None
    horizon = PANELS["orange-juice"]
    first = panel.periods - WINDOWS * horizon
    origins = [first + k * horizon for k in range(WINDOWS)]
    seen = observe(panel, first)
    features, rows = build_features(seen, first, origins), seen.scored[first:]
    told = np.concatenate([forecast(network, seen, features, origin, horizon) for origin in origins])
    return scores(seen.units[first:][rows], told[rows])["wql"]


def _floor_and_slope(amount: np.ndarray, loss: np.ndarray) -> tuple[float, float, float]:
    """(floor, factor, power) of loss ≈ floor + factor · amount^−power: least squares in logs, by grid."""
    best = (np.inf, 0.0, 0.0, 0.0)
    for floor in np.linspace(0, loss.min() * 0.999, 200):
        slope, cut = np.polyfit(np.log(amount), np.log(loss - floor), 1)
        missed = float(((np.log(loss - floor) - cut - slope * np.log(amount)) ** 2).sum())
        if missed < best[0]:
            best = (missed, float(floor), float(np.exp(cut)), float(-slope))
    return best[1:]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="the result as JSON on standard output")
    parser.add_argument("--quick", action="store_true", help="tiny trainings, in three minutes; not kept")
    parser.add_argument("--shared", type=Path, default=Path("../shared"), help="folder whose data/ has more")
    asked = parser.parse_args()
    plan = Plan(quick=asked.quick, shared=asked.shared)
    whole = PretrainingSettings().width
    pieces = [_SHIPPED, *(f"{whole} x {n}" for n in STEPS), *(f"{w} x {STEPS[-1]}" for w in WIDTHS)]
    if asked.quick:
        pieces = [_SHIPPED, "8 x 8", "16 x 8", "8 x 32"]

    def one_by_one(names: list[str]) -> Iterator[dict[str, Any]]:
        for name in names:
            row = measure(name, plan)
            print(f"{name}: loss {row['loss']:.4f}, orange juice {row['orange_juice']}", file=sys.stderr)
            yield row

    found = dict(resumed(f"scaling{'-quick' if asked.quick else ''}", pieces, one_by_one))
    result: dict[str, Any] = {"models": found}
    if not asked.quick:
        deep = [row for row in found.values() if row["width"] == whole]
        amount, loss = (np.array([float(row[key]) for row in deep]) for key in ("markets", "loss"))
        floor, factor, power = _floor_and_slope(amount, loss)
        more = floor + factor * (10 * amount.max()) ** -power
        result["markets"] = {"floor": floor, "power": power, "ten_times_as_many": more}
        print(f"wrote {write_result('scaling', result)}", file=sys.stderr)
    print(json.dumps(result) if asked.json else _table(result))


def _table(result: dict[str, Any]) -> str:
    out = [
        "| weights | markets seen | loss of drawn markets | orange juice, WQL | seconds |",
        "|---|---|---|---|---|",
    ]
    for row in sorted(result["models"].values(), key=lambda row: (row["weights"], row["markets"])):
        juice = "–" if row["orange_juice"] is None else f"{row['orange_juice']:.4f}"
        seconds = "" if row["seconds"] is None else f"{row['seconds']:,.0f}"
        out.append(f"| {row['weights']:,} | {row['markets']:,} | {row['loss']:.4f} | {juice} | {seconds} |")
    if "markets" in result:
        out.append(
            f"\nTen times as many markets, by the power law: {result['markets']['ten_times_as_many']:.4f}."
        )
    return "\n".join(out)


if __name__ == "__main__":
    main()
