"""``mercato whatif``: what a scenario changes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...forecasters.errors import InputError
from ..console import Bars, print_table, stderr, stdout
from ..options import By
from ..output import to_json
from ..report import answer


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
    print_table(stdout(), answer.title(told), answer.CHANGES, answer.changes(told))
    if "by" in told:
        columns = (told["by"], *answer.CHANGES)
        print_table(stdout(), f"By {told['by']}", columns, answer.by_group(told))
    for line in answer.remarks(told):
        print(line)


def _overview(answers: Sequence[dict[str, Any]]) -> None:
    """Profits of several scenarios and policies, side by side."""
    print_table(stdout(), "Profit per episode", answer.OVERVIEW, answer.overview(answers))


def _at_once(scenario: str) -> str | list[str]:
    """``a+b``: both at once, unless a file is called that."""
    return scenario if "+" not in scenario or Path(scenario).exists() else scenario.split("+")
