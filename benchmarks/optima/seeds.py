"""Several trainings of one learner: interquartile means over seeds and problems, with their intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import trim_mean

Run = Mapping[str, Any]  # of one training; "gap" is (mean, lower, upper), "seconds" of a processor

_RESAMPLES = 4000
_Z = 1.96


def interquartile(problems: Sequence[Sequence[Run]], seed: int = 0) -> tuple[float, float, float]:
    """Interquartile mean of what runs lose of the optimum, with its 95% interval by stratified bootstrap.

    Agarwal et al. 2021, "Deep reinforcement learning at the edge of the statistical precipice"
    (arXiv 2108.13264): the runs of each problem are drawn anew from its own. All runs of a problem meet the
    same customers, whose noise no other seed tells: it is added, once a problem.

    Args:
        problems: the runs of each.
    """
    rng = np.random.default_rng(seed)
    gaps = [np.array([run["gap"][0] for run in runs]) for runs in problems]
    errors = [np.mean([(run["gap"][2] - run["gap"][1]) / (2 * _Z) for run in runs]) for runs in problems]
    drawn = [
        rng.choice(gap, (_RESAMPLES, len(gap))) + error * rng.standard_normal((_RESAMPLES, 1))
        for gap, error in zip(gaps, errors, strict=True)
    ]
    means = trim_mean(np.concatenate(drawn, axis=1), 0.25, axis=1)
    low, high = np.quantile(means, (0.025, 0.975))
    return float(trim_mean(np.concatenate(gaps), 0.25)), float(low), float(high)


def table(problems: Mapping[str, Mapping[str, Any]], learners: Sequence[str]) -> str:
    """One row a family of problems and learner, in Markdown."""
    families: dict[str, list[Mapping[str, Any]]] = {}
    for name, row in problems.items():
        families.setdefault(name.partition("/")[0], []).append(row)
    lines = [
        "| family | learner | problems, trainings | interquartile mean | worst training | seconds |",
        "|---|---|---|---|---|---|",
    ]
    for family, rows in families.items():
        for learner in learners:
            trained = [row[learner] for row in rows]
            runs = [run for some in trained for run in some]
            fields = [
                family,
                learner,
                f"{len(trained)}, {len(runs)}",
                "{:.2%} [{:.2%}, {:.2%}]".format(*interquartile(trained)),
                f"{max(run['gap'][0] for run in runs):.2%}",
                f"{np.median([run['seconds'] for run in runs]):.0f}",
            ]
            lines.append(f"| {' | '.join(fields)} |")
    return "\n".join(lines)
