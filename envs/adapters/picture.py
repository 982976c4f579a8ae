"""A picture of an episode so far: prices, demand, stock and profit over its periods, whole market."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from torch import Tensor

from ...forecasters.errors import InputError
from ..engine.rewards import accrued_profit, typical_revenue
from ..engine.types import Outcome, State
from ..market import Market

MODES = ("rgb_array",)
FPS = 4
NO_MODE = 'render() draws nothing: expected render_mode="rgb_array" when the environment is made.'
_SIZE, _DPI = (7.2, 5.4), 100  # inches and dots an inch: 720 × 540
_NAME = 60  # characters of the market's name
_INK, _GREY, _PRICE, _WANTED, _SOLD, _STOCK, _LOSS = (
    "#1f2328",
    "#6b7280",
    "#c2410c",
    "#9ca3af",
    "#0f766e",
    "#1d4ed8",
    "#be123c",
)
_STYLE: Any = {
    "text.parse_math": False,  # a name may hold dollar signs
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": _GREY,
    "xtick.color": _GREY,
    "ytick.color": _GREY,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "lines.linewidth": 1.6,
}


def known_mode(render_mode: str | None) -> str | None:
    """``render_mode``, where there is such a one.

    Raises:
        InputError: there is none.
    """
    if render_mode is not None and render_mode not in MODES:
        raise InputError(f"render_mode: expected None or 'rgb_array', found {render_mode!r:.60}")
    return render_mode


def drawn(before: State, outcome: Outcome, market: Market) -> dict[str, Tensor]:
    """What a picture shows of a period, each (B,): totals over the series, prices in multiples of reference.

    Profit is accrued, goods charged when they are sold: what is bought does not hide what is earned. Over an
    episode it adds up to the cash profit.
    """
    multiple = outcome.price / market.terms.reference_price
    weight = typical_revenue(market)
    return {
        "price": (multiple * weight).sum((1, 2)) / weight.sum(),
        "lowest": multiple.amin((1, 2)),
        "highest": multiple.amax((1, 2)),
        "demand": outcome.demand.sum((1, 2)),
        "sales": outcome.sales.sum((1, 2)),
        "stock": before.on_hand.sum((1, 2)),
        "on_order": before.pipeline.sum((1, 2, 3)),
        "profit": accrued_profit(outcome, market).sum((1, 2)),
    }


class Episode:
    """One market's episode as it is played, ready to be drawn."""

    def __init__(self, market: Market, horizon: int) -> None:
        self.name = market.name if len(market.name) <= _NAME else f"{market.name[:_NAME]} …"
        self.series = len(market.locations) * len(market.items)
        self.horizon = horizon
        self.periods: list[dict[str, float]] = []

    def begin(self) -> None:
        self.periods = []

    def add(self, period: dict[str, float]) -> None:
        """A period's ``drawn``, of this market."""
        self.periods.append(period)

    def picture(self) -> np.ndarray:
        """(540, 720, 3) uint8 RGB."""
        import matplotlib
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        with matplotlib.rc_context(_STYLE), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph .* missing from font")  # a name in any script
            canvas = FigureCanvasAgg(Figure(figsize=_SIZE, dpi=_DPI))
            self._draw(canvas.figure)
            canvas.draw()
        return np.asarray(canvas.buffer_rgba())[..., :3].copy()

    def _draw(self, figure: Any) -> None:
        lines = {
            name: np.array([period[name] for period in self.periods])
            for name in (self.periods[0] if self.periods else _EMPTY)
        }
        age = np.arange(1, len(self.periods) + 1)
        (price, demand), (stock, profit) = figure.subplots(2, 2, sharex=True)
        figure.subplots_adjust(left=0.075, right=0.985, bottom=0.085, top=0.88, wspace=0.16, hspace=0.2)
        figure.suptitle(
            f"{self.name}: {self.series} series, period {len(age)} of {self.horizon},"
            f" profit {lines['profit'].sum():,.0f}",
            x=0.015,
            ha="left",
            color=_INK,
            fontsize=11,
            fontweight="bold",
        )
        price.set_title("Price, × reference price")
        price.axhline(1.0, color=_GREY, linewidth=0.8, linestyle=":")
        price.fill_between(age, lines["lowest"], lines["highest"], color=_PRICE, alpha=0.15, linewidth=0)
        price.plot(age, lines["price"], color=_PRICE, marker=".", label="mean")
        price.fill_between([], [], [], color=_PRICE, alpha=0.15, linewidth=0, label="lowest to highest")
        demand.set_title("Demand, units")
        demand.plot(age, lines["demand"], color=_WANTED, marker=".", label="demand")
        demand.plot(age, lines["sales"], color=_SOLD, marker=".", label="sold")
        stock.set_title("Stock at decision, units")
        stock.plot(age, lines["stock"], color=_STOCK, marker=".", label="on hand")
        stock.plot(age, lines["on_order"], color=_STOCK, linestyle="--", linewidth=1.0, label="on order")
        profit.set_title("Profit a period, goods charged when sold")
        earned = np.where(lines["profit"] >= 0, _SOLD, _LOSS)
        profit.bar(age, lines["profit"], color=list(earned), width=0.8)
        profit.axhline(0.0, color=_GREY, linewidth=0.8)
        for axes in (price, demand, stock):
            axes.margins(y=0.25)  # room for the legend
            axes.legend(loc="upper left", ncols=2)
        for axes in (demand, stock):
            axes.set_ylim(bottom=0)
        for axes in (stock, profit):
            axes.set_xlabel("period of the episode")
        for axes in (price, demand, stock, profit):
            axes.set_xlim(0.4, self.horizon + 0.6)
            if not self.periods:
                axes.set_yticks([])
            axes.xaxis.get_major_locator().set_params(integer=True)
            if axes is not price:
                axes.yaxis.set_major_formatter(_compact)


_EMPTY = ("price", "lowest", "highest", "demand", "sales", "stock", "on_order", "profit")


def _compact(value: float, _: int | None = None) -> str:
    """Axis numbers that stay short: 1.5M, 20k, 0.5."""
    for size, suffix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{suffix}".replace("-", "−")
    return f"{value:.3g}".replace("-", "−")
