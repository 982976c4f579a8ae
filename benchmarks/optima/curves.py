"""Learning curves: what validation says of a learner on its way, kept and drawn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import zip_longest
from math import ceil
from typing import Any, SupportsFloat

from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from mercato.app.report.drawing import drawn, legend, short

_COLUMNS = 2


class Curve:
    """A listener that keeps the gain over the starting policy in validation, after so many unit-periods."""

    def __init__(self) -> None:
        self.points: list[tuple[int, float]] = []

    @contextmanager
    def stage(self, name: str, total: int) -> Iterator[Curve]:
        yield self

    def advance(self, n: int = 1) -> None:
        pass

    def note(self, text: str) -> None:
        pass

    def curve(self, step: int, values: Mapping[str, SupportsFloat]) -> None:
        if (gain := values.get("validation/gain")) is not None:
            self.points.append((step, float(gain)))


def picture(problems: Mapping[str, Mapping[str, Any]], learners: Sequence[str]) -> str:
    """SVG: a panel a problem, a line a training."""
    names = list(problems)
    rows = ceil(len(names) / _COLUMNS)

    def draw(figure: Figure) -> None:
        panels = figure.subplots(rows, _COLUMNS, squeeze=False)
        for name, panel in zip_longest(names, panels.flat):
            if name is None:
                panel.set_axis_off()
                continue
            panel.set_title(name, fontsize=8)
            panel.axhline(0, color="0.6", linewidth=0.8)
            for number, learner in enumerate(learners):
                for place, run in enumerate(problems[name][learner]):
                    steps, gains = zip((0, 0.0), *run["curve"], strict=True)
                    label = learner if name == names[0] and place == 0 else None
                    panel.plot(steps, gains, color=f"C{number}", linewidth=0.9, label=label)
            panel.yaxis.set_major_formatter(PercentFormatter(1))
            panel.set_xlabel("unit-periods of training", fontsize=8)
            short(panel.xaxis)
        figure.supylabel("gain in validation", fontsize=8)
        legend(figure)

    return drawn(0.5 + 1.5 * rows, draw)
