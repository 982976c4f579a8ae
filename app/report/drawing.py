"""How the pictures of a report look: self-contained SVG text, small and single, to be read on a phone."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from .contents import Numbers
from .palette import GREY, INK
from .words import MINUS

_STYLE: Any = {
    "svg.fonttype": "none",  # text stays text: it can be selected, searched and read aloud
    "svg.hashsalt": "mercato",  # the same picture gives the same bytes
    "font.family": ["DejaVu Sans", "sans-serif"],  # comes with matplotlib, which measures text by it
    "text.parse_math": False,  # a name may hold dollar signs
    "font.size": 9,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "xtick.color": GREY,
    "ytick.color": GREY,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "lines.linewidth": 1.4,
}


def drawn(height: float, draw: Callable[[Figure], None]) -> str:
    """SVG of a figure 5 inches wide."""
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(5.0, height), layout="constrained")
        draw(figure)
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    told = re.sub(r"^.*?(?=<svg )", "", out.getvalue(), flags=re.DOTALL)
    # matplotlib names an area after its exact corners, whose last digits depend on what was drawn before
    for number, area in enumerate(re.findall(r'<clipPath id="(\w+)"', told)):
        told = told.replace(area, f"area{number}")
    return told


def array(values: Numbers) -> np.ndarray:
    """Numbers, NaN where there is none."""
    return np.array([np.nan if value is None else value for value in values], dtype=float)


def compact(value: float, _: int | None = None) -> str:
    """Axis numbers that stay short: 1.5M, 20k, 0.5."""
    for size, suffix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{suffix}".replace("-", MINUS)
    return f"{value:.3g}".replace("-", MINUS)


def short(axis: Any) -> None:
    """Axis numbers that stay short."""
    axis.set_major_formatter(FuncFormatter(compact))


def legend(figure: Figure, columns: int = 3) -> None:
    """What is drawn, below it."""
    figure.legend(loc="outside lower center", ncols=columns, columnspacing=1.2, handlelength=1.4)
