"""The report's pictures, as self-contained SVG text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate, pairwise
from operator import add, mul
from typing import Any

import matplotlib.dates as mdates
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

from .contents import Breakdown, Contents, Forecast, Interval, PolicyRow, Response, Trajectory
from .drawing import array, compact, drawn, legend, short
from .palette import ALARM, FAINT, GREY, INK, LEARNED, MODEL
from .words import MINUS


def forecast(part: Forecast, contents: Contents) -> str:
    """Observed units, and the forecast of the last periods with its 80% band."""

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        dates = np.array(part.dates, dtype="datetime64[D]")
        median = array(part.median)
        axes.plot(
            dates, array(part.units), color=INK, linewidth=1.0, marker=".", markersize=3, label="observed"
        )
        axes.fill_between(
            dates,
            array(part.lo),
            array(part.hi),
            color=MODEL,
            alpha=0.22,
            linewidth=0,
            label="80% of outcomes",
        )
        axes.plot(dates, median, color=MODEL, label="median forecast")
        begun = np.flatnonzero(np.isfinite(median))
        if begun.size:
            axes.axvline(dates[begun[0]], color=GREY, linewidth=0.8, linestyle=":")
        axes.set(title=part.title, ylabel=f"units sold per {contents.period}", ylim=(0, None))
        axes.xaxis.set_major_locator(mdates.AutoDateLocator(maxticks=6))
        axes.xaxis.set_major_formatter(mdates.ConciseDateFormatter(axes.xaxis.get_major_locator()))
        short(axes.yaxis)
        legend(figure)

    return drawn(2.6, draw)


def response(part: Response, contents: Contents) -> str:
    """Expected units over price; faint where no price was ever charged."""

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        price, low, high = np.array(part.price), *part.support
        axes.axvspan(low, high, color=FAINT, alpha=0.45, linewidth=0, label="supported prices")
        axes.fill_between(
            price, part.lo, part.hi, color=MODEL, alpha=0.22, linewidth=0, label="elasticity's 90%"
        )
        inside = (price >= low) & (price <= high)
        axes.plot(price, part.units, color=MODEL, linewidth=1.0, linestyle="--")
        axes.plot(
            price[inside], np.array(part.units)[inside], color=MODEL, linewidth=2, label="expected units"
        )
        axes.axvline(part.reference, color=GREY, linewidth=0.8, linestyle=":")
        axes.plot(
            part.observed,
            np.zeros(len(part.observed)),
            "|",
            color=INK,
            alpha=0.35,
            markersize=9,
            clip_on=False,
        )
        axes.set(
            title=part.title,
            xlabel=f"price ({contents.currency} per unit); ticks: prices charged, dotted: reference price",
            ylabel=f"units per {contents.period}",
            ylim=(0, 1.25 * max(np.array(part.hi)[inside], default=1.0)),
        )
        short(axes.yaxis)
        legend(figure)

    return drawn(2.7, draw)


def profits(contents: Contents) -> str:
    """Profit of every policy with its 95% interval, best on top."""
    rows = sorted(contents.policies, key=lambda row: row.profit.mean)
    label = f"profit per episode of {contents.horizon} {contents.period}s ({contents.currency}), 95% interval"
    return _dots(rows, [row.profit for row in rows], label, zero=False)


def differences(contents: Contents) -> str:
    """Paired difference of profit from the best baseline with its 95% interval."""
    rows = sorted(
        (row for row in contents.policies if row.versus_baseline is not None), key=lambda row: row.profit.mean
    )
    label = f"profit less that of {contents.headline.baseline} ({contents.currency}), paired, 95% interval"
    return _dots(rows, [row.versus_baseline for row in rows if row.versus_baseline], label, zero=True)


def _dots(rows: Sequence[PolicyRow], values: Sequence[Interval], label: str, *, zero: bool) -> str:
    least = _least([value.mean for value in values])

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        for height, (row, value) in enumerate(zip(rows, values, strict=True)):
            color = LEARNED if row.learned else INK
            if value.mean < least:
                note = f"◀ {compact(value.mean)}, off the scale"
                axes.text(0.01, height, note, transform=axes.get_yaxis_transform(), color=color, va="center")
                continue
            axes.plot(
                [value.lo, value.hi], [height, height], color=color, linewidth=2.2, solid_capstyle="butt"
            )
            axes.plot(value.mean, height, "o", color=color, markersize=5)
        axes.set_yticks(range(len(rows)), [row.policy for row in rows])
        for tick, row in zip(axes.get_yticklabels(), rows, strict=True):
            tick.set_color(LEARNED if row.learned else INK)
            tick.set_fontweight("bold" if row.learned else "normal")
        if zero:
            axes.axvline(0, color=GREY, linewidth=0.8)
        axes.grid(axis="x", color=FAINT, linewidth=0.6)
        axes.set(axisbelow=True, ylim=(-0.6, len(rows) - 0.4))
        axes.spines["left"].set_visible(False)
        axes.tick_params(axis="y", length=0)
        axes.xaxis.set_major_locator(MaxNLocator(5))
        figure.supxlabel(label, fontsize=9, color=INK)
        short(axes.xaxis)

    return drawn(0.9 + 0.26 * len(rows), draw)


def _least(means: Sequence[float]) -> float:
    """The smallest mean drawn to scale: a last one farther off than all others span would squeeze them."""
    ordered = sorted(means)
    if len(ordered) > 2 and ordered[1] - ordered[0] > ordered[-1] - ordered[1]:
        return ordered[1]
    return ordered[0]


def breakdown(part: Breakdown) -> str:
    """Bars from what is ordinary, part by part, to the result."""
    parts = _visible(part)
    join = mul if part.multiplied else add
    ends = list(accumulate((value for _, value in parts), join, initial=part.ordinary))
    bars = [(value, *pair) for (_, value), pair in zip(parts, pairwise(ends), strict=True)]
    names = [part.ordinary_name, *(name for name, _ in parts), part.result_name]
    largest = max((abs(after - before) for _, before, after in bars), default=part.result / 10)
    digits = max(0, 1 - math.floor(math.log10(largest))) if largest > 0 else 0  # two of the largest bar's
    span = [*ends, part.result, *([] if part.reference is None else [part.reference])]
    room = max(max(span) - min(span), 0.1 * max(map(abs, span)), 1e-6)

    def draw(figure: Figure) -> None:
        axes = figure.subplots()

        def say(text: str, value: float, height: int, color: str) -> None:
            right: Any = {"xytext": (6, 0), "textcoords": "offset points", "va": "center"}
            axes.annotate(text, (value, height), color=color, fontsize=8, **right)

        for height, (value, before, after) in enumerate(bars, start=1):
            color = LEARNED if after > before else MODEL
            axes.barh(height, after - before, left=before, height=0.6, color=color)
            said = f"× {value:.2f}" if part.multiplied else f"{value:+,.{digits}f}".replace("-", MINUS)
            say(said, max(before, after), height, color)
        last = len(names) - 1
        for height, value in enumerate(ends):  # from one to the next
            axes.plot([value, value], [height, height + 1], color=GREY, linewidth=0.7, zorder=0)
        for height, value in ((0, part.ordinary), (last, part.result)):
            axes.plot(value, height, "o", color=INK, markersize=5)
            say(f"{value:,.{digits}f}", value, height, INK)
        if part.reference is not None:
            axes.axvline(part.reference, color=GREY, linewidth=0.8, linestyle=":", zorder=0)
        axes.set_yticks(range(len(names)), names)
        for tick in (axes.get_yticklabels()[0], axes.get_yticklabels()[last]):
            tick.set_color(INK)
            tick.set_fontweight("bold")
        axes.set(title=part.title, xlim=(min(span) - 0.06 * room, max(span) + 0.22 * room))
        axes.set_ylim(last + 0.6, -0.6)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.xaxis.set_major_locator(MaxNLocator(5))
        short(axes.xaxis)
        dotted = "" if part.reference is None else f"; dotted: {part.reference_name}"
        figure.supxlabel(part.unit + dotted, fontsize=9, color=INK)

    return drawn(0.9 + 0.24 * len(names), draw)


def _visible(part: Breakdown) -> list[tuple[str, float]]:
    """The parts that can be seen beside the largest; all others are one more, if it can be."""

    def size(value: float) -> float:
        return abs(math.log(value) if part.multiplied else value)

    least = 0.03 * max((size(value) for _, value in part.parts), default=0.0)
    shown = [(name, value) for name, value in part.parts if size(value) > least]
    rest = [value for _, value in part.parts if size(value) <= least]
    together = math.prod(rest) if part.multiplied else sum(rest)
    return [*shown, ("all else", together)] if size(together) > least / 6 else shown


def trajectory(part: Trajectory, contents: Contents) -> str:
    """Price above; stock, demand and sales below, under either policy; one series, one episode."""
    names = (contents.headline.learned, contents.headline.baseline)
    stocks = [(names[0], part.on_hand, part.demand, part.sales)]
    if part.baseline_on_hand:
        stocks.append((names[1], part.baseline_on_hand, part.baseline_demand, part.baseline_sales))

    def draw(figure: Figure) -> None:
        heights = (2, *[3] * len(stocks))
        above, *below = figure.subplots(len(heights), 1, sharex=True, height_ratios=heights)
        periods = np.arange(1, len(part.price) + 1)
        above.step(periods, part.price, where="mid", color=LEARNED, label=names[0])
        above.step(
            periods, part.baseline_price, where="mid", color=INK, linewidth=1.0, ls="--", label=names[1]
        )
        above.set(title=part.title, ylabel=f"price ({contents.currency})")
        for axes, (name, on_hand, demand, sales) in zip(below, stocks, strict=True):
            _stock(axes, periods, on_hand, demand, sales, labelled=axes is below[0])
            axes.set_ylabel(f"units per {contents.period}")
            if len(stocks) > 1:
                axes.set_title(name, fontsize=8, fontweight="normal")
            axes.set_ylim(0, 1.05 * max(max(on_hand + demand) for _, on_hand, demand, _ in stocks))
        below[-1].set_xlabel(f"{contents.period} of the episode")
        below[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
        legend(figure)

    return drawn(2.0 * (len(stocks) + 1), draw)


def _stock(axes: Any, periods: np.ndarray, *course: list[float], labelled: bool) -> None:
    """Stock, demand and sales of one policy."""
    on_hand, demand, sales = course

    def said(name: str) -> str | None:
        return name if labelled else None

    axes.fill_between(periods, on_hand, step="mid", color=FAINT, linewidth=0, label=said("stock"))
    axes.fill_between(
        periods, sales, demand, step="mid", color=ALARM, alpha=0.5, linewidth=0, label=said("unmet")
    )
    axes.step(periods, demand, where="mid", color=INK, linewidth=1.0, linestyle="--", label=said("demand"))
    axes.step(periods, sales, where="mid", color=MODEL, label=said("sales"))
    short(axes.yaxis)


def elasticities(rows: Sequence[dict[str, Any]]) -> str:
    """Own elasticities of every series by item, and the median ends of their 90% intervals."""
    items = list(dict.fromkeys(row["item"] for row in rows))

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        for height, item in enumerate(reversed(items)):
            own = [row for row in rows if row["item"] == item]
            lo, hi = (float(np.median([row[end] for row in own])) for end in ("lo", "hi"))
            means, above, below = [row["mean"] for row in own], height + 0.12, height - 0.16
            axes.plot([lo, hi], [above, above], color=MODEL, linewidth=2.2, solid_capstyle="butt")
            axes.plot(float(np.median(means)), above, "o", color=MODEL, markersize=5)
            axes.plot(means, [below] * len(means), "o", color=MODEL, markersize=2.5, alpha=0.35, mew=0)
        axes.set_yticks(range(len(items)), list(reversed(items)))
        axes.axvline(-1, color=GREY, linewidth=0.8, linestyle=":")
        axes.grid(axis="x", color=FAINT, linewidth=0.6)
        axes.set(axisbelow=True, ylim=(-0.6, len(items) - 0.4))
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        figure.supxlabel("own elasticity; dotted: −1", fontsize=9, color=INK)
        short(axes.xaxis)

    return drawn(0.9 + 0.26 * len(items), draw)


def pit_histogram(shares: Sequence[float]) -> str:
    """Shares of outcomes in equal parts of their forecast distributions; flat where calibrated."""

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        edges = np.linspace(0, 1, len(shares) + 1)
        axes.bar(edges[:-1], shares, width=np.diff(edges), align="edge", color=MODEL, alpha=0.35, ec=MODEL)
        axes.axhline(1 / len(shares), color=INK, linewidth=1.0, linestyle="--", label="calibrated")
        axes.set(
            xlabel="where the outcome fell in the forecast distribution",
            ylabel="share of outcomes",
            xlim=(0, 1),
            ylim=(0, max(0.2, 1.1 * max(shares))),
        )
        legend(figure)

    return drawn(2.6, draw)


def totals(rows: Sequence[dict[str, Any]], label: str) -> str:
    """Units of all series by period: real, and simulated with the band of 80% of the simulations."""

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        dates = np.array([row["date"] for row in rows], dtype="datetime64[D]")
        real, mean, lo, hi = (
            np.array([row[key] for row in rows]) for key in ("real", "simulated", "lo", "hi")
        )
        axes.fill_between(dates, lo, hi, color=MODEL, alpha=0.22, linewidth=0, label="80% of simulations")
        axes.plot(dates, mean, color=MODEL, label="simulated")
        axes.plot(dates, real, color=INK, linewidth=1.0, label="real")
        for number, row in enumerate(rows):
            if row["restart"] and number:
                axes.axvline(dates[number], color=GREY, linewidth=0.8, linestyle=":")
        axes.set(ylabel=label, ylim=(0, None))
        axes.xaxis.set_major_locator(mdates.AutoDateLocator(maxticks=6))
        axes.xaxis.set_major_formatter(mdates.ConciseDateFormatter(axes.xaxis.get_major_locator()))
        short(axes.yaxis)
        legend(figure)

    return drawn(2.6, draw)


def agreement(simulated: dict[str, Any]) -> str:
    """Mean units of every location and item, simulated over real; on the diagonal they agree."""

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        ends: list[float] = []
        for key, color, label in (("by_location", GREY, "a location"), ("by_item", LEARNED, "an item")):
            pairs = [(row["real"]["mean"], row["simulated"]["mean"]) for row in simulated[key]]
            kept = np.array([pair for pair in pairs if min(pair) > 0]).reshape(-1, 2)
            axes.plot(kept[:, 0], kept[:, 1], "o", color=color, markersize=4, alpha=0.7, label=label)
            ends += kept.flatten().tolist()
        span = [0.8 * min(ends, default=1.0), 1.25 * max(ends, default=1.0)]
        axes.plot(span, span, color=INK, linewidth=0.8, linestyle="--", label="equal")
        axes.set(xscale="log", yscale="log", xlim=span, ylim=span, xlabel="real units per series and period")
        axes.set_ylabel("simulated")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
            axis.set_minor_locator(NullLocator())
            short(axis)
        legend(figure)

    return drawn(3.2, draw)
