"""``mercato trajectory``: one series through one episode under several policies."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..console import Bars, print_table, stderr, stdout
from ..output import to_json
from ..report.words import number

_COLUMNS = ("price", "on_hand", "ordered", "demand", "sales", "unmet")


def run(
    market: Path,
    location: str,
    item: str,
    policies: Sequence[str],
    horizon: int,
    episode: int,
    json: bool,
    seed: int,
) -> None:
    from ..series import trajectories

    with Bars(stderr()) as bars:
        table = trajectories(market, policies, location, item, horizon, seed, episode=episode, progress=bars)
    if json:
        print(to_json(table.to_dict("records")))
        return
    for policy, part in table.groupby("policy", sort=False):
        rows = [
            (str(row["period"]), *(number(row[name]) for name in _COLUMNS)) for row in part.to_dict("records")
        ]
        columns = ("period", *(name.replace("_", " ") for name in _COLUMNS))
        print_table(stdout(), f"{policy}: {item}, location {location}", columns, rows)
