"""Answers to scenarios and comparisons as tables of words, the same on the terminal and on the page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .words import number, percent, signed

Told = Mapping[str, Any]
"""An answer as ``mercato whatif --json`` prints it."""

_SHOWN = ("profit", "revenue", "units", "demand", "unmet", "ordered", "fill_rate", "price_mean")
_GROUPED = ("profit", "revenue", "units", "unmet")
CHANGES = ("per episode", "without", "with", "difference", "95% interval")
OVERVIEW = (
    *("scenario", "policy", "profit without", "with", "difference", "95% interval"),
    "prices never tried",
)

POLICIES = ("policy", "profit per episode", "95% interval", "fill rate", "stock-outs", "price", "at a bound")


def title(told: Told) -> str:
    return f"{told['scenario']}: {told['policy']}, {told['episodes']} episodes of {told['horizon']} periods"


def changes(told: Told) -> list[tuple[str, ...]]:
    """What changes by an episode, with the columns ``CHANGES``."""
    by_metric = {row["metric"]: row for row in told["differences"]}
    rows = [
        (metric.replace("_", " "), told["without"][metric], told["with"][metric], by_metric[metric])
        for metric in _SHOWN
    ]
    rows += [
        (f"customers who stay: {row['segment']}", row["without"], row["with"], row)
        for row in told.get("staying", [])
    ]
    return [(name, number(before), number(after), *_change(row)) for name, before, after, row in rows]


def by_group(told: Told) -> list[tuple[str, ...]]:
    """The same of each location or item, whose name stands first."""
    return [
        (row[told["by"]], row["metric"], number(row["without"]), number(row["with"]), *_change(row))
        for row in told["groups"]
        if row["metric"] in _GROUPED
    ]


def overview(answers: Sequence[Told]) -> list[tuple[str, ...]]:
    """Profits of several scenarios and policies, with the columns ``OVERVIEW``."""
    return [
        (
            told["scenario"],
            told["policy"],
            number(told["without"]["profit"]),
            number(told["with"]["profit"]),
            *_change(told["differences"][0]),
            percent(told["with"]["outside"]),
        )
        for told in answers
    ]


def remarks(told: Told) -> Iterator[str]:
    """What to read with it: the range over other customers, and notes."""
    if len(told["customers"]) > 1:
        worst = min(told["customers"], key=lambda row: row["diff_mean"])
        best = max(told["customers"], key=lambda row: row["diff_mean"])
        yield (
            f"profit, over customers consistent with the data: {signed(worst['diff_mean'])}"
            f" ({worst['customers']}) … {signed(best['diff_mean'])} ({best['customers']})"
        )
    yield from told["notes"]


def policies(rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """Policies of ``mercato benchmark --json``, best first, with the columns ``POLICIES``."""
    return [
        (
            row["policy"],
            number(row["profit_mean"]),
            f"{number(row['profit_lo'])} … {number(row['profit_hi'])}",
            percent(row["fill_rate"]),
            percent(row["stockout_share"]),
            f"{row['price_mean']:.3f}",
            percent(row["price_at_bound"]),
        )
        for row in sorted(rows, key=lambda row: -row["profit_mean"])
    ]


def rules(told: Told) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """How often each guard-rail binds each policy, and what they cost in all: columns, and rows by policy."""
    names = list(dict.fromkeys(row["rule"] for row in told["rules"]))
    often = {(row["policy"], row["rule"]): row["bound"] for row in told["rules"]}
    rows = [
        (
            row["policy"],
            *(percent(often[row["policy"], name]) for name in names),
            signed(row["diff_mean"]),
            f"{signed(row['diff_lo'])} … {signed(row['diff_hi'])}",
        )
        for row in told["without_rules"]
    ]
    return ("policy", *names, "profit without them", "95% interval"), rows


def _change(row: Mapping[str, float]) -> tuple[str, str]:
    return signed(row["diff_mean"]), f"{signed(row['diff_lo'])} … {signed(row['diff_hi'])}"
