"""What showing and telling do, in true markets whose truth is planted (``envs.structural.addressed``).

In the first a recommender shows customers what they like, more often the more they like it, so that whoever
is shown an item buys more of it anyway; the log has the chances, and keeps what was held back by the same
coin. In the second friends are alike in how much they buy, and word of mouth does nothing.
"""

from __future__ import annotations

import numpy as np

from mercato.envs.structural import FAMILIES, Size, Truth, effect_of_showing, receipts
from mercato.forecasters.customers.contagion import LIKENESS, word_of_mouth
from mercato.forecasters.customers.exposure import exposure_effect
from mercato.forecasters.events import Events, read_events

from ..tables.piece import Figure, Found, Plan

SIZE = Size(2, 12, 26)
EFFECT = 1.4  # times as much that a visitor likes what is shown in ``shown-customers``


def log(family: str, seed: int) -> tuple[Events, Truth]:
    """What customers of a family did, and the truth of it."""
    _, truth = FAMILIES[family].make(seed, SIZE)
    return read_events(receipts(truth, seed)), truth


def exposure(plan: Plan) -> Found:
    """Row 7: how often the 90% interval covers a planted effect, and how far the naive ratio is off."""
    logs = 20 if plan.quick else 100
    found, true = [], []
    for seed in range(logs):
        events, truth = log("shown-customers", seed)
        found.append(exposure_effect(events, np.timedelta64(1, "D")))
        true.append(effect_of_showing(truth, seed))
    ends = [one.interval() for one in found]
    covers = float(np.mean([low < is_true < high for (low, high), is_true in zip(ends, true, strict=True)]))
    means = {name: np.exp(np.mean([getattr(one, name) for one in found])) for name in ("mean", "naive")}
    figures = [
        Figure(
            "90% interval of a planted effect covers", f"{covers:.0%} of {logs} logs", "≥ 85%", covers >= 0.85
        ),
        Figure(f"estimated, tastes × {EFFECT} planted", f"{means['mean']:.3f} (true {np.mean(true):.3f})"),
        Figure("without regard to who was chosen", f"{means['naive']:.3f}"),
    ]
    return Found(figures, {"means": [one.mean for one in found], "errors": [one.sd for one in found]})


def likeness(plan: Plan) -> Found:
    """Row 8: what is said of word of mouth where friends are merely alike."""
    said = {word_of_mouth(log("alike-customers", seed)[0]).because for seed in range(2 if plan.quick else 10)}
    figure = Figure(
        "word of mouth where friends are alike", "; ".join(sorted(said)), "cannot tell", said == {LIKENESS}
    )
    return Found([figure])
