"""``mercato whatif``: what a scenario changes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...forecasters.errors import InputError
from ..console import Bars, print_table, stderr, stdout
from ..options import By
from ..output import to_json
from ..report.words import number, percent, signed

_SHOWN = ("profit", "revenue", "units", "demand", "unmet", "ordered", "fill_rate", "price_mean")
_GROUPED = ("profit", "revenue", "units", "unmet")


def run(
    market: Path | None,
    scenarios: Sequence[str],
    policies: Sequence[Path | str],
    episodes: int | None,
    by: By | None,
    json: bool,
    seed: int,
    workers: int | None,
    ray: str | None,
) -> None:
    if market is None or not scenarios:
        raise InputError(
            "whatif: expected a market and a scenario, found"
            f" {'neither' if market is None else 'no scenario'}; --list names the ready ones"
        )
    from ...agents.workers import employ
    from ..scenarios import whatif_each

    with Bars(stderr()) as bars, employ(workers, ray) as crew:
        found = whatif_each(
            market,
            [_at_once(scenario) for scenario in scenarios],
            policies or (None,),
            seed,
            episodes=episodes,
            by=None if by is None else by.value,
            progress=bars,
            workers=crew,
        )
    answers = [one.told for one in found]
    if json:
        print(to_json(answers[0] if len(answers) == 1 else answers))
        return
    if len(answers) > 1:
        _overview(answers)
    for told in answers:
        show(told)


def list_ready(json: bool) -> None:
    """The ready scenarios, by name."""
    from ...envs.scenarios import catalogue

    about = catalogue.about()
    if json:
        print(to_json(about))
    else:
        print_table(stdout(), "Ready scenarios", ("name", "what happens"), list(about.items()))


def print_schema() -> None:
    """The JSON schema of scenario files, which editors check them with."""
    from ...envs.scenarios.schema import schema

    print(to_json(schema()))


def show(told: dict[str, Any]) -> None:
    """The table of one scenario, on standard output."""
    title = f"{told['scenario']}: {told['policy']}, {told['episodes']} episodes of {told['horizon']} periods"
    by_metric = {row["metric"]: row for row in told["differences"]}
    rows = [
        (
            metric.replace("_", " "),
            number(told["without"][metric]),
            number(told["with"][metric]),
            *_change(by_metric[metric]),
        )
        for metric in _SHOWN
    ]
    columns = ("per episode", "without", "with", "difference", "95% interval")
    print_table(stdout(), title, columns, rows)
    if "by" in told:
        _show_groups(told)
    if len(told["customers"]) > 1:
        worst = min(told["customers"], key=lambda row: row["diff_mean"])
        best = max(told["customers"], key=lambda row: row["diff_mean"])
        print(
            f"profit, over customers consistent with the data: {signed(worst['diff_mean'])}"
            f" ({worst['customers']}) … {signed(best['diff_mean'])} ({best['customers']})"
        )
    for note in told["notes"]:
        print(note)


def _show_groups(told: dict[str, Any]) -> None:
    rows = [
        (row[told["by"]], row["metric"], number(row["without"]), number(row["with"]), *_change(row))
        for row in told["groups"]
        if row["metric"] in _GROUPED
    ]
    columns = (told["by"], "per episode", "without", "with", "difference", "95% interval")
    print_table(stdout(), f"By {told['by']}", columns, rows)


def _overview(answers: Sequence[dict[str, Any]]) -> None:
    """Profits of several scenarios and policies, side by side."""
    rows = [
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
    columns = (
        *("scenario", "policy", "profit without", "with", "difference", "95% interval"),
        "prices never tried",
    )
    print_table(stdout(), "Profit per episode", columns, rows)


def _change(row: dict[str, Any]) -> tuple[str, str]:
    return signed(row["diff_mean"]), f"{signed(row['diff_lo'])} … {signed(row['diff_hi'])}"


def _at_once(scenario: str) -> str | list[str]:
    """``a+b``: both at once, unless a file is called that."""
    return scenario if "+" not in scenario or Path(scenario).exists() else scenario.split("+")
